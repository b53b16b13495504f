package io.firesteel.bench

import scala.collection.AbstractIterator

import org.apache.spark.TaskContext
import org.apache.spark.sql.DataFrame
import org.apache.spark.sql.functions.{col, timestamp_micros}

/** The two JVM peers, called from the benchmark's Python driver on a DataFrame of Kafka's columns or of decoded ones. */
object Peers {

  /**
   * ONNX Runtime Java in `mapPartitions` over columns that `from_json` decoded: `event_id`, `ts` (microseconds) and the
   * 16 features, none of them null.
   */
  def ortJava(events: DataFrame, modelPath: String, batchRows: Int): DataFrame = {
    import events.sparkSession.implicits._
    val scored = events.as[Event].mapPartitions { rows =>
      new ScoredBatches[Event](rows, modelPath, batchRows) {
        override protected def take(event: Event, row: Int): Unit = {
          ids(row) = event.event_id
          times(row) = event.ts
          val to = scorer.features
          val at = row * BatchScorer.Width
          to.put(at, event.f0).put(at + 1, event.f1).put(at + 2, event.f2).put(at + 3, event.f3)
            .put(at + 4, event.f4).put(at + 5, event.f5).put(at + 6, event.f6).put(at + 7, event.f7)
            .put(at + 8, event.f8).put(at + 9, event.f9).put(at + 10, event.f10).put(at + 11, event.f11)
            .put(at + 12, event.f12).put(at + 13, event.f13).put(at + 14, event.f14).put(at + 15, event.f15): Unit
        }
      }
    }
    output(scored.toDF())
  }

  /** Jackson's streaming parser and ONNX Runtime Java in one `mapPartitions` over Kafka's `value`. */
  def jackson(records: DataFrame, modelPath: String, batchRows: Int): DataFrame = {
    import records.sparkSession.implicits._
    val scored = records.select(col("value")).as[Array[Byte]].mapPartitions { values =>
      new ScoredBatches[Array[Byte]](values, modelPath, batchRows) {
        private val parser = new EventParser
        override protected def take(value: Array[Byte], row: Int): Unit = {
          parser.parse(value, scorer.features, row * BatchScorer.Width)
          ids(row) = parser.eventId
          times(row) = parser.tsMicros
        }
      }
    }
    output(scored.toDF())
  }

  private def output(scored: DataFrame): DataFrame =
    scored.select(col("event_id"), timestamp_micros(col("ts")).as("ts"), col("score"))
}

/** Pulls rows in batches, scores each batch in one run and hands the results out one by one. */
abstract private class ScoredBatches[T](rows: Iterator[T], modelPath: String, batchRows: Int)
    extends AbstractIterator[Scored] {
  protected val scorer = new BatchScorer(modelPath, batchRows)
  protected val ids = new Array[Long](batchRows)
  protected val times = new Array[Long](batchRows)
  private var filled = 0
  private var served = 0
  Option(TaskContext.get()).foreach(_.addTaskCompletionListener[Unit](_ => scorer.close()))

  /** Writes one row's id, time and features at `row` of the batch. */
  protected def take(value: T, row: Int): Unit

  override def hasNext: Boolean = served < filled || fill()

  override def next(): Scored = {
    val row = served
    served += 1
    Scored(ids(row), times(row), scorer.score(row))
  }

  private def fill(): Boolean = {
    filled = 0
    served = 0
    while (filled < batchRows && rows.hasNext) {
      take(rows.next(), filled)
      filled += 1
    }
    if (filled > 0) scorer.run(filled)
    filled > 0
  }
}
