package io.firesteel.spark.bridge;

import java.math.BigInteger;
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.unsafe.Platform;

/** Writers of the types whose values all have one width. */
final class FixedWriters {
  private FixedWriters() {}

  private abstract static class Fixed extends ColumnWriter {
    private final int width;
    protected long values;

    Fixed(OffHeap memory, int width) {
      super(memory);
      this.width = width;
    }

    @Override
    final int valueBuffers() {
      return 1;
    }

    @Override
    final long valueBuffer(int i) {
      return values;
    }

    @Override
    void putNull(int row) {
      Platform.setMemory(values + (long) row * width, (byte) 0, width);
    }

    @Override
    void growValues(int oldRows, int newRows) {
      values = memory.grow(values, (long) oldRows * width, (long) newRows * width);
    }
  }

  static final class OfBoolean extends ColumnWriter {
    private long bits;

    OfBoolean(OffHeap memory) {
      super(memory);
    }

    @Override
    int valueBuffers() {
      return 1;
    }

    @Override
    long valueBuffer(int i) {
      return bits;
    }

    @Override
    void put(SpecializedGetters source, int ordinal, int row) {
      if (source.getBoolean(ordinal)) {
        setBit(bits, row);
      } else {
        clearBit(bits, row);
      }
    }

    @Override
    void putUnsafe(Object base, long start, long field, int row) {
      if (Platform.getBoolean(base, field)) {
        setBit(bits, row);
      } else {
        clearBit(bits, row);
      }
    }

    @Override
    void putColumn(ColumnVector source, int from, int count, int row) {
      for (int i = 0; i < count; i++) {
        if (source.getBoolean(from + i)) {
          setBit(bits, row + i);
        } else {
          clearBit(bits, row + i);
        }
      }
    }

    @Override
    void putNull(int row) {
      clearBit(bits, row);
    }

    @Override
    void growValues(int oldRows, int newRows) {
      bits = memory.grow(bits, oldRows / 8, newRows / 8);
    }
  }

  static final class OfByte extends Fixed {
    OfByte(OffHeap memory) {
      super(memory, 1);
    }

    @Override
    void put(SpecializedGetters source, int ordinal, int row) {
      Platform.putByte(null, values + row, source.getByte(ordinal));
    }

    @Override
    void putUnsafe(Object base, long start, long field, int row) {
      Platform.putByte(null, values + row, Platform.getByte(base, field));
    }

    @Override
    void putColumn(ColumnVector source, int from, int count, int row) {
      for (int i = 0; i < count; i++) {
        Platform.putByte(null, values + row + i, source.getByte(from + i));
      }
    }
  }

  static final class OfShort extends Fixed {
    OfShort(OffHeap memory) {
      super(memory, 2);
    }

    @Override
    void put(SpecializedGetters source, int ordinal, int row) {
      Platform.putShort(null, values + 2L * row, source.getShort(ordinal));
    }

    @Override
    void putUnsafe(Object base, long start, long field, int row) {
      Platform.putShort(null, values + 2L * row, Platform.getShort(base, field));
    }

    @Override
    void putColumn(ColumnVector source, int from, int count, int row) {
      for (int i = 0; i < count; i++) {
        Platform.putShort(null, values + 2L * (row + i), source.getShort(from + i));
      }
    }
  }

  /** Also dates: days since 1970. */
  static final class OfInt extends Fixed {
    OfInt(OffHeap memory) {
      super(memory, 4);
    }

    @Override
    void put(SpecializedGetters source, int ordinal, int row) {
      Platform.putInt(null, values + 4L * row, source.getInt(ordinal));
    }

    @Override
    void putUnsafe(Object base, long start, long field, int row) {
      Platform.putInt(null, values + 4L * row, Platform.getInt(base, field));
    }

    @Override
    void putColumn(ColumnVector source, int from, int count, int row) {
      for (int i = 0; i < count; i++) {
        Platform.putInt(null, values + 4L * (row + i), source.getInt(from + i));
      }
    }
  }

