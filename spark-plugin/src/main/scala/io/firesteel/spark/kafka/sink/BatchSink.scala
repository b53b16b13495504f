package io.firesteel.spark.kafka.sink

import java.util

import io.firesteel.spark.kafka.sink.SinkOptions.refuse
import org.apache.spark.sql.connector.catalog.{SupportsWrite, Table, TableCapability, TableProvider}
import org.apache.spark.sql.connector.expressions.Transform
import org.apache.spark.sql.connector.write.{LogicalWriteInfo, WriteBuilder}
import org.apache.spark.sql.sources.BaseRelation
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.util.CaseInsensitiveStringMap
import org.apache.spark.sql.{DataFrame, SQLContext, SaveMode}

/**
 * `df.write.format("firesteel").save()` without a mode, as with Spark's Kafka sink.
 *
 * Spark lets a DataSource V2 write with `mode("append")` only. So the public source takes batch writes the older way
 * (`CreatableRelationProvider`), and from there they go on to the V2 write of [[BatchSink]].
 */
private[kafka] object BatchSink {
  def write(context: SQLContext, mode: SaveMode, parameters: Map[String, String], data: DataFrame): BaseRelation = {
    if (mode == SaveMode.Overwrite || mode == SaveMode.Ignore) {
      refuse(s"BAD_OPTION: mode $mode is not possible: a topic is only appended to. Leave the mode out, or use append")
    }
    data.write.format(classOf[BatchSink].getName).options(parameters).mode(SaveMode.Append).save()
    new BaseRelation {
      override def sqlContext: SQLContext = context
      override def schema: StructType = data.schema
      override def toString: String = "firesteel"
    }
  }
}

private[kafka] final class BatchSink extends TableProvider {
  override def inferSchema(options: CaseInsensitiveStringMap): StructType = new StructType

  override def getTable(schema: StructType, parts: Array[Transform], properties: util.Map[String, String]): Table =
    new Table with SupportsWrite {
      override def name(): String = "firesteel"

      override def schema(): StructType = new StructType

      override def capabilities(): util.Set[TableCapability] =
        util.EnumSet.of(TableCapability.BATCH_WRITE, TableCapability.ACCEPT_ANY_SCHEMA)

      override def newWriteBuilder(info: LogicalWriteInfo): WriteBuilder = SinkBuilder(info)
    }
}
