package io.firesteel.spark.training

import java.nio.charset.StandardCharsets.UTF_8
import java.util.Locale

import com.fasterxml.jackson.databind.JsonNode
import com.fasterxml.jackson.databind.node.ObjectNode
import io.firesteel.spark.FiresteelAnalysisException
import io.firesteel.spark.bridge.{FiresteelException, NativeCalls}
import io.firesteel.spark.resolve.{Files, PipelineSource, Prepared}
import org.apache.spark.SparkContext

import scala.jdk.CollectionConverters._

/**
 * A pipeline file that is to give features: the same rules, features and windows, other output, and no models, which
 * need not exist yet.
 *
 * @param spec
 *   the file's canonical JSON, which is YAML too
 */
private[training] final class FeatureFile(val path: String, val spec: ObjectNode, sc: SparkContext) {

  /** The columns of a record. */
  lazy val inputs: Seq[String] = prepared.input.fieldNames.toSeq.filterNot(prepared.optional.contains)

  val features: Seq[(String, String)] =
    spec.path("features").properties().asScala.map(entry => entry.getKey -> entry.getValue.asText).toSeq

  val windows: Seq[JsonNode] = spec.path("windows").elements().asScala.toSeq

  /** What the models take that is no other model's answer, each once; None if the file has no models. */
  def modelInputs: Option[Seq[String]] = {
    val models = spec.path("models").elements().asScala.toSeq
    val answers = models.flatMap(_.path("outputs").properties().asScala.map(_.getKey)).map(lower).toSet
    if (models.isEmpty) None
    else {
      val taken = models.zipWithIndex.flatMap { case (model, i) =>
        val columns = model.path("inputs").elements().asScala.flatMap(_.elements().asScala).map(_.asText).toSeq
        if (columns.isEmpty) {
          throw new FiresteelAnalysisException(
            s"BAD_TRAINING_SET: models[$i] of $path does not say which columns it takes. Write its inputs, or name " +
              "the features that are wanted"
          )
        }
        columns
      }
      Some(FeatureFile.distinct(taken).filterNot(name => answers(lower(name))))
    }
  }

  /** Columns of the file's own output that are there without the models: name in the output and column. */
  lazy val outputs: Seq[(String, String)] = {
    val known = (inputs ++ features.map(_._1) ++ windowColumns).map(lower).toSet
    writtenOutput.filter { case (_, column) => known(lower(column)) }
  }

  private def writtenOutput: Seq[(String, String)] = spec.path("output").elements().asScala.map { item =>
    if (item.isTextual) item.asText -> item.asText
    else {
      val entry = item.properties().asScala.head
      entry.getKey -> entry.getValue.asText
    }
  }.toSeq

  private def windowColumns: Seq[String] = prepared.windows.flatMap(_.columns)

  /** The time that all window blocks agree on. */
  def windowTime: Option[String] = windows.map(_.path("time").asText).distinctBy(lower) match {
    case Seq(time) => Some(time)
    case _ => None
  }

  /** The file with this output, for `Pipeline`: a path under which the driver knows it. */
  def withOutput(columns: Seq[(String, String)]): String = {
    val derived = derive(columns)
    val _ = prepare(derived)
    val yaml = derived.toString
    val name = s"$path#features-${Integer.toHexString(yaml.hashCode)}"
    PipelineSource.define(name, yaml, path, sc)
    name
  }

  /** The file with nothing but the time of each record that passes its rules. */
  def onlyTime(time: String): String = {
    val small = spec.deepCopy()
    small.remove(Seq("features", "windows").asJava)
    new FeatureFile(path, small, sc).withOutput(Seq(time -> time))
  }

  private def derive(columns: Seq[(String, String)]): ObjectNode = {
    val derived = spec.deepCopy()
    derived.remove("models")
    val output = derived.putArray("output")
    columns.foreach { case (name, column) =>
      val _ = if (name == column) output.add(name) else output.addObject().put(name, column)
    }
    derived
  }

  /** What is known of the file's columns. Any column will do as the output. */
  private lazy val prepared: Prepared = {
    val answers = spec.path("models").elements().asScala.flatMap(_.path("outputs").properties().asScala).map(_.getKey)
    val modelled = answers.map(lower).toSet
    val any = windows.headOption.map(_.path("time").asText).orElse(features.headOption.map(_._1))
      .orElse(writtenOutput.map(_._2).find(column => !modelled(lower(column))))
    prepare(derive(any.map(name => name -> name).toSeq))
  }

  private def prepare(derived: ObjectNode): Prepared =
    FeatureFile.checked {
      val yaml = derived.toString
      val found = PipelineSource.inputFiles(yaml, path, sc).toArray
      Prepared.parse(NativeCalls.preparePipeline(yaml, s"features of $path", found, true))
    }

  private def lower(name: String) = name.toLowerCase(Locale.ROOT)
}

private[training] object FeatureFile {

  def read(path: String, sc: SparkContext): FeatureFile = checked {
    val yaml = new String(Files.read(path, "pipeline file", sc.hadoopConfiguration), UTF_8)
    Prepared.read(NativeCalls.parse(yaml, path)) match {
      case spec: ObjectNode => new FeatureFile(path, spec, sc)
      case other => throw new FiresteelAnalysisException(s"INTERNAL: the canonical form of $path is $other")
    }
  }

  /** Each name once, whatever its case, where it stands first. */
  def distinct(names: Seq[String]): Seq[String] = names.distinctBy(_.toLowerCase(Locale.ROOT))

  def checked[T](work: => T): T =
    try work
    catch { case e: FiresteelException => throw new FiresteelAnalysisException(e.getMessage, Some(e)) }
}
