package io.firesteel.spark.bridge;

import org.apache.spark.sql.catalyst.expressions.SpecializedGetters;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.unsafe.types.UTF8String;

/** Writer of strings and binary: 32-bit offsets and one block of bytes. */
final class VaryingWriter extends ColumnWriter {
  private static final int FIRST_BYTES = 1024;

  private final boolean text;
  private long offsets;
  private long bytes;
  private long byteCapacity;
  private int end;

  VaryingWriter(OffHeap memory, boolean text) {
    super(memory);
    this.text = text;
  }

  @Override
  int valueBuffers() {
    return 2;
  }

  @Override
  long valueBuffer(int i) {
    return i == 0 ? offsets : bytes;
  }

  @Override
  void put(SpecializedGetters source, int ordinal, int row) {
    if (text) {
      UTF8String value = source.getUTF8String(ordinal);
      copy(value.getBaseObject(), value.getBaseOffset(), value.numBytes());
    } else {
      byte[] value = source.getBinary(ordinal);
      copy(value, Platform.BYTE_ARRAY_OFFSET, value.length);
    }
    Platform.putInt(null, offsets + 4L * (row + 1), end);
  }

  @Override
  void putColumn(ColumnVector source, int from, int count, int row) {
    for (int i = 0; i < count; i++) {
      if (text) {
        UTF8String value = source.getUTF8String(from + i);
        copy(value.getBaseObject(), value.getBaseOffset(), value.numBytes());
      } else {
        byte[] value = source.getBinary(from + i);
        copy(value, Platform.BYTE_ARRAY_OFFSET, value.length);
      }
      Platform.putInt(null, offsets + 4L * (row + i + 1), end);
    }
  }

  @Override
  void putUnsafe(Object base, long start, long field, int row) {
    long place = Platform.getLong(base, field);
    copy(base, start + (place >>> 32), (int) place);
    Platform.putInt(null, offsets + 4L * (row + 1), end);
  }

  private void copy(Object base, long offset, int length) {
    long wanted = (long) end + length;
    if (wanted > byteCapacity) {
      if (wanted > Integer.MAX_VALUE) {
        throw new FiresteelException(
            "BATCH_TOO_LARGE: a column of one batch would hold more than 2 GiB. Lower spark.firesteel.batchSize");
      }
      long grown = Math.max(wanted, Math.max(FIRST_BYTES, byteCapacity * 2));
      bytes = memory.grow(bytes, end, grown);
      byteCapacity = grown;
    }
    Platform.copyMemory(base, offset, null, bytes + end, length);
    end = (int) wanted;
  }

  @Override
  void putNull(int row) {
    Platform.putInt(null, offsets + 4L * (row + 1), end);
  }

  @Override
  void growValues(int oldRows, int newRows) {
    offsets = memory.grow(offsets, 4L * (oldRows + 1), 4L * (newRows + 1));
    if (oldRows == 0) {
      Platform.putInt(null, offsets, 0);
    }
    if (byteCapacity == 0) {
      // A column of nulls or empty strings still has a block to point at.
      bytes = memory.allocate(FIRST_BYTES);
      byteCapacity = FIRST_BYTES;
    }
  }

  @Override
  void reset() {
    super.reset();
    end = 0;
  }

  @Override
  boolean isVarying() {
    return true;
  }

  @Override
  long varyingBytes() {
    return end;
  }
}
