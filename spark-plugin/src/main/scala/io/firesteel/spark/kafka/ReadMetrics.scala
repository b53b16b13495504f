package io.firesteel.spark.kafka

import io.firesteel.spark.bridge.ReaderMetrics
import org.apache.spark.sql.connector.metric.{CustomMetric, CustomSumMetric, CustomTaskMetric}

/** What Spark's UI shows of a scan: sums over its tasks. Spark makes these by their class names. */
abstract class SumMetric(val name: String, val description: String) extends CustomSumMetric

final class BytesReadMetric extends SumMetric("bytesRead", "bytes of keys and values")
final class BatchesMetric extends SumMetric("batches", "batches")
final class RejectedMetric extends SumMetric("rejected", "rejected rows")
final class RowsReadMetric extends SumMetric("rowsRead", "records read")
final class RowsOutMetric extends SumMetric("rowsOut", "rows given to the query")
final class DeadLettersMetric extends SumMetric("deadLetters", "rows sent to the dead letter topic")
final class LostMetric extends SumMetric("dataLoss", "offsets passed over because their records are gone")

/** Times of all tasks together, shown in milliseconds. */
sealed abstract class TimeMetric(val name: String, val description: String) extends CustomMetric {
  override def aggregateTaskMetrics(values: Array[Long]): String = f"${values.sum / 1e6}%.1f ms"
}

final class WaitTimeMetric extends TimeMetric("waitTime", "time waiting for records")
final class DecodeTimeMetric extends TimeMetric("decodeTime", "time in decode")
final class CleanTimeMetric extends TimeMetric("cleanTime", "time in clean")
final class FeaturesTimeMetric extends TimeMetric("featuresTime", "time in features")
final class InferenceTimeMetric extends TimeMetric("inferenceTime", "time in inference")
final class ChallengersTimeMetric extends TimeMetric("challengersTime", "time in challengers")

/** The mean round trip of the slowest broker, the worst of all tasks. */
final class RoundTripMetric extends CustomMetric {
  override def name: String = "roundTrip"
  override def description: String = "round trip to the brokers, slowest"
  override def aggregateTaskMetrics(values: Array[Long]): String = f"${values.maxOption.getOrElse(0L) / 1e3}%.1f ms"
}

/** Of a process, which its tasks share: the largest counts. */
final class ModelMemoryMetric extends CustomMetric {
  override def name: String = "modelMemory"
  override def description: String = "memory of models, of the largest process"
  override def aggregateTaskMetrics(values: Array[Long]): String =
    f"${values.maxOption.getOrElse(0L) / 1048576.0}%.1f MiB"
}

/** What a task has read, where its rows have gone, and what the models of its process take in bytes. */
private[kafka] final case class TaskRead(reader: ReaderMetrics, rowsOut: Long, deadLetters: Long, models: Long)

private[kafka] object ReadMetrics {
  private val ofTask: Seq[(CustomMetric, TaskRead => Long)] =
    Seq((new RowsOutMetric, _.rowsOut), (new DeadLettersMetric, _.deadLetters), (new ModelMemoryMetric, _.models))
  private val ofReader: Seq[(CustomMetric, ReaderMetrics => Long)] = Seq(
    (new RowsReadMetric, _.rows),
    (new BatchesMetric, _.batches),
    (new BytesReadMetric, _.bytes),
    (new RejectedMetric, _.rejected),
    (new LostMetric, _.lost),
    (new WaitTimeMetric, _.waitNanos),
    (new DecodeTimeMetric, _.decodeNanos),
    (new CleanTimeMetric, _.cleanNanos),
    (new FeaturesTimeMetric, _.featuresNanos),
    (new InferenceTimeMetric, _.inferenceNanos),
    (new ChallengersTimeMetric, _.challengersNanos),
    (new RoundTripMetric, _.roundTripMicros)
  )

  private val all: Seq[(CustomMetric, TaskRead => Long)] =
    ofTask ++ ofReader.map { case (metric, read) => (metric, (task: TaskRead) => read(task.reader)) }

  def supported: Array[CustomMetric] = all.map(_._1).toArray

  def values(task: TaskRead): Array[CustomTaskMetric] = all.map { case (metric, read) =>
    new CustomTaskMetric {
      override def name: String = metric.name
      override val value: Long = read(task)
    }: CustomTaskMetric
  }.toArray
}
