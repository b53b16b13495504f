package io.firesteel.spark.kafka

import java.util

import io.firesteel.spark.kafka.sink.{BatchSink, SinkBuilder}
import org.apache.spark.sql.connector.catalog.{SupportsWrite, Table, TableCapability, TableProvider}
import org.apache.spark.sql.connector.expressions.Transform
import org.apache.spark.sql.connector.write.{LogicalWriteInfo, WriteBuilder}
import org.apache.spark.sql.sources.{BaseRelation, CreatableRelationProvider, DataSourceRegister}
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.util.CaseInsensitiveStringMap
import org.apache.spark.sql.{DataFrame, SQLContext, SaveMode}

/** Stand-in, to be merged with the source's: `format("firesteel")` for writes. */
final class FiresteelSource extends TableProvider with CreatableRelationProvider with DataSourceRegister {
  override def shortName(): String = "firesteel"

  override def inferSchema(options: CaseInsensitiveStringMap): StructType = new StructType

  override def getTable(schema: StructType, parts: Array[Transform], properties: util.Map[String, String]): Table =
    new FiresteelTable

  override def createRelation(
      context: SQLContext,
      mode: SaveMode,
      parameters: Map[String, String],
      data: DataFrame): BaseRelation = BatchSink.write(context, mode, parameters, data)
}

private final class FiresteelTable extends Table with SupportsWrite {
  override def name(): String = "firesteel"

  override def schema(): StructType = new StructType

  override def capabilities(): util.Set[TableCapability] = util.EnumSet.of(
    TableCapability.STREAMING_WRITE,
    TableCapability.ACCEPT_ANY_SCHEMA
  )

  override def newWriteBuilder(info: LogicalWriteInfo): WriteBuilder = SinkBuilder(info)
}
