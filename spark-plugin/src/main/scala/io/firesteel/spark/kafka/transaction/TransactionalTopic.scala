package io.firesteel.spark.kafka.transaction

import java.util.concurrent.Future

import io.firesteel.shaded.kafka.clients.admin.Admin
import io.firesteel.shaded.kafka.clients.producer.{KafkaProducer, ProducerRecord, RecordMetadata}
import io.firesteel.shaded.kafka.common.header.Header
import io.firesteel.shaded.kafka.common.header.internals.RecordHeader
import io.firesteel.spark.bridge.FiresteelException
import io.firesteel.spark.kafka.sink.HeaderBytes
import io.firesteel.spark.kafka.transaction.MarkerTopic.Place
import org.slf4j.LoggerFactory

import scala.util.control.NonFatal

/**
 * Writes records exactly once under a writer's id and a batch's number, from a task.
 *
 * One transaction holds the records and a marker that says what they are. A batch that comes again finds its marker:
 * its records are then only counted and compared, and nothing is written. Used by one thread; `commit` or `abort` ends
 * it, and `abort` may be called at any time.
 *
 * @param run of the query, so that a producer is kept for the same run only
 * @param tasks in how many tasks the batch is written
 * @param from where in its partition of the marker topic this writer's last marker may be; 0 if nothing is known
 */
final class TransactionalTopic(
    settings: TransactionSettings,
    id: TransactionId,
    run: String,
    epoch: Long,
    tasks: Int,
    markerPartitions: Int,
    from: Long,
    keepCommitted: Boolean) {
  import TransactionalTopic._

  private val markers = new MarkerTopic(settings)
  private val markerPartition = markers.partitionOf(id, markerPartitions)
  private val digest = new ContentDigest
  private var client: Option[Producers.Client] = None
  private var isBegun = false
  private var place = Place(markerPartition, from)

  /** The marker of this very batch, if it is committed. */
  private val committed: Option[Marker] = open()

  /** Whether the batch was written before, so that nothing is written now. */
  def isReplay: Boolean = committed.isDefined

  private def open(): Option[Marker] = explained("open a transaction") {
    client = Producers.take(settings, id, run, epoch)
    if (client.isDefined) None
    else {
      val fresh = new KafkaProducer[Array[Byte], Array[Byte]](settings.producer(id))
      client = Some(fresh)
      // Ends whatever an earlier writer of this id has left open, and shuts it out.
      try {
        fresh.initTransactions()
        lastMarker().filter(isOfThisEpoch)
      } catch {
        case e: Throwable =>
          abort()
          throw e
      }
    }
  }

  private def lastMarker(): Option[Marker] = {
    var last: Option[Marker] = None
    val admin = Admin.create(settings.admin)
    try markers.read(admin, Map(markerPartition -> from)) { (key, value, at) =>
        if (key == id.key) {
          last = Some(Marker.of(value, s"${markers.name}-${at.partition}@${at.offset}"))
          place = at
        }
      }
    finally admin.close(java.time.Duration.ofSeconds(5))
    last
  }

  private def isOfThisEpoch(marker: Marker): Boolean =
    if (marker.epoch > epoch) throw epochPassed(id, epoch, marker.epoch)
    else if (marker.epoch < epoch) false
    else {
      if (marker.tasks != tasks) throw tasksChanged(id, epoch, marker.tasks, tasks)
      true
    }

  def send(record: OutgoingRecord): Unit = {
    digest.add(record)
    if (!isReplay) {
      val producer = begun()
      explained(s"write to topic ${record.topic}") {
        val _ = producer.send(
          new ProducerRecord(
            record.topic,
            record.partition.map(Int.box).orNull,
            record.key,
            record.value,
            if (record.headers == null) null else kafkaHeaders(record.headers)
          )
        )
      }
    }
  }

  private def begun(): Producers.Client = {
    val producer = client.getOrElse(throw new IllegalStateException("the transaction has ended"))
    if (!isBegun) {
      explained("begin a transaction")(producer.beginTransaction())
      isBegun = true
    }
    producer
  }

  /** Writes the marker and commits; or compares, if the batch was written before. Gives where the marker stands. */
  def commit(): Committed = {
    val content = digest.content
    committed match {
      case Some(marker) =>
        compare(marker.content, content)
        abort()
        Committed(id.partition, place.offset, content.rows, wasReplay = true)
      case None =>
        val offset = explained(s"commit batch $epoch") {
          val producer = begun()
          val sent: Future[RecordMetadata] = producer.send(
            new ProducerRecord(
              markers.name,
              Int.box(markerPartition),
              id.key.getBytes("UTF-8"),
              Marker(epoch, tasks, content).toBytes
            )
          )
          producer.commitTransaction()
          sent.get().offset()
        }
        client.foreach(Producers.giveBack(settings, id, run, epoch, _))
        client = None
        Committed(id.partition, offset, content.rows, wasReplay = false)
    }
  }

  private def compare(before: Content, now: Content): Unit =
    if (before.rows == now.rows && before.unordered == now.unordered) {
      if (before.ordered != now.ordered) {
        LOG.warn("Batch {} of {} came again with its rows in another order; what was committed stays", epoch, id.text)
      }
    } else {
      val message =
        s"REPLAY_DIFFERS: batch $epoch of ${id.text} was committed with ${before.rows} rows, and came again " +
          s"with ${now.rows}${if (before.rows == now.rows) " of other content" else ""}"
      if (keepCommitted) LOG.warn("{}; onReplayDiffers = keepCommitted: what was committed stays", message)
      else
        throw new FiresteelException(
          s"$message. The query or its input changed between the two runs, or it is not deterministic (a clock, random " +
            "numbers, rows spread by round robin). Restart it as it was; or set onReplayDiffers = keepCommitted to go on " +
            "with what is in Kafka"
        )
    }

  /** Gives everything up that is not committed. Idempotent; never throws. */
  def abort(): Unit = {
    client.foreach { producer =>
      try if (isBegun) producer.abortTransaction()
      catch {
        case NonFatal(e) => LOG.debug("The transaction of {} could not be aborted; its successor will", id.text, e)
      } finally {
        client = None
        Producers.close(producer)
      }
    }
  }

  private def explained[T](doing: String)(work: => T): T =
    KafkaFailure.explained(settings, s"$doing (${id.text})")(work)
}

