package io.firesteel.spark.kafka.sink

import io.firesteel.spark.bridge.NativeRunner
import io.firesteel.spark.exec.{TaskBudget, TaskRunners}
import io.firesteel.spark.kafka.transaction._
import org.apache.spark.TaskContext
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.connector.metric.CustomTaskMetric
import org.apache.spark.sql.connector.write.streaming.{StreamingDataWriterFactory, StreamingWrite}
import org.apache.spark.sql.connector.write.{DataWriter, PhysicalWriteInfo, WriterCommitMessage}
import org.apache.spark.sql.types.{BinaryType, StructField, StructType}

import scala.collection.mutable

/** Where the marker of a task stands; the driver keeps it for the next batch. */
private[sink] final case class TaskCommitted(committed: TransactionalTopic.Committed) extends WriterCommitMessage

/**
 * The exactly-once sink on the driver. Spark's own commit coordinator is not asked: of two attempts of a task the one
 * that opened its transaction last shuts the other out, and an attempt that comes after a commit only compares.
 */
private[sink] final class ExactlyOnceStream(
    columns: RecordColumns,
    options: SinkOptions,
    exactly: ExactlyOnceOptions,
    query: String)
    extends StreamingWrite {
  private val settings = TransactionSettings(options.kafka, exactly.markerTopic, exactly.transactionalIdPrefix)
  private lazy val run = TopicCheck.currentRun.getOrElse(query)
  private def plans = BatchPlans.of(run, settings, query, ExactlyOnceStream.Sink)

  override def createStreamingWriterFactory(info: PhysicalWriteInfo): StreamingDataWriterFactory = {
    val tasks = info.numPartitions()
    val (markerPartitions, offsets) = plans.prepare(TopicCheck.currentEpoch, tasks, options.topic)
    new ExactlyOnceFactory(columns, settings, exactly.keepCommitted, query, run, tasks, markerPartitions, offsets)
  }

  override def useCommitCoordinator(): Boolean = false

  override def commit(epoch: Long, messages: Array[WriterCommitMessage]): Unit =
    plans.committed(messages.toSeq.collect { case TaskCommitted(committed) => committed })

  override def abort(epoch: Long, messages: Array[WriterCommitMessage]): Unit =
    BatchPlans.forget(run, settings, query, ExactlyOnceStream.Sink)
}

private[sink] object ExactlyOnceStream {

  /** A query has one sink; other writers of its tasks have names of their own. */
  val Sink = "sink"
}

private[sink] final class ExactlyOnceFactory(
    columns: RecordColumns,
    settings: TransactionSettings,
    keepCommitted: Boolean,
    query: String,
    run: String,
    tasks: Int,
    markerPartitions: Int,
    offsets: Array[Long])
    extends StreamingDataWriterFactory {
  override def createWriter(partition: Int, taskId: Long, epoch: Long): DataWriter[InternalRow] = {
    val id = TransactionId.ofTask(settings, query, ExactlyOnceStream.Sink, partition)
    val topic =
      new TransactionalTopic(settings, id, run, epoch, tasks, markerPartitions, offsets(partition), keepCommitted)
    new ExactlyOnceWriter(columns.withIdStart(s"$query/$epoch/$partition/"), topic)
  }
}

/** One task's rows as records of one transaction. */
private[sink] final class ExactlyOnceWriter(columns: RecordColumns, topic: TransactionalTopic)
    extends DataWriter[InternalRow] {
  private val project = columns.projection
  private val encoder = if (columns.indexOf("value").isDefined) None else Some(new ValueEncoder(columns))
  private val fields = new RecordFields(columns)
  private var rows = 0L
  private var bytes = 0L
  private var isDone = false
  Option(TaskContext.get()).foreach(_.addTaskCompletionListener[Unit](_ => close()))

  override def write(row: InternalRow): Unit = {
    val parts = project(row)
    encoder match {
      case None => send(fields.record(parts, fields.value(parts)))
      case Some(encoder) => encoder.append(parts, fields.record(parts, null))(send)
    }
  }

  private def send(record: OutgoingRecord): Unit = {
    rows += 1
    bytes += (if (record.key == null) 0 else record.key.length) + (if (record.value == null) 0 else record.value.length)
    topic.send(record)
  }

  override def commit(): WriterCommitMessage = {
    encoder.foreach(_.flush(send))
    val committed = TaskCommitted(topic.commit())
    close()
    committed
  }

  override def abort(): Unit = close()

  override def close(): Unit =
    if (!isDone) {
      isDone = true
      topic.abort()
      encoder.foreach(_.close())
    }

  override def currentMetricsValues(): Array[CustomTaskMetric] = SinkMetrics.values(rows, bytes)
}

/** A record's fields out of a row of parts. */
private[sink] final class RecordFields(columns: RecordColumns) {
  import io.firesteel.spark.bridge.FiresteelException
  import org.apache.spark.sql.types.{BinaryType, DataType}

  private val topic = columns.indexOf("topic")
  private val partition = columns.indexOf("partition")
  private val key = columns.indexOf("key")
  private val headers = columns.indexOf("headers")
  private val valueIndex = columns.indexOf("value")

  def record(row: InternalRow, value: Array[Byte]): OutgoingRecord = OutgoingRecord(
    columns.topic.orElse(topic.filterNot(row.isNullAt).map(row.getUTF8String(_).toString)).getOrElse {
      throw new FiresteelException(
        "NULL_TOPIC: a row has no topic: column topic is null there, and the option topic is not set"
      )
    },
    partition.filterNot(row.isNullAt).map(row.getInt),
    key.fold(null: Array[Byte])(bytes(row, _)),
    headers.fold(null: Array[Byte])(bytes(row, _)),
    value
  )

  def value(row: InternalRow): Array[Byte] = valueIndex.fold(null: Array[Byte])(bytes(row, _))

  private def bytes(row: InternalRow, i: Int): Array[Byte] =
    if (row.isNullAt(i)) null
    else if (columns.parts(i).crossingType == (BinaryType: DataType)) row.getBinary(i)
    else row.getUTF8String(i).getBytes
}

/** The JSON of rows, made natively batch by batch; the rest of each record waits for its value. */
private[sink] final class ValueEncoder(columns: RecordColumns) {
  private val task = TaskContext.get()
  private val runner = NativeRunner.json(
    columns.layout,
    columns.input,
    columns.parts.indices.toArray,
    StructType(Seq(StructField("value", BinaryType))),
    TaskBudget.of(task)
  )
  if (task != null) TaskRunners.closeWith(task, runner)
  private val waiting = mutable.ArrayBuffer.empty[OutgoingRecord]

  def append(row: InternalRow, record: OutgoingRecord)(send: OutgoingRecord => Unit): Unit = {
    runner.append(row)
    waiting += record
    if (NativeWriter.isFull(waiting.length, runner.varyingBytes())) flush(send)
  }

  def flush(send: OutgoingRecord => Unit): Unit = if (waiting.nonEmpty) {
    val values = runner.run().getChild(0)
    var i = 0
    while (i < waiting.length) {
      send(waiting(i).copy(value = values.getBinary(i)))
      i += 1
    }
    waiting.clear()
    runner.clear()
  }

  def close(): Unit = runner.close()
}
