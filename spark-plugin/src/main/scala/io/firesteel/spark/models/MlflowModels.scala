package io.firesteel.spark.models

import java.util.concurrent.TimeUnit

import com.fasterxml.jackson.databind.ObjectMapper
import org.apache.spark.sql.SparkSession

import scala.util.Try

/** What MLflow's client says of a uri: a local file, the version, and the uri of just that version. */
private[models] final case class MlflowAnswer(file: String, version: Option[Long], uri: String)

/**
 * MLflow's registry by its own Python client: `python -m firesteel resolve-model URI` downloads a model into a folder of
 * this machine and prints one line of JSON. The registry is the one that `MLFLOW_TRACKING_URI` and `MLFLOW_REGISTRY_URI`
 * of the driver's environment name.
 */
private[models] object MlflowModels {

  /** A Python with the packages firesteel and mlflow. */
  private val PythonKey = "spark.firesteel.python"
  private val PatienceSeconds = 300L
  private val mapper = new ObjectMapper()

  def resolve(uri: String): MlflowAnswer = {
    val command = Seq(python, "-m", "firesteel", "resolve-model", uri)
    def failed(why: String, cause: Throwable = null) = new ModelStoreException(
      s"MLFLOW: $uri could not be resolved by `${command.mkString(" ")}`: $why. Name a Python that has firesteel and mlflow " +
        s"in $PythonKey, and the registry in MLFLOW_TRACKING_URI",
      cause
    )
    val said = java.nio.file.Files.createTempFile("firesteel-mlflow-", ".txt")
    try {
      val process =
        try new ProcessBuilder(command: _*).redirectError(said.toFile).start()
        catch { case e: java.io.IOException => throw failed(e.getMessage, e) }
      process.getOutputStream.close()
      // Standard output is one line; a pipe holds it until it is read.
      if (!process.waitFor(PatienceSeconds, TimeUnit.SECONDS)) {
        val _ = process.destroyForcibly()
        throw failed(s"no answer in $PatienceSeconds seconds")
      }
      val out = new String(process.getInputStream.readAllBytes(), java.nio.charset.StandardCharsets.UTF_8)
      if (process.exitValue() != 0) {
        val lines = java.nio.file.Files.readString(said).linesIterator.map(_.trim).filter(_.nonEmpty).toSeq
        throw failed(lines.lastOption.getOrElse(s"it ended with ${process.exitValue()}"))
      }
      val answer = out.linesIterator.toSeq.lastOption.flatMap(line => Try(mapper.readTree(line)).toOption)
      answer.filter(_.path("file").isTextual).fold(throw failed(s"it answered $out")) { node =>
        val version = Some(node.path("version")).filter(_.isNumber).map(_.asLong)
        MlflowAnswer(node.path("file").asText, version, node.path("uri").asText(uri))
      }
    } finally {
      val _ = java.nio.file.Files.deleteIfExists(said)
    }
  }

  private def python: String =
    SparkSession.getActiveSession.orElse(SparkSession.getDefaultSession)
      .flatMap(session => Try(session.sparkContext.getConf).toOption)
      .flatMap(_.getOption(PythonKey))
      .orElse(sys.env.get("PYSPARK_PYTHON"))
      .getOrElse("python3")
}
