package io.firesteel.spark.resolve

import java.nio.charset.StandardCharsets.UTF_8

import scala.collection.concurrent.TrieMap

import io.firesteel.spark.bridge.NativeCalls
import io.firesteel.spark.exec.ModelRef
import io.firesteel.spark.models.LiveModels
import org.apache.spark.SparkContext

/**
 * A pipeline file and the files that it names, as they were read on the driver.
 *
 * @param inputFiles the input's schema or descriptor set, in base64
 * @param live the models, if they may change while a query runs
 */
private[spark] final case class PipelineSource(
    name: String,
    yaml: String,
    models: Seq[ModelRef],
    inputFiles: Seq[String],
    live: Option[LiveModels] = None) {

  /**
   * What the engine wants to know of the files that the pipeline file names, in its order. The models are loaded in this
   * process after it, as the engine's check needs: one that nothing used for a while may have gone.
   */
  def found: Array[String] = {
    models.foreach(_.load())
    (models.map(_.found) ++ inputFiles).toArray
  }
}

private[spark] object PipelineSource {

  /** By application and path. */
  private val pinned = TrieMap.empty[(String, String), PipelineSource]

  /** What the path holds: now, or when it was pinned. Throws what is wrong with the file or a model. */
  def of(path: String, sc: SparkContext): PipelineSource =
    pinned.getOrElse((sc.applicationId, path), read(path, sc))

  /**
   * From now on the path means what it holds now. A long-running job plans every micro-batch anew, and a file that
   * somebody edits meanwhile must not change what the job does, or stop it.
   */
  def pin(path: String, sc: SparkContext): Unit = pinned.update((sc.applicationId, path), read(path, sc))

  /**
   * From now on the path means this text, in which files are named as seen from the file at `base`; without models. For
   * pipelines that are made of others.
   */
  def define(path: String, yaml: String, base: String, sc: SparkContext): Unit = {
    val spec = Prepared.read(NativeCalls.parse(yaml, path))
    val source = PipelineSource(spec.path("name").asText(path), yaml, Seq.empty, inputFiles(yaml, base, sc))
    pinned.update((sc.applicationId, path), source)
  }

  /** The schema file or descriptor set that the text at `path` names, in base64. */
  def inputFiles(yaml: String, path: String, sc: SparkContext): Seq[String] = {
    val spec = Prepared.read(NativeCalls.parse(yaml, path))
    PipelineModels.inputFiles(yaml, path, spec)(Files.read(_, "file", sc.hadoopConfiguration))
  }

  private def read(path: String, sc: SparkContext): PipelineSource = {
    val yaml = new String(Files.read(path, "pipeline file", sc.hadoopConfiguration), UTF_8)
    LiveModels.inQuery(sc.applicationId, path, yaml) {
      val spec = Prepared.read(NativeCalls.parse(yaml, path))
      val name = spec.path("name").asText(path)
      val models = PipelineModels.load(yaml, path, spec)(ModelStore.load(_, sc))
      val live = ModelStore.live(name, PipelineModels.uris(path, spec), models, sc)
      PipelineSource(name, yaml, models, inputFiles(yaml, path, sc), live)
    }
  }
}
