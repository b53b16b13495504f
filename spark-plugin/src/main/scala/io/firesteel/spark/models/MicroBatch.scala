package io.firesteel.spark.models

import java.util.UUID

import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.classic.{SparkSession => ClassicSession}

import scala.util.Try

/**
 * The micro-batch that this thread plans.
 *
 * @param checkpoint the query's checkpoint folder; looked up when it is asked for
 */
private[spark] final class MicroBatch(val query: String, val id: Long, checkpointOf: () => String) {
  lazy val checkpoint: String = checkpointOf()

  def isSame(other: MicroBatch): Boolean = query == other.query && id == other.id

  /** The same, where the source was told the folder. */
  def in(folder: String): MicroBatch = new MicroBatch(query, id, () => folder)
}

/**
 * Spark's word on it: two local properties, which Spark sets in the thread that plans a micro-batch (StreamExecution,
 * MicroBatchExecution), and the checkpoint of a running query, which only its internals know: a query plans in a clone of
 * its session, whose `streams` is empty, so that the public `streams.get(id)` finds nothing there. The class of a running
 * query has moved between 4.0 and 4.2, hence reflection. A public `StreamingQuery.checkpointLocation`, or a planning hook
 * that is told the batch, would replace this file.
 */
private[spark] object MicroBatch {
  private val QueryKey = "sql.streaming.queryId"
  private val BatchKey = "streaming.sql.batchId"

  /** None outside of a micro-batch. */
  def current: Option[MicroBatch] = SparkSession.getActiveSession.collect { case session: ClassicSession =>
    def property(name: String) = Option(session.sparkContext.getLocalProperty(name))
    for {
      query <- property(QueryKey)
      batch <- property(BatchKey).flatMap(_.toLongOption)
    } yield new MicroBatch(query, batch, () => checkpoint(session, query))
  }.flatten

  private def checkpoint(session: ClassicSession, query: String): String =
    Try {
      val running = called(session.sharedState, "activeStreamingQueries").asInstanceOf[java.util.Map[UUID, AnyRef]]
      called(running.get(UUID.fromString(query)), "resolvedCheckpointRoot").asInstanceOf[String]
    }.toOption.filter(_ != null).getOrElse {
      throw new ModelStoreException(
        s"MODEL_RECORD: this Spark does not say where query $query has its checkpoint, so that its models' versions could " +
          "not be recorded. Name versions instead of aliases in the pipeline file, such as models/fraud@3"
      )
    }

  private def called(target: AnyRef, name: String): AnyRef = {
    val method = target.getClass.getMethod(name)
    method.setAccessible(true)
    method.invoke(target)
  }
}
