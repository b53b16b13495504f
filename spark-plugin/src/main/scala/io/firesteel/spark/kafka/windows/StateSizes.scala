package io.firesteel.spark.kafka.windows

import java.util.concurrent.ConcurrentHashMap

import com.fasterxml.jackson.databind.ObjectMapper
import io.firesteel.spark.bridge.KafkaState
import org.apache.spark.SparkEnv
import org.apache.spark.util.AccumulatorV2

/**
 * What a query's window states take in one process.
 *
 * @param at when that was so, in milliseconds since 1970
 */
private[kafka] final case class StateSize(at: Long, states: Long, keys: Long, bytes: Long)

/**
 * Sizes of a query's states over all executors: tasks say what their process holds, the driver adds it up for the query's
 * progress. The newest word of a process counts, whichever of its tasks brought it and how often.
 */
private[kafka] final class StateSizes extends AccumulatorV2[(String, StateSize), Map[String, StateSize]] {
  private var of = Map.empty[String, StateSize]

  override def isZero: Boolean = of.isEmpty
  override def reset(): Unit = of = Map.empty
  override def value: Map[String, StateSize] = of

  override def copy(): StateSizes = {
    val made = new StateSizes
    made.of = of
    made
  }

  override def add(measured: (String, StateSize)): Unit = {
    val (process, size) = measured
    if (!of.get(process).exists(_.at > size.at)) of = of.updated(process, size)
  }

  override def merge(other: AccumulatorV2[(String, StateSize), Map[String, StateSize]]): Unit =
    other.value.foreach(add)

  /** Of a task: what this process holds for the query, unless that was looked at just now. */
  def measure(home: String): Unit =
    StateSizes.measured(home).foreach(size => add(SparkEnv.get.executorId -> size))

  /** For the query's progress; nothing before the first task. A process that is silent as long as its states live idle is gone. */
  def metrics(now: Long): Map[String, String] = {
    val live = of.values.filter(now - _.at < StateSizes.IdleMillis)
    if (live.isEmpty) Map.empty
    else {
      val (keys, bytes) = (live.map(_.keys).sum, live.map(_.bytes).sum)
      Map(
        "windowStates" -> live.map(_.states).sum.toString,
        "windowKeys" -> keys.toString,
        "windowBytes" -> bytes.toString,
        "windowBytesPerKey" -> (if (keys == 0) 0L else bytes / keys).toString
      )
    }
  }
}

private[windows] object StateSizes {

  /** As `IDLE` of the native side, in `homes.rs`. */
  private val IdleMillis = 3600 * 1000L
  private val mapper = new ObjectMapper()

  /** Every key is looked at, so this must stay a small part of all work. */
  private val Share = 20
  private val LeastNanos = 500L * 1000 * 1000
  private val next = new ConcurrentHashMap[String, java.lang.Long]()

  private def measured(home: String): Option[StateSize] = {
    val began = System.nanoTime()
    val due = next.get(home)
    // Two tasks may look at once; both are right.
    if (due != null && began - due < 0) None
    else {
      val found = mapper.readTree(KafkaState.size(home))
      val took = System.nanoTime() - began
      next.put(home, began + math.max(LeastNanos, took * Share))
      val size = (name: String) => found.get(name).asLong()
      Some(StateSize(System.currentTimeMillis(), size("states"), size("keys"), size("bytes")))
    }
  }
}
