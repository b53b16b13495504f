package io.firesteel.spark.kafka

import scala.collection.mutable

/**
 * How far a query is behind, in rows and seconds.
 *
 * Seconds are since the end that the query has come to was passed: the ends seen at each trigger are remembered, so
 * they are as exact as triggers are frequent.
 */
private[kafka] final class Lag {
  private val seen = mutable.ArrayDeque.empty[(Long, Map[TopicPartition, Long])]

  def saw(latest: Map[TopicPartition, Long], now: Long): Unit = synchronized {
    if (!seen.lastOption.exists(_._2 == latest)) {
      seen.append((now, latest))
      if (seen.size > Lag.Remembered) { val _ = seen.removeHead() }
    }
  }

  /** The first four keys are those of Spark's Kafka source. */
  def metrics(
      latest: Map[TopicPartition, Long],
      consumed: Map[TopicPartition, Long],
      now: Long): Map[String, String] = synchronized {
    val behind = latest.map { case (tp, end) => tp -> math.max(0L, end - consumed.getOrElse(tp, 0L)) }
    val seconds = behind.map { case (tp, rows) => tp -> (if (rows == 0) 0.0 else since(tp, consumed, now)) }
    val rows = behind.values
    Map(
      "minOffsetsBehindLatest" -> rows.min.toString,
      "maxOffsetsBehindLatest" -> rows.max.toString,
      "avgOffsetsBehindLatest" -> (rows.sum.toDouble / rows.size).toString,
      "maxSecondsBehindLatest" -> f"${seconds.values.max}%.3f",
      "offsetsBehindLatest" -> Offsets.write(behind),
      "secondsBehindLatest" -> seconds.toSeq.sortBy(_._1).map { case (tp, s) => f"$tp=$s%.3f" }.mkString(" ")
    )
  }

  private def since(tp: TopicPartition, consumed: Map[TopicPartition, Long], now: Long): Double = {
    val at = consumed.getOrElse(tp, 0L)
    seen.find(_._2.get(tp).exists(_ > at)).fold(0.0) { case (when, _) => (now - when) / 1000.0 }
  }
}

private object Lag {
  val Remembered = 1000
}
