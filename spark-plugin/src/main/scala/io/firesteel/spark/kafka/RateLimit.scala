package io.firesteel.spark.kafka

/** How far a micro-batch goes. */
private[kafka] object RateLimit {

  /** At most `limit` records, shared among the partitions by how much each has, as Spark shares them. */
  def limited(
      limit: Long,
      from: Map[TopicPartition, Long],
      until: Map[TopicPartition, Long]): Map[TopicPartition, Long] = {
    val sizes = until.collect { case (tp, end) if from.get(tp).exists(_ < end) => tp -> (end - from(tp)) }
    val total = sizes.values.sum.toDouble
    if (total < 1) until
    else
      until.map { case (tp, end) =>
        tp -> sizes.get(tp).fold(end) { size =>
          val share = limit * (size / total)
          // A partition with little would never get its turn if its share were rounded down to nothing.
          val rows = (if (share < 1) math.ceil(share) else math.floor(share)).toLong
          // Not beyond the end; and a limit near 2^63 must not overflow.
          math.min(end, if (rows > end - from(tp)) end else from(tp) + rows)
        }
      }
  }
}
