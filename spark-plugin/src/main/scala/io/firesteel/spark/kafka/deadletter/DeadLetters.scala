package io.firesteel.spark.kafka.deadletter

import java.util.concurrent.{ConcurrentHashMap, Semaphore, TimeUnit}

import io.firesteel.spark.bridge.{FiresteelException, NativeProducer}
import io.firesteel.spark.exec.{TaskBudget, TaskRunners}
import io.firesteel.spark.kafka.sink.{NativeWriter, RecordColumns, RecordPart}
import io.firesteel.spark.kafka.transaction._
import io.firesteel.spark.kafka.KafkaOptions
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.BoundReference
import org.apache.spark.sql.types.BinaryType
import org.apache.spark.TaskContext

import scala.collection.mutable

/** A rejected record: where it came from, why it was rejected (headers in the form of `HeaderBytes`), its bytes. */
private[kafka] final case class DeadLetter(
    topic: String,
    partition: Int,
    offset: Long,
    headers: Array[Byte],
    value: Array[Byte]) {
  def bytes: Long = headers.length.toLong + (if (value == null) 0 else value.length)
}

/** Takes the rejected records of one task. Used by its thread. */
private[kafka] trait DeadLetters {
  def add(letter: DeadLetter): Unit

  /** All was read: the letters are in Kafka when this comes back. Without it, they need not be. */
  def finish(): Unit

  /** Gives up what is not finished. Idempotent. */
  def close(): Unit
}

private[kafka] object DeadLetters {

  /** In a micro-batch (`turn`) once each, in a batch read at least once. */
  def of(options: DeadLetterOptions, kafka: KafkaOptions, turn: Option[Turn]): DeadLetters =
    turn.fold[DeadLetters](new AtLeastOnce(options, kafka)) { turn =>
      new OnceEach(options, options.transactions(kafka), turn)
    }
}

/**
 * One transaction for the letters of a task, begun when all are read or memory asks for it; none where no row is
 * rejected.
 *
 * A batch may be read again, after a restart or by another action of `foreachBatch`: the marker in the transaction
 * makes every later read compare its letters, and write none.
 */
private final class OnceEach(options: DeadLetterOptions, settings: TransactionSettings, turn: Turn)
    extends DeadLetters {
  import OnceEach._

  private val id = turn.id(settings)
  private val held = mutable.ArrayBuffer.empty[DeadLetter]
  private var bytes = 0L
  private var transaction: Option[TransactionalTopic] = None
  private var hasLease = false

  override def add(letter: DeadLetter): Unit = transaction match {
    case Some(open) => open.send(record(letter))
    case None =>
      held += letter
      bytes += letter.bytes
      if (held.length >= MaxHeld || bytes >= MaxHeldBytes) begin()
  }

  override def finish(): Unit = {
    if (transaction.isEmpty && held.nonEmpty) {
      // Partitions come interleaved, and in another way each time.
      held.sortInPlaceBy(letter => (letter.topic, letter.partition, letter.offset))
      lease()
      if (!isWritten) begin()
    }
    transaction.foreach { open =>
      val end = open.commit()
      transaction = None
      written(id, Written(turn.run, turn.epoch, end.offset, if (held.isEmpty) None else Some(content)))
    }
    close()
  }

  /** This process has committed the very same letters in this batch: nothing need be asked of Kafka. */
  private def isWritten: Boolean =
    last.exists(before => before.epoch == turn.epoch && before.content.contains(content))

  private def content: Content = {
    val digest = new ContentDigest
    held.foreach(letter => digest.add(record(letter)))
    digest.content
  }

  /** What this writer has committed last in this process and run. */
  private def last: Option[Written] = Option(done.get(id)).filter(_.run == turn.run)

  private def begin(): Unit = {
    lease()
    val from = last.fold(turn.markerFrom)(before => math.max(before.offset, turn.markerFrom))
    val open = new TransactionalTopic(
      settings,
      id,
      turn.run,
      turn.epoch,
      turn.tasks,
      turn.markerPartitions,
      from,
      options.keepCommitted
    )
    transaction = Some(open)
    held.foreach(letter => open.send(record(letter)))
    // More may come: then these are not all of them, and nothing is known of the whole.
    if (held.length >= MaxHeld || bytes >= MaxHeldBytes) held.clear()
  }

  /** Two readers of one group in this process, as of a self-union, take turns: else they would shut each other out. */
  private def lease(): Unit = if (!hasLease) {
    val waited = settings.transactionTimeoutMs
    if (!leaseOf(id).tryAcquire(waited, TimeUnit.MILLISECONDS)) {
      throw new FiresteelException(
        s"FENCED: another reader of ${id.text} holds its transaction for more than $waited ms. If the query joins the " +
          "source with itself in a single task, persist the rows first"
      )
    }
    hasLease = true
  }

  private def record(letter: DeadLetter): OutgoingRecord =
    OutgoingRecord(options.topic, None, null, letter.headers, letter.value)

  override def close(): Unit = {
    try transaction.foreach(_.abort())
    finally {
      transaction = None
      held.clear()
      // A lease that is kept holds up every later reader in this process.
      if (hasLease) {
        hasLease = false
        leaseOf(id).release()
      }
    }
  }
}

private object OnceEach {

  /** What may wait in memory for the end of the task. */
  private val MaxHeld = 20000
  private val MaxHeldBytes = 8L << 20
  private val MaxKnown = 10000

  /**
   * A writer's last commit in this process.
   *
   * @param offset of its marker
   * @param content if it was short enough to be held
   */
  private final case class Written(run: String, epoch: Long, offset: Long, content: Option[Content])

  private val done = new ConcurrentHashMap[TransactionId, Written]()
  private val leases = new ConcurrentHashMap[TransactionId, Semaphore]()

  private def written(id: TransactionId, commit: Written): Unit = {
    if (done.size > MaxKnown) done.clear()
    val _ = done.put(id, commit)
  }

  private def leaseOf(id: TransactionId): Semaphore = leases.computeIfAbsent(id, _ => new Semaphore(1))
}

/** The native idempotent producer: a task that is repeated writes its letters again. */
private final class AtLeastOnce(options: DeadLetterOptions, kafka: KafkaOptions) extends DeadLetters {
  import AtLeastOnce._

  private val task = TaskContext.get()
  private var opened: Option[NativeProducer] = None

  override def add(letter: DeadLetter): Unit = {
    val producer = opened.getOrElse(open())
    producer.append(InternalRow(letter.headers, letter.value))
    if (NativeWriter.isFull(producer.rows(), producer.varyingBytes())) TaskRunners.stoppable(task)(producer.send())
  }

  private def open(): NativeProducer = {
    val columns = RecordColumns(parts, Some(options.topic), skipNulls = false)
    val producer =
      new NativeProducer(
        options.client(kafka),
        columns.layout,
        columns.input,
        parts.indices.toArray,
        TaskBudget.of(task)
      )
    if (task != null) TaskRunners.closeWith(task, producer)
    opened = Some(producer)
    producer
  }

  override def finish(): Unit = {
    opened.foreach { producer =>
      val _ = TaskRunners.stoppable(task)(producer.flush())
    }
    close()
  }

  override def close(): Unit = {
    opened.foreach(_.close())
    opened = None
  }
}

private object AtLeastOnce {
  private val parts = Seq("headers", "value").zipWithIndex.map { case (role, i) =>
    RecordPart(role, "", BoundReference(i, BinaryType, nullable = true), finished = false)
  }
}
