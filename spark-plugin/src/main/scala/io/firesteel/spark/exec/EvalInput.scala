package io.firesteel.spark.exec

import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.vectorized.ColumnarBatch

/** What a [[BatchEvaluator]] takes its batches from. */
private[exec] sealed trait EvalInput {
  def hasNext: Boolean
}

/** Rows, one by one. */
private[exec] final class RowInput(val rows: Iterator[InternalRow]) extends EvalInput {
  override def hasNext: Boolean = rows.hasNext
}

/** Columns, as a vectorized reader has them: values go from array to array, and nobody makes rows of them. */
private[exec] final class ColumnInput(batches: Iterator[ColumnarBatch]) extends EvalInput {
  private var batch: ColumnarBatch = null
  private var position = 0

  override def hasNext: Boolean = {
    while ((batch == null || position == batch.numRows()) && batches.hasNext) {
      batch = batches.next()
      position = 0
    }
    batch != null && position < batch.numRows()
  }

  /** Hands over up to `most` of the next rows, as a batch, the first row and their number. After [[hasNext]]. */
  def take(most: Int)(use: (ColumnarBatch, Int, Int) => Unit): Int = {
    val count = math.min(most, batch.numRows() - position)
    use(batch, position, count)
    position += count
    count
  }
}
