package io.firesteel.spark

import io.firesteel.spark.bridge.FiresteelException
import io.firesteel.spark.job.{JobOptions, PipelineCheck, ScoringQuery, WrongOption}

/**
 * The main job, for spark-submit: a Kafka topic through a pipeline file to Parquet and Kafka, no code to write.
 *
 * Runs on the driver. Everything that can be wrong with the options, the pipeline file, its schema and its models is
 * found before a Spark session exists. Exit status: 0 done, 1 the query failed, 2 refused before the start.
 */
object StreamJob {
  private val Refused = 2
  private val Failed = 1

  def main(arguments: Array[String]): Unit = {
    val status =
      try run(arguments.toIndexedSeq)
      catch {
        case wrong: WrongOption =>
          complain(s"${wrong.getMessage}\nRun with --help for all options.")
          Refused
        case refused @ (_: FiresteelException | _: FiresteelAnalysisException) =>
          complain(s"the pipeline file is refused:\n${refused.getMessage}")
          Refused
      }
    if (status != 0) sys.exit(status)
  }

  private def run(arguments: IndexedSeq[String]): Int =
    if (arguments.contains("--help")) {
      println(JobOptions.help)
      0
    } else {
      val options = JobOptions.parse(arguments)
      val pipeline = PipelineCheck.of(options.pipeline)
      options.outputKey.foreach(PipelineCheck.key(_, pipeline))
      if (options.dryRun) {
        println(pipeline.plan)
        println("Dry run: the options, the file, its schema and its models are valid. Nothing was started.")
        0
      } else {
        val failure = ScoringQuery.run(options)
        failure.foreach(error => complain(s"the query failed: ${rootMessage(error)}"))
        if (failure.isEmpty) 0 else Failed
      }
    }

  private def complain(text: String): Unit = System.err.println(s"error: $text")

  /** The innermost cause says what happened; Spark wraps it several times. */
  private def rootMessage(error: Throwable): String = {
    val causes = Iterator.iterate(error)(_.getCause).takeWhile(_ != null).take(50).toSeq
    causes.lastOption.fold(error.toString)(cause => Option(cause.getMessage).getOrElse(cause.toString))
  }
}
