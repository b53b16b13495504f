package io.firesteel.spark.job

import java.nio.charset.StandardCharsets.UTF_8

import io.firesteel.spark.{Firesteel, FiresteelAnalysisException}
import io.firesteel.spark.bridge.{NativeCalls, NativeModels}
import io.firesteel.spark.models.{FoundModel, ModelStoreException}
import io.firesteel.spark.resolve.{Files, PipelineModels, Prepared}
import org.apache.hadoop.conf.Configuration

/** Checks a pipeline file with all its models on this machine, without a Spark session. */
private[spark] object PipelineCheck {

  /** Throws what the engine has to say about the file, with every fault and its place. */
  def of(file: String): Prepared = {
    lazy val hadoop = new Configuration()
    val yaml = new String(Files.read(file, "pipeline file", hadoop), UTF_8)
    val spec = Prepared.read(NativeCalls.parse(yaml, file))
    val hashes = PipelineModels.load(yaml, file, spec) { uri =>
      val found =
        try FoundModel.of(uri, hadoop)
        catch { case e: ModelStoreException => throw new FiresteelAnalysisException(e.getMessage, Some(e)) }
      NativeModels.load(found.bytes) + found.version.fold("")(version => s"@$version")
    }
    val inputFiles = PipelineModels.inputFiles(yaml, file, spec)(Files.read(_, "file", hadoop))
    Prepared.parse(NativeCalls.preparePipeline(yaml, file, (hashes ++ inputFiles).toArray, false))
  }

  /** Throws [[WrongOption]] unless the key of the scores' records is an output column. */
  def key(column: String, pipeline: Prepared): Unit = {
    val columns = pipeline.output.fieldNames.toSeq.filterNot(_ == Firesteel.RejectedColumn)
    if (!columns.contains(column)) {
      val near = Nearest.to(column, columns).fold("")(near => s" (did you mean $near?)")
      throw new WrongOption(s"--output-key $column: no such output column$near; there are ${columns.mkString(", ")}")
    }
  }
}
