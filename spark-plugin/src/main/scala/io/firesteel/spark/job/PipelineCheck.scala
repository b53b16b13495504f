package io.firesteel.spark.job

import java.io.IOException
import java.nio.file.{Files, Path, Paths}

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import io.firesteel.spark.bridge.{FiresteelSpecException, NativeCalls, NativeModels}

import scala.jdk.CollectionConverters._

/** Checks a pipeline file with all its models on this machine, without a Spark session. */
private[spark] object PipelineCheck {

  /** The plan for a person. Throws [[FiresteelSpecException]] with every fault and its place. */
  def plan(file: String): String = {
    val path = Paths.get(file)
    val yaml =
      try Files.readString(path)
      catch { case error: IOException => throw unreadable(file, error) }
    val models = json(NativeCalls.parse(yaml, file)).path("models").elements.asScala.map(_.path("uri").asText)
    val hashes = models.map(uri => load(path.resolveSibling(uri))).toArray
    json(NativeCalls.preparePipeline(yaml, file, hashes, false)).path("plan").asText
  }

  private def load(model: Path): String =
    try NativeModels.load(Files.readAllBytes(model))
    catch { case error: IOException => throw unreadable(model.toString, error) }

  private def unreadable(file: String, error: IOException): FiresteelSpecException =
    new FiresteelSpecException(s"$file: FILE_UNREADABLE: ${error.getClass.getSimpleName}")

  private def json(text: String): JsonNode = new ObjectMapper().readTree(text)
}
