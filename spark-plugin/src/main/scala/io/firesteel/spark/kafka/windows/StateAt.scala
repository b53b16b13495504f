package io.firesteel.spark.kafka.windows

import com.fasterxml.jackson.databind.ObjectMapper
import io.firesteel.spark.kafka.OffsetRange

/**
 * Where a task's windows find what they know, and leave it.
 *
 * @param home name in native memory; empty if nothing is kept
 * @param origins per range, where its partition was first read from
 * @param partitions of each topic, if keys are checked against them
 * @param snapshots where the partitions' snapshots are, if there are any
 * @param events so many make a snapshot worth it
 */
private[kafka] final case class StateAt(
    home: String,
    origins: Seq[Long],
    partitions: Map[String, Int],
    snapshots: Option[Snapshots],
    events: Long) {

  /** `StateRequest` of the native side. */
  def request(ranges: Seq[OffsetRange]): String = {
    require(ranges.length == origins.length, "INTERNAL: ranges and their origins")
    val root = StateAt.mapper.createObjectNode()
    root.put("home", home)
    val list = root.putArray("origins")
    origins.foreach(origin => list.add(origin))
    val counts = root.putObject("partitions")
    partitions.foreach { case (topic, count) => counts.put(topic, count) }
    StateAt.mapper.writeValueAsString(root)
  }

  /** A task is done: has what is worth it written down, behind its back. */
  def save(): Unit = snapshots.foreach(SnapshotWriter.wake(home, _, events))
}

private[windows] object StateAt {
  private val mapper = new ObjectMapper()
}
