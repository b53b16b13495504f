package io.firesteel.spark.kafka.transaction

import java.time.Duration
import java.util.concurrent.ConcurrentHashMap

import io.firesteel.shaded.kafka.clients.producer.KafkaProducer
import org.slf4j.LoggerFactory

import scala.util.control.NonFatal

/**
 * A process's transactional producers, kept from one batch to the next.
 *
 * A producer is here only while nobody uses it, and only after a commit. It may go on without asking for its marker if
 * its last commit was the batch before: had another writer of its id come in between, its next commit would fail.
 */
private[kafka] object Producers {
  type Client = KafkaProducer[Array[Byte], Array[Byte]]

  /** A producer at rest: which run of which query used it, and its last batch. */
  final case class Resting(client: Client, run: String, epoch: Long, since: Long)

  private val LOG = LoggerFactory.getLogger("io.firesteel.spark.kafka.transaction.Producers")
  private val IdleNanos = 300L * 1000 * 1000 * 1000
  private val resting = new ConcurrentHashMap[(TransactionSettings, TransactionId), Resting]()

  /** The producer that committed the batch before, in this process and run; any other of this id is closed. */
  def take(settings: TransactionSettings, id: TransactionId, run: String, epoch: Long): Option[Client] = {
    closeIdle()
    Option(resting.remove((settings, id))).flatMap { found =>
      if (found.run == run && found.epoch == epoch - 1) Some(found.client)
      else {
        close(found.client)
        None
      }
    }
  }

  def giveBack(settings: TransactionSettings, id: TransactionId, run: String, epoch: Long, client: Client): Unit =
    Option(resting.put((settings, id), Resting(client, run, epoch, System.nanoTime()))).foreach(old =>
      close(old.client)
    )

  /**
   * At once, without waiting for what is on its way: an open transaction of it is aborted by its successor. Never throws:
   * in the interrupted thread of a killed task Kafka closes all that it has, and says so with an exception.
   */
  def close(client: Client): Unit =
    try client.close(Duration.ZERO)
    catch { case NonFatal(e) => LOG.debug("A producer was closed by force", e) }

  private def closeIdle(): Unit =
    resting.forEach { (key, found) =>
      if (System.nanoTime() - found.since > IdleNanos && resting.remove(key, found)) close(found.client)
    }
}
