package io.firesteel.spark.kafka.sink

import org.apache.spark.sql.connector.metric.{CustomMetric, CustomSumMetric, CustomTaskMetric}

/** Spark makes a metric by its class, so each needs one with an empty constructor. */
final class RecordsWritten extends CustomSumMetric {
  override def name(): String = "firesteelRecordsWritten"
  override def description(): String = "records written to Kafka"
}

final class BytesWritten extends CustomSumMetric {
  override def name(): String = "firesteelBytesWritten"
  override def description(): String = "bytes of keys and values written to Kafka"
}

private[sink] object SinkMetrics {
  def supported: Array[CustomMetric] = Array(new RecordsWritten, new BytesWritten)

  def values(rows: Long, bytes: Long): Array[CustomTaskMetric] =
    Array(Value("firesteelRecordsWritten", rows), Value("firesteelBytesWritten", bytes))

  private final case class Value(name: String, value: Long) extends CustomTaskMetric
}
