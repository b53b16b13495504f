package io.firesteel.spark.kafka

import java.util

import io.firesteel.spark.kafka.sink.SinkBuilder
import org.apache.spark.sql.connector.catalog.{SupportsWrite, Table, TableCapability, TableProvider}
import org.apache.spark.sql.connector.expressions.Transform
import org.apache.spark.sql.connector.write.{LogicalWriteInfo, WriteBuilder}
import org.apache.spark.sql.sources.DataSourceRegister
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.util.CaseInsensitiveStringMap

/** Stand-in, to be merged with the source's: `format("firesteel")` for writes. */
final class FiresteelSource extends TableProvider with DataSourceRegister {
  override def shortName(): String = "firesteel"

  override def inferSchema(options: CaseInsensitiveStringMap): StructType = new StructType

  override def getTable(schema: StructType, parts: Array[Transform], properties: util.Map[String, String]): Table =
    new FiresteelTable
}

private final class FiresteelTable extends Table with SupportsWrite {
  override def name(): String = "firesteel"

  override def schema(): StructType = new StructType

  override def capabilities(): util.Set[TableCapability] = util.EnumSet.of(
    TableCapability.BATCH_WRITE,
    TableCapability.STREAMING_WRITE,
    TableCapability.ACCEPT_ANY_SCHEMA
  )

  override def newWriteBuilder(info: LogicalWriteInfo): WriteBuilder = SinkBuilder(info)
}
