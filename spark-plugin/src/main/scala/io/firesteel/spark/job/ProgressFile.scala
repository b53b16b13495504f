package io.firesteel.spark.job

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, StandardOpenOption}

import com.fasterxml.jackson.databind.ObjectMapper
import com.fasterxml.jackson.databind.node.ObjectNode
import org.apache.spark.sql.streaming.StreamingQueryProgress

import scala.jdk.CollectionConverters._

/** One JSON line per event of the query, appended and complete at once, for whoever watches. */
private[job] final class ProgressFile(path: Path) {
  private val json = new ObjectMapper()

  /** The query runs. */
  def started(queryId: String, guarantees: Seq[String]): Unit = append("started") { line =>
    val _ = line.put("query_id", queryId)
    val list = line.putArray("guarantees")
    guarantees.foreach(list.add)
  }

  /** A batch is committed. Times in milliseconds; `lag_rows` is what the topic holds beyond this batch. */
  def batch(progress: StreamingQueryProgress, counts: BatchCounts): Unit = append("batch") { line =>
    val _ = line
      .put("batch_id", progress.batchId)
      .put("timestamp", progress.timestamp)
      .put("rows_in", counts.rowsIn)
      .put("rows_scored", counts.rowsScored)
      .put("rows_rejected", counts.rowsRejected)
    val rejected = line.putArray("rejected")
    counts.rejected.foreach { group =>
      rejected.addObject().put("stage", group.stage).put("code", group.code).put("rows", group.rows)
    }
    if (counts.challengers.nonEmpty) line.set[ObjectNode]("challengers", Challengers.toJson(counts.challengers, json))
    val durations = line.putObject("duration_ms")
    progress.durationMs.asScala.toSeq.sortBy(_._1).foreach { case (step, ms) => durations.put(step, ms) }
    progress.sources.headOption.foreach { source =>
      line.set[ObjectNode]("end_offsets", json.readTree(source.endOffset))
      lag(source.endOffset, source.latestOffset).foreach(line.put("lag_rows", _))
    }
  }

  /** The query is over; `error` says why if it failed. */
  def ended(error: Option[String]): Unit = append("ended")(line => line.put("error", error.orNull))

  private def append(event: String)(fill: ObjectNode => Any): Unit = {
    val line = json.createObjectNode().put("event", event).put("at_ms", System.currentTimeMillis)
    fill(line)
    val bytes = (json.writeValueAsString(line) + "\n").getBytes(UTF_8)
    val _ = Files.write(path, bytes, StandardOpenOption.CREATE, StandardOpenOption.APPEND)
  }

  /** Records between two of Kafka's offsets in JSON: topic -> partition -> offset. */
  private def lag(end: String, latest: String): Option[Long] =
    Option(latest).map { text =>
      val ends = json.readTree(end)
      json.readTree(text).properties.asScala.flatMap { topic =>
        topic.getValue.properties.asScala.map { partition =>
          partition.getValue.asLong - ends.path(topic.getKey).path(partition.getKey).asLong
        }
      }.sum
    }
}
