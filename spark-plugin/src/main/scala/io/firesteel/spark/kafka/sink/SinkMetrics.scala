package io.firesteel.spark.kafka.sink

import io.firesteel.spark.kafka.SumMetric
import org.apache.spark.sql.connector.metric.{CustomMetric, CustomTaskMetric}

/** Spark makes a metric by its class, so each needs one with an empty constructor. */
final class RecordsWritten extends SumMetric("firesteelRecordsWritten", "records written to Kafka")
final class BytesWritten extends SumMetric("firesteelBytesWritten", "bytes of keys and values written to Kafka")

private[sink] object SinkMetrics {
  private val records = new RecordsWritten
  private val bytes = new BytesWritten

  def supported: Array[CustomMetric] = Array(records, bytes)

  def values(rows: Long, written: Long): Array[CustomTaskMetric] =
    Array(Value(records.name, rows), Value(bytes.name, written))

  private final case class Value(name: String, value: Long) extends CustomTaskMetric
}
