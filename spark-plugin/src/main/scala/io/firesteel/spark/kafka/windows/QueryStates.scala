package io.firesteel.spark.kafka.windows

import io.firesteel.spark.bridge.KafkaState
import io.firesteel.spark.kafka.{
  InitialOffsets,
  OffsetRange,
  SourceOptions,
  Subscription,
  TopicPartition,
  WrongSourceOption
}
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.SparkSession
import org.apache.spark.util.SerializableConfiguration

/**
 * A query's window states, as the driver sees them: their home, and where their partitions began.
 *
 * @param source name of this run of the query: states in native memory do not outlive it
 */
private[kafka] final class QueryStates(
    source: String,
    checkpoint: String,
    hadoop: Configuration,
    options: SourceOptions) {
  QueryStates.checkWhole(options)
  // Once per query: it is far larger than all else that a task is told.
  private val shared = SparkSession.active.sparkContext.broadcast(new SerializableConfiguration(hadoop))
  private val snapshots = Snapshots(new Path(checkpoint, Snapshots.Folder).toString, shared)

  /** What the states take, as tasks tell. */
  val sizes = new StateSizes
  SparkSession.active.sparkContext.register(sizes)
  private lazy val began = new InitialOffsets(checkpoint, hadoop).get.getOrElse(Map.empty)

  /** For a task that reads these ranges, of all partitions that the query reads. A partition that came later began at 0. */
  def at(ranges: Seq[OffsetRange], all: Set[TopicPartition]): StateAt =
    StateAt(
      source,
      ranges.map(range => began.getOrElse(range.tp, 0L)),
      QueryStates.partitions(all, options),
      Some(snapshots),
      options.snapshotEvents
    )

  def forget(): Unit = {
    KafkaState.forget(source)
    shared.unpersist()
  }
}

private[kafka] object QueryStates {

  /** For a batch read: the state begins with the range and ends with it. */
  def once(ranges: Seq[OffsetRange], all: Set[TopicPartition], options: SourceOptions): StateAt = {
    checkWhole(options)
    StateAt("", ranges.map(_.from), partitions(all, options), None, options.snapshotEvents)
  }

  /** Partitions of each topic, to check keys against; none if that is not wanted, or not all are read. */
  private def partitions(all: Set[TopicPartition], options: SourceOptions): Map[String, Int] =
    if (options.trustKeys) Map.empty
    else options.subscription match {
      case _: Subscription.Partitions => Map.empty
      case _ => all.groupBy(_.topic).map { case (topic, partitions) => topic -> partitions.size }
    }

  private def checkWhole(options: SourceOptions): Unit = {
    val cuts = Seq("minPartitions" -> options.minPartitions, "maxRecordsPerPartition" -> options.maxRecordsPerPartition)
    cuts.collectFirst { case (name, Some(_)) => name }.foreach { name =>
      throw new WrongSourceOption(
        s"$name cuts partitions into pieces, but windows need each partition's records in one task"
      )
    }
  }
}
