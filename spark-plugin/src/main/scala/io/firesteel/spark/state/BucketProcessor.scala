package io.firesteel.spark.state

import scala.jdk.CollectionConverters._

import io.firesteel.spark.bridge.NativeBucket
import io.firesteel.spark.exec.TaskRunners
import org.apache.spark.TaskContext
import org.apache.spark.sql.Encoders
import org.apache.spark.sql.streaming._

/**
 * One window block over the buckets of its keys: each key's history is an entry in Spark's state store, and a bucket's
 * rows cross into the engine in one call, with the histories of the keys that have rows now.
 *
 * The names of the three states are part of every checkpoint.
 */
private[spark] final class BucketProcessor(call: String, buckets: Int) extends StatefulProcessor[Int, Piece, Piece] {
  @transient private var histories: MapState[Array[Byte], Array[Byte]] = _
  @transient private var book: ValueState[Array[Byte]] = _
  @transient private var held: ValueState[Array[Byte]] = _
  @transient private lazy val native: NativeBucket = {
    val opened = new NativeBucket(call, buckets, false)
    Option(TaskContext.get()).foreach(TaskRunners.closeWith(_, opened))
    opened
  }

  override def init(outputMode: OutputMode, timeMode: TimeMode): Unit = {
    // Spark's own time to live goes by the clock on the wall, which a replay does not.
    histories = getHandle.getMapState("histories", Encoders.BINARY, Encoders.BINARY, TTLConfig.NONE)
    book = getHandle.getValueState("book", Encoders.BINARY, TTLConfig.NONE)
    held = getHandle.getValueState("held", Encoders.BINARY, TTLConfig.NONE)
  }

  override def handleInputRows(bucket: Int, rows: Iterator[Piece], timers: TimerValues): Iterator[Piece] = {
    Piece.take(native, rows)
    val keys = native.begin(bucket, book.get(), held.get()).asScala
    val kept = keys.map(histories.getValue)
    val run = TaskRunners.stoppable(TaskContext.get())(native.run(kept.asJava))
    keys.iterator.zip(kept.iterator).zip(run.kept.asScala.iterator).foreach { case ((key, before), now) =>
      if (now != null) histories.updateValue(key, now)
      else if (before != null) histories.removeKey(key)
    }
    book.update(run.book)
    if (run.held != null) held.update(run.held)
    if (run.clean) clean()
    Piece.results(native, bucket)
  }

  /** Takes keys that are over out of the store. Rare: after half a horizon of event time. */
  private def clean(): Unit = {
    val over = histories.iterator().grouped(BucketProcessor.CleanedTogether).flatMap { some =>
      some.zip(native.over(some.map(_._2).asJava)).collect { case ((key, _), true) => key }
    }
    // Not while the iterator is open.
    over.toVector.foreach(histories.removeKey)
  }
}

private object BucketProcessor {
  val CleanedTogether = 1024
}
