package io.firesteel.spark.exec

import org.apache.spark.sql.catalyst.expressions.UnsafeRow
import org.apache.spark.unsafe.Platform

/** Copies of a batch's rows, end to end in one block that is kept from batch to batch. */
private[exec] final class RowArena(fields: Int) {
  private var block = new Array[Byte](RowArena.FirstBytes)
  private var ends = new Array[Int](RowArena.FirstRows)
  private var count = 0
  private val view = new UnsafeRow(fields)

  def append(row: UnsafeRow): Unit = {
    val start = end(count)
    val until = Math.addExact(start, row.getSizeInBytes)
    if (until > block.length) {
      block =
        java.util.Arrays.copyOf(block, math.max(until, math.min(block.length.toLong * 2, RowArena.MaxBytes).toInt))
    }
    if (count == ends.length) {
      ends = java.util.Arrays.copyOf(ends, count * 2)
    }
    row.writeToMemory(block, Platform.BYTE_ARRAY_OFFSET.toLong + start)
    ends(count) = until
    count += 1
  }

  private def end(row: Int): Int = if (row == 0) 0 else ends(row - 1)

  /** Row `i`; the same object each time. */
  def row(i: Int): UnsafeRow = {
    val start = end(i)
    view.pointTo(block, Platform.BYTE_ARRAY_OFFSET.toLong + start, ends(i) - start)
    view
  }

  def clear(): Unit = count = 0
}

private[exec] object RowArena {
  private val FirstRows = 64
  private val FirstBytes = 4096
  private val MaxBytes = (Int.MaxValue - 16).toLong
}
