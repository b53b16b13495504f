package io.firesteel.spark.kafka

import java.io.FileNotFoundException
import java.nio.charset.StandardCharsets.UTF_8
import java.util.UUID

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path

/**
 * Where a query began, kept in its checkpoint as Spark's Kafka source keeps it (`sources/N/0`: a zero byte, `v1`, a
 * line end, JSON), so that either source goes on with the other's checkpoint.
 */
private[kafka] final class InitialOffsets(folder: String, hadoop: Configuration) {
  private val file = new Path(folder, "0")

  def get: Option[Map[TopicPartition, Long]] =
    try {
      val in = file.getFileSystem(hadoop).open(file)
      val bytes =
        try in.readAllBytes()
        finally in.close()
      val text = new String(bytes, UTF_8).dropWhile(_ == '\u0000')
      text.split("\n", 2) match {
        case Array("v1", json) => Some(Offsets.read(json, file.toString))
        case Array(version, _) if version.startsWith("v") =>
          throw new IllegalStateException(
            s"CHECKPOINT_UNREADABLE: $file is of version $version, but this source knows v1. A newer Spark wrote it"
          )
        // Spark 2.1 wrote no version.
        case _ => Some(Offsets.read(text, file.toString))
      }
    } catch { case _: FileNotFoundException => None }

  def put(offsets: Map[TopicPartition, Long]): Unit = {
    val system = file.getFileSystem(hadoop)
    // Whole or not at all: a query that dies here begins anew.
    val part = new Path(folder, s".0.${UUID.randomUUID()}.tmp")
    val out = system.create(part, true)
    try {
      out.write(0)
      out.write(s"v1\n${Offsets.write(offsets)}".getBytes(UTF_8))
    } finally out.close()
    if (!system.rename(part, file)) {
      throw new IllegalStateException(
        s"CHECKPOINT_IN_USE: $file could not be written. Another query has this checkpoint, or it can't be written to"
      )
    }
  }
}
