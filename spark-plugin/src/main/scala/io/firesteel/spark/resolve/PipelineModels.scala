package io.firesteel.spark.resolve

import java.util.Base64

import com.fasterxml.jackson.databind.JsonNode
import io.firesteel.spark.FiresteelAnalysisException
import io.firesteel.spark.models.NamedUri
import io.firesteel.spark.bridge.{FiresteelException, NativeCalls}

import scala.jdk.CollectionConverters._

/** The models and the input's files that a pipeline file names, by their places in the file. */
private[spark] object PipelineModels {

  /**
   * `load` of every model's path, in file order. A model that can't be read is a fault of the file, thrown with line,
   * column and the nearest file that is there.
   */
  def load[A](yaml: String, file: String, spec: JsonNode)(load: String => A): Seq[A] =
    spec.path("models").elements().asScala.toSeq.zipWithIndex.map { case (model, position) =>
      at(yaml, file, position, model.path("uri").asText, ".onnx")(load)
    }

  /** Names and uris of the models, the latter as seen from the folder of the file. */
  def uris(file: String, spec: JsonNode): Seq[NamedUri] =
    spec.path("models").elements().asScala.toSeq.map { model =>
      NamedUri(model.path("name").asText, Files.relativeTo(file, model.path("uri").asText))
    }

  /**
   * What the engine wants beside the models' hashes: the input's schema file or descriptor set in base64, read with
   * `load`. The faults are those of [[load]].
   */
  def inputFiles(yaml: String, file: String, spec: JsonNode)(load: String => Array[Byte]): Seq[String] = {
    val input = spec.path("input")
    val named = Seq(input.path("avro").path("schema_file"), input.path("protobuf").path("descriptor_file"))
    named.filter(_.isTextual).zipWithIndex.map { case (name, i) =>
      val position = spec.path("models").size + i
      Base64.getEncoder.encodeToString(at(yaml, file, position, name.asText, "")(load))
    }
  }

  private def at[A](yaml: String, file: String, position: Int, name: String, suffix: String)(load: String => A): A = {
    val path = Files.relativeTo(file, name)
    def fault(e: Exception): Nothing = {
      val there = Files.beside(path, suffix).toArray
      NativeCalls.modelFault(yaml, file, position, e.getMessage, there)
      throw e
    }
    try load(path)
    catch {
      case e: FiresteelAnalysisException => fault(e)
      case e: FiresteelException => fault(e)
    }
  }
}
