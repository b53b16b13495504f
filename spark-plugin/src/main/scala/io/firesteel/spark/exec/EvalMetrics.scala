package io.firesteel.spark.exec

import io.firesteel.spark.bridge.{NativeModels, NativeRunner, RunnerMetrics}
import org.apache.spark.SparkContext
import org.apache.spark.sql.execution.metric.{SQLMetric, SQLMetrics}

/** What [[FiresteelEvalExec]] shows in the Spark UI. Times are sums over tasks. */
private[exec] final case class EvalMetrics(
    rows: SQLMetric,
    batches: SQLMetric,
    rejected: SQLMetric,
    crossing: SQLMetric,
    decode: SQLMetric,
    clean: SQLMetric,
    features: SQLMetric,
    inference: SQLMetric,
    challengers: SQLMetric,
    memory: SQLMetric,
    models: SQLMetric)

private[exec] object EvalMetrics {
  def create(sc: SparkContext): Map[String, SQLMetric] = Map(
    "rows" -> SQLMetrics.createMetric(sc, "rows"),
    "batches" -> SQLMetrics.createMetric(sc, "batches"),
    "rejected" -> SQLMetrics.createMetric(sc, "rejected"),
    "crossing" -> SQLMetrics.createNanoTimingMetric(sc, "time in crossing"),
    "decode" -> SQLMetrics.createNanoTimingMetric(sc, "time in decode"),
    "clean" -> SQLMetrics.createNanoTimingMetric(sc, "time in clean"),
    "features" -> SQLMetrics.createNanoTimingMetric(sc, "time in features"),
    "inference" -> SQLMetrics.createNanoTimingMetric(sc, "time in inference"),
    "challengers" -> SQLMetrics.createNanoTimingMetric(sc, "time in challengers"),
    "memory" -> SQLMetrics.createSizeMetric(sc, "peak native memory"),
    // Of a process, which its tasks share: the largest is what counts, not the total.
    "models" -> SQLMetrics.createSizeMetric(sc, "memory of models, of each task's process")
  )

  def apply(m: Map[String, SQLMetric]): EvalMetrics =
    EvalMetrics(
      m("rows"),
      m("batches"),
      m("rejected"),
      m("crossing"),
      m("decode"),
      m("clean"),
      m("features"),
      m("inference"),
      m("challengers"),
      m("memory"),
      m("models")
    )
}

/** Turns one runner's counters into metrics, batch by batch. */
private[exec] final class RunnerTally(runner: NativeRunner, metrics: EvalMetrics) {
  private var seen = RunnerMetrics.ZERO
  private var peak = 0L

  /** Runs one batch. What the call takes beyond the engine's own time is the crossing. */
  def timed[T](call: => T): T = {
    val start = System.nanoTime()
    val result = call
    val took = System.nanoTime() - start
    val now = runner.metrics()
    val step = now.since(seen)
    seen = now
    metrics.rows += step.rows
    metrics.batches += step.batches
    metrics.rejected += step.rejected
    metrics.crossing += math.max(0L, took - step.engineNanos)
    metrics.decode += step.decodeNanos
    metrics.clean += step.cleanNanos
    metrics.features += step.featuresNanos
    metrics.inference += step.inferenceNanos
    metrics.challengers += step.challengersNanos
    val held = runner.heldBytes()
    if (held > peak) {
      metrics.memory += held - peak
      peak = held
    }
    result
  }

  /** The input has ended. */
  def close(): Unit = metrics.models.set(NativeModels.bytes())
}
