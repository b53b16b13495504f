package io.firesteel.spark

import io.firesteel.spark.exec.FiresteelPipeline
import org.apache.spark.sql.DataFrame
import org.apache.spark.sql.functions.{call_function, col, lit, struct}

/**
 * A pipeline file, ready to be put behind a DataFrame, batch or streaming.
 *
 * {{{
 * val scored = Pipeline.load("fraud.yaml").transform(kafka)
 * Firesteel.accepted(scored).writeStream…
 * }}}
 */
final case class Pipeline(path: String) {

  /**
   * The output columns and `_rejected`, one row per input row. Takes Kafka's columns (`value` and, if there, `topic`,
   * `partition`, `offset`) or the typed columns of the pipeline's schema. Throws
   * [[FiresteelAnalysisException]] if the file, a model or a column is wrong.
   */
  def transform(records: DataFrame): DataFrame = {
    Firesteel.register(records.sparkSession)
    records
      .select(call_function(FiresteelPipeline.Name, lit(path), struct(col("*"))).as("_firesteel"))
      .select("_firesteel.*")
  }
}

object Pipeline {

  /** The file is read, with its models, when the pipeline is first put behind a DataFrame. */
  def load(path: String): Pipeline = Pipeline(path)
}
