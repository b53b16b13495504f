package io.firesteel.spark.kafka.sink

import io.firesteel.spark.bridge.NativeProducer
import io.firesteel.spark.exec.{TaskBudget, TaskRunners}
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.connector.metric.CustomTaskMetric
import org.apache.spark.sql.connector.write._
import org.apache.spark.sql.connector.write.streaming.StreamingDataWriterFactory
import org.apache.spark.TaskContext

/** What a task has written. */
private[kafka] final case class Written(rows: Long, bytes: Long) extends WriterCommitMessage

/** Makes the writers of the at-least-once sink, on the executors. */
private[sink] final class NativeWriterFactory(columns: RecordColumns, options: SinkOptions, queryId: String)
    extends DataWriterFactory
    with StreamingDataWriterFactory {
  override def createWriter(partition: Int, taskId: Long): DataWriter[InternalRow] =
    new NativeWriter(columns, options)

  override def createWriter(partition: Int, taskId: Long, epoch: Long): DataWriter[InternalRow] =
    new NativeWriter(columns.withIdStart(s"$queryId/$epoch/$partition/"), options)
}

/**
 * One task's rows into the process's native producer. They are on their way before the task commits, and the commit
 * waits for the last acknowledgement: at least once.
 */
private[sink] final class NativeWriter(columns: RecordColumns, options: SinkOptions) extends DataWriter[InternalRow] {
  private val task = TaskContext.get()
  private val projection = if (columns.ordinals.isDefined) None else Some(columns.projection)
  private val producer = new NativeProducer(
    options.client,
    columns.layout,
    columns.input,
    columns.ordinals.getOrElse(columns.parts.indices.toArray),
    TaskBudget.of(task)
  )
  if (task != null) TaskRunners.closeWith(task, producer)
  private var rows = 0L
  private var bytes = 0L

  override def write(row: InternalRow): Unit = {
    producer.append(projection.fold(row)(_(row)))
    rows += 1
    if (NativeWriter.isFull(producer.rows(), producer.varyingBytes())) {
      TaskRunners.stoppable(task)(producer.send())
    }
  }

  override def commit(): WriterCommitMessage = {
    val written = TaskRunners.stoppable(task)(producer.flush())
    bytes = written(1)
    producer.close()
    Written(written(0), written(1))
  }

  override def abort(): Unit = producer.close()

  override def close(): Unit = producer.close()

  override def currentMetricsValues(): Array[CustomTaskMetric] = SinkMetrics.values(rows, bytes)
}

private[kafka] object NativeWriter {

  /** A batch that crosses: large enough that the crossing costs nothing, small enough to stay in the cache. */
  private val MaxRows = 8192
  private val MaxBytes = 2L << 20

  /** Whether the rows that were appended should cross now. */
  def isFull(rows: Int, bytes: Long): Boolean = rows >= MaxRows || bytes >= MaxBytes
}
