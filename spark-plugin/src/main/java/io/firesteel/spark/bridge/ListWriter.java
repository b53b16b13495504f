package io.firesteel.spark.bridge;

import org.apache.spark.sql.catalyst.expressions.SpecializedGetters;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.unsafe.Platform;

/** Writer of arrays: 32-bit offsets, and the elements of all arrays one behind the other in a column of their own. */
final class ListWriter extends ColumnWriter {
  private final ColumnWriter elements;
  /** Points at one array after the other. */
  private final UnsafeArrayData unsafe = new UnsafeArrayData();
  private long offsets;
  private int end;

  ListWriter(OffHeap memory, ColumnWriter elements) {
    super(memory);
    this.elements = elements;
  }

  @Override
  int valueBuffers() {
    return 1;
  }

  @Override
  long valueBuffer(int i) {
    return offsets;
  }

  @Override
  ColumnWriter elements() {
    return elements;
  }

  @Override
  int elementRows() {
    return end;
  }

  @Override
  void put(SpecializedGetters source, int ordinal, int row) {
    copy(source.getArray(ordinal), row);
  }

  @Override
  void putUnsafe(Object base, long start, long field, int row) {
    long place = Platform.getLong(base, field);
    unsafe.pointTo(base, start + (place >>> 32), (int) place);
    copy(unsafe, row);
  }

  @Override
  void putColumn(ColumnVector source, int from, int count, int row) {
    for (int i = 0; i < count; i++) {
      copy(source.getArray(from + i), row + i);
    }
  }

  private void copy(ArrayData array, int row) {
    int length = array.numElements();
    if ((long) end + length > Integer.MAX_VALUE) {
      throw new FiresteelException(
          "BATCH_TOO_LARGE: the arrays of one batch would hold more than 2^31 elements. Lower spark.firesteel.batchSize");
    }
    for (int i = 0; i < length; i++) {
      elements.append(array, i, end + i);
    }
    end += length;
    endRow(row);
  }

  private void endRow(int row) {
    Platform.putInt(null, offsets + 4L * (row + 1), end);
  }

  @Override
  void putNull(int row) {
    endRow(row);
  }

  @Override
  void growValues(int oldRows, int newRows) {
    offsets = memory.grow(offsets, 4L * (oldRows + 1), 4L * (newRows + 1));
    if (oldRows == 0) {
      Platform.putInt(null, offsets, 0);
      // Empty arrays still point at a column of elements.
      elements.makeRoom();
    }
  }

  @Override
  void reset() {
    super.reset();
    end = 0;
    elements.reset();
  }

  @Override
  boolean isVarying() {
    return true;
  }

  @Override
  long varyingBytes() {
    return 8L * end + elements.varyingBytes();
  }
}
