package io.firesteel.spark.resolve

import com.fasterxml.jackson.databind.JsonNode
import io.firesteel.spark.FiresteelAnalysisException
import io.firesteel.spark.bridge.{FiresteelException, NativeCalls}

import scala.jdk.CollectionConverters._

/** The models that a pipeline file names, by their places in the file. */
private[spark] object PipelineModels {

  /**
   * `load` of every model's path, in file order. A model that can't be read is a fault of the file, thrown with line,
   * column and the nearest file that is there.
   */
  def load[A](yaml: String, file: String, spec: JsonNode)(load: String => A): Seq[A] =
    spec.path("models").elements().asScala.toSeq.zipWithIndex.map { case (model, position) =>
      val path = Files.relativeTo(file, model.path("uri").asText)
      def fault(e: Exception): Nothing = {
        val there = Files.beside(path, ".onnx").toArray
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
