package io.firesteel.spark.kafka.deadletter

import org.apache.spark.sql.types.Decimal
import org.apache.spark.sql.vectorized.{ColumnVector, ColumnarArray, ColumnarMap}
import org.apache.spark.unsafe.types.UTF8String

/** Rows of a batch, in ascending order. */
private[deadletter] final class Selection {
  private var rows = Array.emptyIntArray
  private var count = 0

  def size: Int = count

  /** Empties it, and makes room for so many. */
  def clear(most: Int): Unit = {
    if (rows.length < most) rows = new Array[Int](most)
    count = 0
  }

  def add(row: Int): Unit = {
    rows(count) = row
    count += 1
  }

  /** The row at a place of the selection. */
  def apply(place: Int): Int = rows(place)
}

/** Some rows of a column; owns nothing of it. */
private[deadletter] final class SelectedColumn(of: ColumnVector, rows: Selection) extends ColumnVector(of.dataType) {
  private var children = Array.empty[ColumnVector]

  override def numNulls(): Int = (0 until rows.size).count(isNullAt)
  // What it promises is only that a column without nulls has none in these rows.
  override def hasNull: Boolean = of.hasNull
  override def isNullAt(row: Int): Boolean = of.isNullAt(rows(row))
  override def getBoolean(row: Int): Boolean = of.getBoolean(rows(row))
  override def getByte(row: Int): Byte = of.getByte(rows(row))
  override def getShort(row: Int): Short = of.getShort(rows(row))
  override def getInt(row: Int): Int = of.getInt(rows(row))
  override def getLong(row: Int): Long = of.getLong(rows(row))
  override def getFloat(row: Int): Float = of.getFloat(rows(row))
  override def getDouble(row: Int): Double = of.getDouble(rows(row))
  override def getArray(row: Int): ColumnarArray = of.getArray(rows(row))
  override def getMap(row: Int): ColumnarMap = of.getMap(rows(row))
  override def getUTF8String(row: Int): UTF8String = of.getUTF8String(rows(row))
  override def getBinary(row: Int): Array[Byte] = of.getBinary(rows(row))
  override def getDecimal(row: Int, precision: Int, scale: Int): Decimal = of.getDecimal(rows(row), precision, scale)

  /** A struct's field, over the same rows. Only structs are asked: arrays bring their own elements. */
  override def getChild(ordinal: Int): ColumnVector = {
    if (children.length <= ordinal) children = children.padTo(ordinal + 1, null)
    if (children(ordinal) == null) children(ordinal) = new SelectedColumn(of.getChild(ordinal), rows)
    children(ordinal)
  }

  override def close(): Unit = ()
}
