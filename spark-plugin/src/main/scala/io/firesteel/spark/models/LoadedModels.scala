package io.firesteel.spark.models

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import io.firesteel.spark.bridge.NativeModels

import scala.jdk.CollectionConverters._

/** The models that this process has loaded: what they take, where they run, with how many rows a call. */
private[spark] object LoadedModels {

  /** A sentence for each, without those that `which` does not want by their sha256. */
  def sentences(which: String => Boolean): Seq[String] = {
    val all = new ObjectMapper().readTree(NativeModels.report()).elements().asScala.toSeq
    all.filter(model => which(model.path("sha256").asText)).map(sentence)
  }

  private def sentence(model: JsonNode): String = {
    val sessions = model.path("sessions").elements().asScala.map { session =>
      val threads = session.path("threads").asInt match {
        case 1 => "the task's own thread"
        case more => s"$more threads"
      }
      s"ONNX Runtime on ${session.path("device").asText.toUpperCase}, $threads: ${mib(session, "weights")} of weights, " +
        s"${mib(session, "arena")} of arena"
    }
    val rows = model.path("batches").elements().asScala.map { use =>
      val found = use.path("rows").asInt
      val cost = use.path("tried").elements().asScala.find(_.path("rows").asInt == found)
      s"$found rows a call" + cost.fold("")(one => f", ${one.path("nanos_per_row").asDouble / 1000}%.2f µs a row")
    }
    (Seq(
      model.path("sha256").asText.take(Shown)
    ) ++ Option.when(model.path("kernel").asBoolean)(Kernel) ++ sessions ++ rows)
      .mkString("; ")
  }

  private def mib(node: JsonNode, field: String): String = f"${node.path(field).asLong / 1048576.0}%.1f MiB"

  /** Characters of a hash, as in plans. */
  private val Shown = 12
  private val Kernel = "has Firesteel's tree kernel"
}
