package io.firesteel.spark.kafka

import org.apache.spark.sql.connector.read.InputPartition

/** From ranges to tasks. */
private[kafka] object Planning {
  def partitions(
      ranges: Seq[OffsetRange],
      all: Seq[TopicPartition],
      options: SourceOptions,
      tasks: Int): Array[InputPartition] = {
    val locations = Executors.locations()
    val groups =
      if (options.minPartitions.isEmpty && options.maxRecordsPerPartition.isEmpty) {
        OffsetRange.grouped(ranges, all, math.min(tasks, all.size))
      } else {
        OffsetRange.split(ranges, options.minPartitions, options.maxRecordsPerPartition).zipWithIndex.map {
          case (range, task) => task -> Seq(range)
        }
      }
    groups.map { case (group, members) =>
      RangesPartition(members, Executors.preferred(group, locations)): InputPartition
    }.toArray
  }
}