  /** Also timestamps with and without zone: microseconds since 1970. */
  static final class OfLong extends Fixed {
    OfLong(OffHeap memory) {
      super(memory, 8);
    }

    @Override
    void put(SpecializedGetters source, int ordinal, int row) {
      Platform.putLong(null, values + 8L * row, source.getLong(ordinal));
    }

    @Override
    void putUnsafe(Object base, long start, long field, int row) {
      Platform.putLong(null, values + 8L * row, Platform.getLong(base, field));
    }

    @Override
    void putColumn(ColumnVector source, int from, int count, int row) {
      for (int i = 0; i < count; i++) {
        Platform.putLong(null, values + 8L * (row + i), source.getLong(from + i));
      }
    }
  }

  static final class OfFloat extends Fixed {
    OfFloat(OffHeap memory) {
      super(memory, 4);
    }

    @Override
    void put(SpecializedGetters source, int ordinal, int row) {
      Platform.putFloat(null, values + 4L * row, source.getFloat(ordinal));
    }

    @Override
    void putUnsafe(Object base, long start, long field, int row) {
      Platform.putFloat(null, values + 4L * row, Platform.getFloat(base, field));
    }

    @Override
    void putColumn(ColumnVector source, int from, int count, int row) {
      for (int i = 0; i < count; i++) {
        Platform.putFloat(null, values + 4L * (row + i), source.getFloat(from + i));
      }
    }
  }

  static final class OfDouble extends Fixed {
    OfDouble(OffHeap memory) {
      super(memory, 8);
    }

    @Override
    void put(SpecializedGetters source, int ordinal, int row) {
      Platform.putDouble(null, values + 8L * row, source.getDouble(ordinal));
    }

    @Override
    void putUnsafe(Object base, long start, long field, int row) {
      Platform.putDouble(null, values + 8L * row, Platform.getDouble(base, field));
    }

    @Override
    void putColumn(ColumnVector source, int from, int count, int row) {
      for (int i = 0; i < count; i++) {
        Platform.putDouble(null, values + 8L * (row + i), source.getDouble(from + i));
      }
    }
  }

  /** Decimal128: the unscaled value in two's complement, low half first. */
  static final class OfDecimal extends Fixed {
    private final int precision;
    private final int scale;
    private final boolean isLong;

    OfDecimal(OffHeap memory, int precision, int scale) {
      super(memory, 16);
      this.precision = precision;
      this.scale = scale;
      this.isLong = precision <= Decimal.MAX_LONG_DIGITS();
    }

    @Override
    void put(SpecializedGetters source, int ordinal, int row) {
      putDecimal(source.getDecimal(ordinal, precision, scale), row);
    }

    private void putDecimal(Decimal decimal, int row) {
      if (isLong) {
        putLong(decimal.toUnscaledLong(), row);
      } else {
        putBig(decimal.toJavaBigDecimal().unscaledValue(), row);
      }
    }

    @Override
    void putColumn(ColumnVector source, int from, int count, int row) {
      for (int i = 0; i < count; i++) {
        putDecimal(source.getDecimal(from + i, precision, scale), row + i);
      }
    }

    @Override
    void putUnsafe(Object base, long start, long field, int row) {
      if (isLong) {
        putLong(Platform.getLong(base, field), row);
      } else {
        long place = Platform.getLong(base, field);
        byte[] unscaled = new byte[(int) place];
        Platform.copyMemory(base, start + (place >>> 32), unscaled, Platform.BYTE_ARRAY_OFFSET, unscaled.length);
        putBig(new BigInteger(unscaled), row);
      }
    }

    private void putLong(long unscaled, int row) {
      Platform.putLong(null, values + 16L * row, unscaled);
      Platform.putLong(null, values + 16L * row + 8, unscaled >> 63);
    }

    private void putBig(BigInteger unscaled, int row) {
      Platform.putLong(null, values + 16L * row, unscaled.longValue());
      Platform.putLong(null, values + 16L * row + 8, unscaled.shiftRight(64).longValue());
    }
  }
}
