package io.firesteel.spark.kafka

import org.slf4j.LoggerFactory

/** A stretch of a partition: `from` to before `until`. */
private[kafka] final case class OffsetRange(tp: TopicPartition, from: Long, until: Long) {
  def size: Long = until - from

  override def toString: String = s"$tp[$from..$until)"
}

/** From two offsets of the source to what the tasks of a batch read. */
private[kafka] object OffsetRange {
  private val log = LoggerFactory.getLogger(getClass)

  /**
   * The ranges between two places. Partitions that are new begin at their first record; what is gone is an error, or a
   * warning.
   */
  def between(
      start: Map[TopicPartition, Long],
      end: Map[TopicPartition, Long],
      earliest: Seq[TopicPartition] => Map[TopicPartition, Long],
      failOnDataLoss: Boolean): Seq[OffsetRange] = {
    def lost(message: String): Unit =
      if (failOnDataLoss) {
        throw new IllegalStateException(
          s"OFFSETS_LOST: $message. Some data may have been missed: either Kafka deleted it (retention), or the topic was " +
            "deleted or made anew. To go on with what is there, set failOnDataLoss to false"
        )
      } else log.warn("{}. Some data may have been missed (failOnDataLoss is false)", message)

    val gone = start.keySet -- end.keySet
    if (gone.nonEmpty) lost(s"${gone.toSeq.sorted.mkString(", ")} are gone")
    val added = (end.keySet -- start.keySet).toSeq.sorted
    val firsts = if (added.isEmpty) Map.empty[TopicPartition, Long] else earliest(added)
    firsts.filter(_._2 > 0).foreach { case (tp, first) =>
      lost(s"the new partition $tp starts from $first instead of 0")
    }
    val ranges = end.toSeq.sortBy(_._1).flatMap { case (tp, until) =>
      start.get(tp).orElse(firsts.get(tp)).map(OffsetRange(tp, _, until))
    }
    ranges.filter(_.size < 0).foreach { range =>
      lost(s"the offset of ${range.tp} was ${range.from} and is ${range.until} now")
    }
    ranges.filter(_.size > 0)
  }

  /**
   * One task for each group of partitions. A partition is always in the same group while the number of partitions and
   * tasks stays, so that the consumers of the last batch are ready with the records of this one.
   */
  def grouped(ranges: Seq[OffsetRange], all: Seq[TopicPartition], tasks: Int): Seq[(Int, Seq[OffsetRange])] = {
    val places = all.sorted.zipWithIndex.toMap
    ranges.groupBy(range => places.getOrElse(range.tp, 0) % math.max(1, tasks)).toSeq.sortBy(_._1)
  }

  /** Ranges cut until there are `minPartitions` of them, and none has more than `maxRecords`; as Spark cuts them. */
  def split(ranges: Seq[OffsetRange], minPartitions: Option[Int], maxRecords: Option[Long]): Seq[OffsetRange] = {
    val cut = maxRecords.fold(ranges)(most => ranges.flatMap(r => divided(r, ((r.size + most - 1) / most).toInt)))
    minPartitions.filter(_ > cut.size).fold(cut) { least =>
      val total = cut.map(_.size).sum
      def parts(size: Long, of: Long, among: Int) = math.max(math.round(size.toDouble / of * among), 1L).toInt
      val (whole, large) = cut.partition(r => parts(r.size, total, least) == 1)
      val among = math.max(least - whole.size, 1)
      val largeTotal = large.map(_.size).sum
      val shares = large.map(r => r -> parts(r.size, largeTotal, among)).toMap
      cut.flatMap(r => divided(r, shares.getOrElse(r, 1)))
    }
  }

  private def divided(range: OffsetRange, parts: Int): Seq[OffsetRange] = {
    val cuts = (0 to parts).map(i => range.from + (BigInt(range.size) * i / parts).toLong)
    cuts.zip(cuts.tail).map { case (from, until) => OffsetRange(range.tp, from, until) }.filter(_.size > 0)
  }
}
