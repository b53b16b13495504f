package io.firesteel.spark.kafka.deadletter

import io.firesteel.spark.kafka.WrongSourceOption
import io.firesteel.spark.kafka.transaction.{BatchPlans, TransactionId, TransactionSettings}
import org.apache.spark.sql.SparkSession

/**
 * A task's right to write the dead letters of one micro-batch.
 *
 * @param task the group of partitions that it reads, which is the same in every batch and after a restart
 * @param tasks how many such groups there are
 * @param markerFrom where in its partition of the marker topic the last marker may be
 */
private[kafka] final case class Turn(
    query: String,
    sink: String,
    run: String,
    epoch: Long,
    task: Int,
    tasks: Int,
    markerPartitions: Int,
    markerFrom: Long) {
  def id(settings: TransactionSettings): TransactionId = TransactionId.ofTask(settings, query, sink, task)
}

/**
 * The driver's part of a stream's dead letters: one per run of a source.
 *
 * @param run of this source, which no other run shares
 * @param checkpoint folder of the source, the last part of which is its number in the query
 */
private[kafka] final class BatchTurns(
    letters: DeadLetterOptions,
    settings: TransactionSettings,
    run: String,
    checkpoint: String) {
  // Stable over restarts, and another one for each source of a query.
  private val sink = s"deadletters-${checkpoint.split('/').lastOption.getOrElse("0")}"

  /** The turns of a batch's tasks, by group. Shuts the writers of earlier runs out before the first batch. */
  def of(tasks: Int): Int => Turn = synchronized {
    // Spark's keys of a micro-batch, set in the thread that plans it, see StreamExecution and MicroBatchExecution.
    val query = property("sql.streaming.queryId")
    val epoch = property("streaming.sql.batchId").toLong
    val plans = BatchPlans.of(run, settings, query, sink)
    val (markerPartitions, offsets) = plans.prepare(epoch, tasks, Some(letters.topic))
    task => Turn(query, sink, run, epoch, task, tasks, markerPartitions, offsets(task))
  }

  private def property(name: String): String =
    Option(SparkSession.active.sparkContext.getLocalProperty(name)).getOrElse {
      throw new WrongSourceOption(
        s"deadLetterTopic: Spark does not say which micro-batch this is ($name is not set in this thread), so its dead " +
          "letters could not be written once each. Read the batch in the thread that foreachBatch is called in; or leave " +
          "deadLetterTopic out and write the rows with _rejected yourself"
      )
    }

  /** The run is over. */
  def close(): Unit = BatchPlans.forget(run)
}
