package io.firesteel.spark.kafka

import java.util.{EnumSet, Map => JMap, Set => JSet}

import io.firesteel.spark.Firesteel
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.connector.catalog._
import org.apache.spark.sql.connector.expressions.Transform
import org.apache.spark.sql.connector.read.ScanBuilder
import org.apache.spark.sql.sources.DataSourceRegister
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.util.CaseInsensitiveStringMap

/**
 * `format("firesteel")`: Kafka read by native code. Takes the options of Spark's Kafka source, and `schema` or
 * `pipeline` for decoded columns or scores. See docs/reference/kafka-source.md.
 */
final class FiresteelSource extends TableProvider with DataSourceRegister {
  override def shortName(): String = "firesteel"

  override def inferSchema(options: CaseInsensitiveStringMap): StructType = FiresteelTable.of(options).schema()

  override def getTable(schema: StructType, partitioning: Array[Transform], properties: JMap[String, String]): Table =
    FiresteelTable.of(new CaseInsensitiveStringMap(properties))
}

private[kafka] final class FiresteelTable(content: Content) extends Table with SupportsRead {
  override def name(): String = "firesteel"

  override def schema(): StructType = content.schema

  override def capabilities(): JSet[TableCapability] =
    EnumSet.of(TableCapability.BATCH_READ, TableCapability.MICRO_BATCH_READ)

  override def newScanBuilder(options: CaseInsensitiveStringMap): ScanBuilder =
    new FiresteelScanBuilder(content, options)
}

private[kafka] object FiresteelTable {
  def of(options: CaseInsensitiveStringMap): FiresteelTable = {
    val spark = SparkSession.active
    // A session that knows only the jar reads narrow streams as well.
    Firesteel.register(spark)
    new FiresteelTable(Content.of(new SourceText(options), spark.sparkContext))
  }
}
