package io.firesteel.spark.kafka.transaction

import java.util.Collections

import io.firesteel.shaded.kafka.clients.admin.{Admin, ListTransactionsOptions}
import io.firesteel.shaded.kafka.common.TopicPartition
import io.firesteel.spark.bridge.FiresteelException
import org.slf4j.LoggerFactory

import scala.jdk.CollectionConverters._
import scala.util.control.NonFatal

/**
 * How long a reader of committed markers waits for an open transaction: as long as the brokers let one be open, and a
 * little. Who waits says so early, and for whom.
 */
private[transaction] final class Patience(admin: Admin, transactionTimeoutMs: Long) {
  import Patience._

  private val began = System.nanoTime()
  private var hasSpoken = false

  /** Called again and again while the reader is behind in `partition`; throws when it has been for too long. */
  def waitFor(partition: TopicPartition): Unit = {
    val waited = (System.nanoTime() - began) / 1000000L
    if (waited > transactionTimeoutMs + GraceMs) {
      throw new FiresteelException(
        s"MARKER_TIMEOUT: a transaction${holders(partition)} stays open in $partition beyond its time, so the last marker " +
          "can't be known. Find it with kafka-transactions.sh find-hanging, and abort it"
      )
    }
    if (waited > SpeakMs && !hasSpoken) {
      hasSpoken = true
      LOG.warn(
        s"Waiting for a transaction${holders(partition)} that is open in $partition: a marker may stand behind it. It ends " +
          "when the query that began it runs again, or when its transaction.timeout.ms is over"
      )
    }
  }

  /** The transactional ids, as far as the brokers say; they may not be allowed to. */
  private def holders(partition: TopicPartition): String =
    try {
      val producers = admin.describeProducers(Collections.singleton(partition)).partitionResult(partition).get()
      val open = producers.activeProducers().asScala.filter(_.currentTransactionStartOffset().isPresent)
      val ids = open.map(producer => Long.box(producer.producerId())).toSet
      val found = admin.listTransactions(new ListTransactionsOptions().filterProducerIds(ids.asJava)).all().get()
      val names = found.asScala.map(_.transactionalId()).toSeq.sorted
      if (ids.isEmpty || names.isEmpty) "" else names.mkString(" of ", ", ", "")
    } catch {
      case NonFatal(e) =>
        LOG.debug("The brokers do not say whose transactions are open in {}", partition, e)
        ""
    }
}

private object Patience {
  private val LOG = LoggerFactory.getLogger(classOf[Patience])
  private val SpeakMs = 5000L
  private val GraceMs = 20000L
}
