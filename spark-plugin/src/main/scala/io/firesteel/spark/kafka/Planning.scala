package io.firesteel.spark.kafka

/** From ranges to tasks. */
private[kafka] object Planning {
  def partitions(
      ranges: Seq[OffsetRange],
      all: Seq[TopicPartition],
      options: SourceOptions,
      tasks: Int): Array[RangesPartition] = {
    val locations = Executors.locations()
    val (groups, of) =
      if (options.minPartitions.isEmpty && options.maxRecordsPerPartition.isEmpty) {
        val most = math.min(tasks, all.size)
        (OffsetRange.grouped(ranges, all, most), most)
      } else {
        val cut = OffsetRange.split(ranges, options.minPartitions, options.maxRecordsPerPartition)
        (cut.zipWithIndex.map { case (range, task) => task -> Seq(range) }, cut.size)
      }
    groups.map { case (group, members) =>
      RangesPartition(members, Executors.preferred(group, locations), group, of)
    }.toArray
  }
}
