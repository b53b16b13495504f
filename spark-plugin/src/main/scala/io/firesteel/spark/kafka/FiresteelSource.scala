package io.firesteel.spark.kafka

import java.util.{EnumSet, Map => JMap, Set => JSet}

import io.firesteel.spark.Firesteel
import io.firesteel.spark.explain.Explained
import io.firesteel.spark.kafka.sink.{BatchSink, SinkBuilder}
import org.apache.spark.sql.connector.catalog._
import org.apache.spark.sql.connector.expressions.Transform
import org.apache.spark.sql.connector.read.ScanBuilder
import org.apache.spark.sql.connector.write.{LogicalWriteInfo, WriteBuilder}
import org.apache.spark.sql.sources.{BaseRelation, CreatableRelationProvider, DataSourceRegister}
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.util.CaseInsensitiveStringMap
import org.apache.spark.sql.{DataFrame, SQLContext, SaveMode, SparkSession}

/**
 * `format("firesteel")`: Kafka read by native code. Takes the options of Spark's Kafka source, and `schema` or
 * `pipeline` for decoded columns or scores. See docs/reference/kafka-source.md.
 */
final class FiresteelSource extends TableProvider with CreatableRelationProvider with DataSourceRegister {
  override def shortName(): String = "firesteel"

  /** Spark asks one instance for the columns and then for the table: a pipeline's files are read and checked once. */
  private var asked: Option[(CaseInsensitiveStringMap, FiresteelTable)] = None

  private def table(options: CaseInsensitiveStringMap): FiresteelTable = synchronized {
    asked.collect { case (before, table) if before == options => table }.getOrElse {
      val table = FiresteelTable.of(options)
      asked = Some(options -> table)
      table
    }
  }

  override def inferSchema(options: CaseInsensitiveStringMap): StructType = table(options).schema()

  /** A batch write. Spark takes it from a V1 source in every save mode, from a V2 source only in some. */
  override def createRelation(
      context: SQLContext,
      mode: SaveMode,
      parameters: Map[String, String],
      data: DataFrame): BaseRelation = BatchSink.write(context, mode, parameters, data)

  override def getTable(schema: StructType, partitioning: Array[Transform], properties: JMap[String, String]): Table =
    table(new CaseInsensitiveStringMap(properties))
}

/** Read or written; what is read is known only when it is asked for, as a writer's options say nothing of it. */
private[kafka] final class FiresteelTable(options: CaseInsensitiveStringMap)
    extends Table
    with Explained
    with SupportsRead
    with SupportsWrite {
  private lazy val content = Content.of(new SourceText(options), SparkSession.active.sparkContext)

  override def name(): String = "firesteel"

  override def schema(): StructType = content.schema

  override def explained: String = content.plan(content.schema).description

  override def capabilities(): JSet[TableCapability] = EnumSet.of(
    TableCapability.BATCH_READ,
    TableCapability.MICRO_BATCH_READ,
    TableCapability.STREAMING_WRITE,
    TableCapability.ACCEPT_ANY_SCHEMA
  )

  override def newWriteBuilder(info: LogicalWriteInfo): WriteBuilder = SinkBuilder(info)

  override def newScanBuilder(options: CaseInsensitiveStringMap): ScanBuilder =
    new FiresteelScanBuilder(content, options)
}

private[kafka] object FiresteelTable {
  def of(options: CaseInsensitiveStringMap): FiresteelTable = {
    // A session that knows only the jar reads narrow streams as well.
    Firesteel.register(SparkSession.active)
    new FiresteelTable(options)
  }
}
