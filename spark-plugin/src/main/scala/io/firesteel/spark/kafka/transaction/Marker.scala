package io.firesteel.spark.kafka.transaction

import java.nio.charset.StandardCharsets.UTF_8

import io.firesteel.spark.bridge.FiresteelException
import org.json4s.JsonDSL._
import org.json4s.jackson.JsonMethods.{compact, parse, render}
import org.json4s.{DefaultFormats, Formats}

import scala.util.control.NonFatal

/**
 * What a committed transaction says of itself, in its own last record: which batch, how many rows, which bytes.
 *
 * @param tasks in how many tasks the batch was written
 */
final case class Marker(epoch: Long, tasks: Int, content: Content) {
  def toBytes: Array[Byte] = compact(render(
    ("version" -> Marker.Version) ~ ("epoch" -> epoch) ~ ("tasks" -> tasks) ~ ("rows" -> content.rows) ~
      ("ordered" -> content.ordered.toHexString) ~ ("unordered" -> content.unordered.toHexString)
  )).getBytes(UTF_8)
}

object Marker {
  private val Version = 1
  private implicit val formats: Formats = DefaultFormats

  def of(bytes: Array[Byte], where: => String): Marker =
    try {
      val json = parse(new String(bytes, UTF_8))
      val version = (json \ "version").extract[Int]
      if (version != Version) throw new IllegalArgumentException(s"version $version")
      def hex(name: String): Long = java.lang.Long.parseUnsignedLong((json \ name).extract[String], 16)
      Marker(
        (json \ "epoch").extract[Long],
        (json \ "tasks").extract[Int],
        Content((json \ "rows").extract[Long], hex("ordered"), hex("unordered"))
      )
    } catch {
      case NonFatal(e) =>
        throw new FiresteelException(
          s"MARKER_UNREADABLE: the record at $where is no marker of this version (${e.getMessage}). Use a markerTopic of " +
            "its own, and the version of Firesteel that wrote it or a later one"
        )
    }
}