object TransactionalTopic {
  private val LOG = LoggerFactory.getLogger(classOf[TransactionalTopic])

  /**
   * A writer's end of a batch.
   *
   * @param offset of its marker
   */
  final case class Committed(writer: String, offset: Long, rows: Long, wasReplay: Boolean)

  private[transaction] def epochPassed(id: TransactionId, epoch: Long, last: Long): FiresteelException =
    new FiresteelException(
      s"EPOCH_ALREADY_PASSED: batch $epoch of ${id.text} comes after batch $last was committed. Either a second query runs " +
        "on this checkpoint: stop one of them; or the checkpoint was set back: its records from here on are in Kafka " +
        "already, so start with a new checkpoint, at offsets after them"
    )

  private[transaction] def tasksChanged(id: TransactionId, epoch: Long, before: Int, now: Int): FiresteelException =
    new FiresteelException(
      s"TASKS_CHANGED: batch $epoch of ${id.text} was written in $before tasks, at least in part, and comes again in $now: " +
        "which rows are written already can't be told. Restart with what makes it as many tasks as before (the source's " +
        "minPartitions, spark.sql.shuffle.partitions, coalesce); the number may change with the next batch"
    )

  private def kafkaHeaders(bytes: Array[Byte]): java.lang.Iterable[Header] = {
    val headers = new java.util.ArrayList[Header]
    HeaderBytes.read(bytes).foreach { case (key, value) => headers.add(new RecordHeader(key, value)) }
    headers
  }
}
