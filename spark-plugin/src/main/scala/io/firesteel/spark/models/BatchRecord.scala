package io.firesteel.spark.models

import java.io.FileNotFoundException
import java.nio.charset.StandardCharsets.UTF_8
import java.util.UUID

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path
import org.slf4j.LoggerFactory

import scala.jdk.CollectionConverters._
import scala.util.Try

/** A model that a micro-batch is scored with. */
private[models] final case class RecordedModel(name: String, uri: String, sha256: String)

/**
 * Which models a micro-batch is scored with: `firesteel-models/KEY/BATCH.json` in the query's checkpoint, written before
 * the batch's tasks run. A batch that is repeated, by whatever driver, finds it and takes the same models.
 *
 * @param key names the pipeline, as a query may have several
 */
private[models] final class BatchRecord(key: String, hadoop: Configuration) {
  import BatchRecord._

  private def file(batch: MicroBatch, id: Long) =
    new Path(new Path(new Path(batch.checkpoint, Folder), key), s"$id.json")

  /** What was recorded. A file that is not whole was never used: tasks begin after it is. */
  def read(batch: MicroBatch): Option[Seq[RecordedModel]] = {
    val place = file(batch, batch.id)
    try {
      val in = place.getFileSystem(hadoop).open(place)
      val bytes =
        try in.readAllBytes()
        finally in.close()
      val models = Try(mapper.readTree(bytes).path("models")).toOption.filter(_.isArray)
      if (models.isEmpty) log.warn("{} is not whole, so that no task has used it; it is written anew", place)
      models.map(_.elements().asScala.toSeq.map { node =>
        RecordedModel(node.path("name").asText, node.path("uri").asText, node.path("sha256").asText)
      })
    } catch { case _: FileNotFoundException => None }
  }

  /** Writes it down, whole or not at all, and lets the record of a batch go that nobody can repeat any more. */
  def write(batch: MicroBatch, models: Seq[RecordedModel]): Unit = {
    val place = file(batch, batch.id)
    val system = place.getFileSystem(hadoop)
    val root = mapper.createObjectNode().put("batch", batch.id)
    val list = root.putArray("models")
    models.foreach { model =>
      val _ = list.addObject().put("name", model.name).put("uri", model.uri).put("sha256", model.sha256)
    }
    val part = new Path(place.getParent, s".${batch.id}.${UUID.randomUUID()}.tmp")
    val out = system.create(part, true)
    try out.write(mapper.writeValueAsString(root: JsonNode).getBytes(UTF_8))
    finally out.close()
    // Only a torn one can be there: a whole one was read before.
    if (!system.rename(part, place)) {
      val _ = system.delete(place, false)
      if (!system.rename(part, place)) {
        throw new ModelStoreException(
          s"MODEL_RECORD: $place could not be written, so that a replay would not know its models. Let this user write " +
            "there, or stop the other query on this checkpoint"
        )
      }
    }
    if (batch.id >= Kept) {
      val _ = system.delete(file(batch, batch.id - Kept), false)
    }
  }
}

private[models] object BatchRecord {
  private val log = LoggerFactory.getLogger(getClass)
  private val mapper = new ObjectMapper()
  private val Folder = "firesteel-models"

  /** As many micro-batches as Spark itself keeps by default. */
  private val Kept = 100L
}
