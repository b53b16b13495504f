package io.firesteel.spark.bridge;

import org.apache.spark.sql.catalyst.expressions.SpecializedGetters;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.unsafe.Platform;

/**
 * One input column as raw Arrow memory: a validity bitmap and whatever values the type has. Blocks are kept from
 * batch to batch and only grow.
 */
abstract class ColumnWriter {
  /** Rows that a fresh column has room for; a batch of one should not cost pages. */
  private static final int FIRST_ROWS = 64;

  protected final OffHeap memory;
  private long validity;
  private int capacity;
  private int nulls;

  ColumnWriter(OffHeap memory) {
    this.memory = memory;
  }

  /** Appends the value at {@code ordinal} as row {@code row}; rows come in order, without gaps. */
  final void append(SpecializedGetters source, int ordinal, int row) {
    if (source.isNullAt(ordinal)) {
      appendNull(row);
    } else {
      startValue(row);
      put(source, ordinal, row);
    }
  }

  /**
   * The same for a field of an UnsafeRow that is not null, without asking the row for it.
   *
   * @param base the row's memory
   * @param start where the row begins in it
   * @param field where the field's eight bytes are
   */
  final void appendUnsafe(Object base, long start, long field, int row) {
    startValue(row);
    putUnsafe(base, start, field, row);
  }

  /**
   * Appends {@code count} values of a column of Spark's, beginning with {@code from}, as the rows from {@code row} on.
   */
  final void appendColumn(ColumnVector source, int from, int count, int row) {
    if (nulls == 0 && !source.hasNull()) {
      while (row + count > capacity) {
        growRows();
      }
      putColumn(source, from, count, row);
      return;
    }
    for (int i = 0; i < count; i++) {
      if (source.isNullAt(from + i)) {
        appendNull(row + i);
      } else {
        startValue(row + i);
        putColumn(source, from + i, 1, row + i);
      }
    }
  }

  final void appendNull(int row) {
    if (row == capacity) {
      growRows();
    }
    if (nulls++ == 0) {
      // Until its first null a batch has no bitmap at all.
      setBitsBelow(validity, row);
    }
    clearBit(validity, row);
    putNull(row);
  }

  private void startValue(int row) {
    if (row == capacity) {
      growRows();
    }
    if (nulls > 0) {
      setBit(validity, row);
    }
  }

  private void growRows() {
    int rows = Math.max(FIRST_ROWS, capacity * 2);
    validity = memory.grow(validity, capacity / 8, rows / 8);
    growValues(capacity, rows);
    capacity = rows;
  }

  final long nulls() {
    return nulls;
  }

  /** Address of the bitmap, 0 where every value is there. */
  final long validity() {
    return nulls == 0 ? 0 : validity;
  }

  /** Forgets the rows, keeps the memory. */
  void reset() {
    nulls = 0;
  }

  private static void setBitsBelow(long bitmap, int row) {
    Platform.setMemory(bitmap, (byte) -1, row >> 3);
    if ((row & 7) != 0) {
      Platform.putByte(null, bitmap + (row >> 3), (byte) ((1 << (row & 7)) - 1));
    }
  }

  static void setBit(long bitmap, int row) {
    long address = bitmap + (row >> 3);
    // The first bit of a byte also clears what an earlier batch left in it.
    int before = (row & 7) == 0 ? 0 : Platform.getByte(null, address);
    Platform.putByte(null, address, (byte) (before | (1 << (row & 7))));
  }

  static void clearBit(long bitmap, int row) {
    long address = bitmap + (row >> 3);
    int before = (row & 7) == 0 ? 0 : Platform.getByte(null, address);
    Platform.putByte(null, address, (byte) (before & ~(1 << (row & 7))));
  }

  /** Makes room for a first row, so that there are blocks to point at. */
  final void makeRoom() {
    if (capacity == 0) {
      growRows();
    }
  }

  /** The writer of the elements, of a column of arrays; else null. */
  ColumnWriter elements() {
    return null;
  }

  /** Elements so far, all rows together. */
  int elementRows() {
    return 0;
  }

  /** Whether values take as much as they like. */
  boolean isVarying() {
    return false;
  }

  /** Bytes in such values so far; what makes a batch large. */
  long varyingBytes() {
    return 0;
  }

  /** Buffers beside the bitmap: 1, or 2 for types of varying length. */
  abstract int valueBuffers();

  /** Address of value buffer {@code i}. */
  abstract long valueBuffer(int i);

  abstract void put(SpecializedGetters source, int ordinal, int row);

  abstract void putUnsafe(Object base, long start, long field, int row);

  /** Puts values that are all there. */
  abstract void putColumn(ColumnVector source, int from, int count, int row);

  abstract void putNull(int row);

  /** Makes room for {@code newRows}, keeping the first {@code oldRows}. */
  abstract void growValues(int oldRows, int newRows);
}
