package io.firesteel.spark

import io.firesteel.spark.exec.FiresteelPipeline
import io.firesteel.spark.state.Windowed
import io.firesteel.spark.training.{TrainingOptions, TrainingSet}
import org.apache.spark.sql.{DataFrame, SparkSession}
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
    if (Windowed.keys(path, records.sparkSession).nonEmpty) Windowed.transform(path, records)
    else {
      records
        .select(call_function(FiresteelPipeline.Name, lit(path), struct(col("*"))).as("_firesteel"))
        .select("_firesteel.*")
    }
  }

  /**
   * What a model is trained on: the features of a history of events, and the labels that were known at the time.
   *
   * {{{
   * val set = Pipeline.load("fraud.yaml").trainingSet(payments, chargebacks, "7 days", "transaction_id")
   * set.rows.select((set.features ++ set.labels).map(col): _*)
   * }}}
   *
   * The file's models are not read: they may not exist yet. `docs/reference/training-set.md` tells which events are
   * left out. Throws [[FiresteelAnalysisException]] if the file, a column or the labels are wrong.
   *
   * @param records
   *   a batch, as for [[transform]]
   * @param labels
   *   the key columns `on`, and at least one label; a row for each event at most
   * @param delay
   *   how long after its event a label is known, such as `7 days`
   */
  def trainingSet(records: DataFrame, labels: DataFrame, delay: String, on: String*): TrainingSet =
    trainingSet(records, labels, TrainingOptions(TrainingOptions.duration(delay), on))

  /** The same, with more to choose. */
  def trainingSet(records: DataFrame, labels: DataFrame, options: TrainingOptions): TrainingSet =
    TrainingSet.of(path, records, labels, options)
}

object Pipeline {

  /** The file is read, with its models, when the pipeline is first put behind a DataFrame. */
  def load(path: String): Pipeline = Pipeline(path)

  /** Whether the file has windows, so that rows must go to their keys between its parts. */
  def hasWindows(path: String, spark: SparkSession): Boolean = Windowed.keys(path, spark).nonEmpty
}
