package io.firesteel.spark.kafka.deadletter

import java.nio.charset.StandardCharsets.UTF_8

import io.firesteel.spark.kafka.sink.HeaderBytes
import io.firesteel.spark.kafka.{BatchReader, ReadMetrics}
import org.apache.spark.sql.connector.metric.CustomTaskMetric
import org.apache.spark.sql.connector.read.PartitionReader
import org.apache.spark.sql.types.{StructField, StructType}
import org.apache.spark.sql.vectorized.{ColumnVector, ColumnarBatch}

/**
 * A task's batches without their rejected rows, which go to a topic.
 *
 * They are there when the last batch was asked for, not before: a task that stops reading early, as for a LIMIT, has
 * promised nothing.
 */
private[kafka] final class SievedReader(batches: BatchReader, sieve: Sieve, letters: DeadLetters)
    extends PartitionReader[ColumnarBatch] {
  private var batch: ColumnarBatch = null
  private var rowsOut = 0L
  private var rejected = 0L
  private var isDone = false

  override def next(): Boolean = {
    batch = null
    while (batch == null && !isDone) {
      if (batches.next()) take(batches.get()) else finish()
    }
    batch != null
  }

  private def take(whole: ColumnarBatch): Unit = {
    val kept = sieve.sieved(whole) { letter =>
      rejected += 1
      letters.add(letter)
    }
    rowsOut += kept.numRows()
    if (kept.numRows() > 0) batch = kept
  }

  private def finish(): Unit = {
    isDone = true
    val read = batches.read.rowsOut
    if (read != rowsOut + rejected) {
      throw new IllegalStateException(
        s"ROWS_LOST: a task read $read records, gave on $rowsOut and rejected $rejected. This is a fault in Firesteel: " +
          "please report it with the schema or pipeline file"
      )
    }
    letters.finish()
  }

  override def get(): ColumnarBatch = batch

  override def currentMetricsValues(): Array[CustomTaskMetric] =
    ReadMetrics.values(batches.read.copy(rowsOut = rowsOut, deadLetters = rejected))

  override def close(): Unit =
    try letters.close()
    finally batches.close()
}

/**
 * Parts a batch, the last column of which is `_rejected`, null for good rows.
 *
 * Nearly every batch has good rows only: then its columns pass as they are.
 *
 * @param field of that column
 */
private[kafka] final class Sieve(field: StructField) {
  private val places = {
    val struct = field.dataType.asInstanceOf[StructType]
    Sieve.Headers.map(name => name -> struct.fieldIndex(name)).toMap + (Sieve.Raw -> struct.fieldIndex(Sieve.Raw))
  }
  private val selection = new Selection
  // The reader points the same vectors at one batch after the other.
  private var source: ColumnarBatch = null
  private var whole: ColumnarBatch = null
  private var selected: ColumnarBatch = null

  /** The good rows, valid as long as `batch`; the others go to `reject`. */
  def sieved(batch: ColumnarBatch)(reject: DeadLetter => Unit): ColumnarBatch = {
    if (source ne batch) bind(batch)
    val rows = batch.numRows()
    val rejected = batch.column(batch.numCols() - 1)
    if (rejected.numNulls() == rows) {
      whole.setNumRows(rows)
      whole
    } else {
      selection.clear(rows)
      var row = 0
      while (row < rows) {
        if (rejected.isNullAt(row)) selection.add(row) else reject(letter(rejected, row))
        row += 1
      }
      selected.setNumRows(selection.size)
      selected
    }
  }

  private def bind(batch: ColumnarBatch): Unit = {
    val columns = Array.tabulate(batch.numCols() - 1)(batch.column)
    source = batch
    whole = new ColumnarBatch(columns)
    selected = new ColumnarBatch(columns.map(new SelectedColumn(_, selection): ColumnVector))
  }

  private def letter(rejected: ColumnVector, row: Int): DeadLetter = {
    def child(name: String): ColumnVector = rejected.getChild(places(name))
    val (topic, partition, offset) = (child("topic"), child("partition"), child("offset"))
    val headers = new HeaderBytes
    Sieve.Headers.foreach { name =>
      val column = child(name)
      val text =
        if (column.isNullAt(row)) null
        else if (column eq partition) partition.getInt(row).toString.getBytes(UTF_8)
        else if (column eq offset) offset.getLong(row).toString.getBytes(UTF_8)
        else column.getUTF8String(row).getBytes
      headers.add(s"firesteel.$name".getBytes(UTF_8), text)
    }
    DeadLetter(
      topic.getUTF8String(row).toString,
      partition.getInt(row),
      offset.getLong(row),
      headers.bytes,
      child(Sieve.Raw).getBinary(row)
    )
  }
}

private object Sieve {

  /** Fields of `_rejected` that become headers, in this order. */
  private val Headers = Seq("topic", "partition", "offset", "stage", "code", "message")
  private val Raw = "raw"
}
