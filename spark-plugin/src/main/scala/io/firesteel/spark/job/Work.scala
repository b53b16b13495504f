package io.firesteel.spark.job

import io.firesteel.spark.Pipeline
import io.firesteel.spark.kafka.windows.StateKeys
import org.apache.spark.sql.DataFrame

/**
 * Where a job's pipeline runs: in the source, behind it in every batch, or behind it in the query. Histories of keys
 * outlive a batch, so windows are never in the second place.
 *
 * @param inSource
 *   options of the native source
 * @param perQuery
 *   what stands between source and batches
 * @param perBatch
 *   what a batch does to its rows
 * @param home
 *   where the windows' histories are, for a person
 */
private[job] final case class Work(
    inSource: Map[String, String],
    perQuery: DataFrame => DataFrame,
    perBatch: DataFrame => DataFrame,
    home: Option[String])

private[job] object Work {
  private val Nothing = (rows: DataFrame) => rows

  def of(options: JobOptions, windowKeys: Seq[Seq[String]]): Work = {
    val transform = (records: DataFrame) =>
      Pipeline.load(options.pipeline).transform(records.select("value", "topic", "partition", "offset"))
    val inSource = Map("pipeline" -> options.pipeline)
    val isNative = options.source == SourceChoice.Native
    if (windowKeys.isEmpty) {
      if (isNative) Work(inSource, Nothing, Nothing, None) else Work(Map.empty, Nothing, transform, None)
    } else if (isNative && StateKeys.fit(windowKeys)) {
      Work(inSource, Nothing, Nothing, Some("histories of keys are beside the topic's partitions"))
    } else {
      Work(Map.empty, transform, Nothing, Some("histories of keys are in Spark's state store"))
    }
  }
}
