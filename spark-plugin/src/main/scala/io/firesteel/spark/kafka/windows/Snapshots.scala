package io.firesteel.spark.kafka.windows

import java.io.{EOFException, FileNotFoundException}
import java.util.UUID

import io.firesteel.spark.bridge.SnapshotStore
import io.firesteel.spark.kafka.TopicPartition
import org.apache.hadoop.fs.{ChecksumException, FileSystem, Path}
import org.apache.spark.broadcast.Broadcast
import org.apache.spark.util.SerializableConfiguration

/**
 * Snapshots of window states in a query's checkpoint: `windows/TOPIC-PARTITION/OFFSET.arrow`, an Arrow IPC stream.
 *
 * A state is a function of its partition's records before the offset, so a file is right whoever wrote it, a task that
 * failed later included; two writers write the same bytes. Which one is read, written or let go is decided natively.
 */
private[windows] final case class Snapshots(folder: String, hadoop: Broadcast[SerializableConfiguration])
    extends SnapshotStore {

  override def list(topic: String, partition: Int): Array[Long] =
    try system.listStatus(new Path(folder, TopicPartition(topic, partition).toString)).flatMap { status =>
        status.getPath.getName match {
          case Snapshots.Name(version) => version.toLongOption.toSeq.flatMap(Seq(_, status.getLen))
          case _ => Seq.empty
        }
      }
    catch { case _: FileNotFoundException => Array.empty }

  override def read(topic: String, partition: Int, version: Long): Array[Byte] =
    try {
      val in = system.open(file(topic, partition, version))
      try in.readAllBytes()
      finally in.close()
    } catch {
      case _: FileNotFoundException => null
      // Some file systems find out by themselves that a file is not what was written; native code then looks for another.
      case _: ChecksumException | _: EOFException => Array.emptyByteArray
    }

  override def write(topic: String, partition: Int, version: Long, saved: Array[Byte]): Unit = {
    val whole = file(topic, partition, version)
    val part = new Path(whole.getParent, s".$version.${UUID.randomUUID()}.tmp")
    try {
      val out = system.create(part, true)
      try out.write(saved)
      finally out.close()
      // Another attempt may have been first: its file is as good, unless it is one that was torn.
      if (!system.rename(part, whole) && lengthOf(whole).exists(_ != saved.length)) {
        system.delete(whole, false)
        val _ = system.rename(part, whole)
      }
    } finally {
      val _ = system.delete(part, false)
    }
  }

  override def remove(topic: String, partition: Int, version: Long): Unit = {
    val _ = system.delete(file(topic, partition, version), false)
  }

  private def system: FileSystem = new Path(folder).getFileSystem(hadoop.value.value)

  private def file(topic: String, partition: Int, version: Long): Path =
    new Path(new Path(folder, TopicPartition(topic, partition).toString), s"$version.arrow")

  private def lengthOf(path: Path): Option[Long] =
    try Some(system.getFileStatus(path).getLen)
    catch { case _: FileNotFoundException => None }
}

private[windows] object Snapshots {

  /** Beside the source's offsets. */
  val Folder = "windows"
  private val Name = """(\d+)\.arrow""".r
}
