package io.firesteel.spark.bridge;

import java.math.BigInteger;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.sql.vectorized.ColumnarArray;
import org.apache.spark.sql.vectorized.ColumnarMap;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * A Spark column over an ArrowArray that native code filled: reads its memory, owns none of it.
 *
 * <p>Made once for a runner and pointed at each batch in turn ({@link #bind}); values read from it are valid until the
 * next batch. Types are those of the engine's output: no dictionary, no views, no 64-bit offsets.
 */
final class NativeColumn extends ColumnVector {
  private final NativeColumn[] children;
  private final boolean varying;
  private long validity;
  private long values;
  private long bytes;
  private int offset;
  private int nulls;

  NativeColumn(DataType type) {
    super(type);
    varying = type instanceof StringType || type instanceof BinaryType;
    if (type instanceof StructType struct) {
      children = new NativeColumn[struct.length()];
      for (int i = 0; i < children.length; i++) {
        children[i] = new NativeColumn(struct.fields()[i].dataType());
      }
    } else if (type instanceof ArrayType list) {
      children = new NativeColumn[] {new NativeColumn(list.elementType())};
    } else {
      children = new NativeColumn[0];
    }
  }

  /** Points this column and its children at an ArrowArray. */
  void bind(long array) {
    bind(array, 0);
  }

  /** A struct's own offset also shifts its children. */
  private void bind(long array, int parentOffset) {
    int length = (int) Platform.getLong(null, array + ArrowC.LENGTH);
    offset = parentOffset + (int) Platform.getLong(null, array + ArrowC.OFFSET);
    long nullCount = Platform.getLong(null, array + ArrowC.NULL_COUNT);
    long buffers = Platform.getLong(null, array + ArrowC.BUFFERS);
    long nBuffers = Platform.getLong(null, array + ArrowC.N_BUFFERS);
    validity = nBuffers > 0 ? Platform.getLong(null, buffers) : 0;
    values = nBuffers > 1 ? Platform.getLong(null, buffers + 8) : 0;
    bytes = varying ? Platform.getLong(null, buffers + 16) : 0;
    long nChildren = Platform.getLong(null, array + ArrowC.N_CHILDREN);
    if (nChildren != children.length) {
      throw new IllegalStateException(
          "INTERNAL: " + nChildren + " child arrays came where " + children.length + " were agreed");
    }
    long pointers = Platform.getLong(null, array + ArrowC.CHILDREN);
    // A list's elements are found through its offsets instead.
    int childOffset = type instanceof StructType ? offset : 0;
    for (int i = 0; i < children.length; i++) {
      children[i].bind(Platform.getLong(null, pointers + 8L * i), childOffset);
    }
    nulls = validity == 0 ? 0 : nullCount >= 0 ? (int) nullCount : countNulls(length);
  }

  private int countNulls(int length) {
    int count = 0;
    for (int i = 0; i < length; i++) {
      if (isNullAt(i)) {
        count++;
      }
    }
    return count;
  }

  private static boolean bit(long bitmap, long at) {
    return ((Platform.getByte(null, bitmap + (at >> 3)) >> (at & 7)) & 1) != 0;
  }

  @Override
  public boolean hasNull() {
    return nulls > 0;
  }

  @Override
  public int numNulls() {
    return nulls;
  }

  @Override
  public boolean isNullAt(int rowId) {
    return validity != 0 && !bit(validity, (long) offset + rowId);
  }

  @Override
  public boolean getBoolean(int rowId) {
    return bit(values, (long) offset + rowId);
  }

  @Override
  public byte getByte(int rowId) {
    return Platform.getByte(null, values + offset + rowId);
  }

  @Override
  public short getShort(int rowId) {
    return Platform.getShort(null, values + 2L * (offset + rowId));
  }

  @Override
  public int getInt(int rowId) {
    return Platform.getInt(null, values + 4L * (offset + rowId));
  }

  @Override
  public long getLong(int rowId) {
    return Platform.getLong(null, values + 8L * (offset + rowId));
  }

  @Override
  public float getFloat(int rowId) {
    return Platform.getFloat(null, values + 4L * (offset + rowId));
  }

  @Override
  public double getDouble(int rowId) {
    return Platform.getDouble(null, values + 8L * (offset + rowId));
  }

  @Override
  public Decimal getDecimal(int rowId, int precision, int scale) {
    if (isNullAt(rowId)) {
      return null;
    }
    long address = values + 16L * (offset + rowId);
    long low = Platform.getLong(null, address);
    if (precision <= Decimal.MAX_LONG_DIGITS()) {
      return Decimal.createUnsafe(low, precision, scale);
    }
    BigInteger high = BigInteger.valueOf(Platform.getLong(null, address + 8)).shiftLeft(64);
    BigInteger unscaled = high.or(new BigInteger(Long.toUnsignedString(low)));
    return Decimal.apply(new java.math.BigDecimal(unscaled, scale), precision, scale);
  }

  private int start(int rowId) {
    return Platform.getInt(null, values + 4L * (offset + rowId));
  }

  @Override
  public UTF8String getUTF8String(int rowId) {
    if (isNullAt(rowId)) {
      return null;
    }
    int from = start(rowId);
    return UTF8String.fromAddress(null, bytes + from, start(rowId + 1) - from);
  }

  @Override
  public byte[] getBinary(int rowId) {
    if (isNullAt(rowId)) {
      return null;
    }
    int from = start(rowId);
    byte[] copy = new byte[start(rowId + 1) - from];
    Platform.copyMemory(null, bytes + from, copy, Platform.BYTE_ARRAY_OFFSET, copy.length);
    return copy;
  }

  @Override
  public NativeColumn getChild(int ordinal) {
    return children[ordinal];
  }

  @Override
  public ColumnarArray getArray(int rowId) {
    if (isNullAt(rowId)) {
      return null;
    }
    int from = start(rowId);
    return new ColumnarArray(children[0], from, start(rowId + 1) - from);
  }

  @Override
  public ColumnarMap getMap(int ordinal) {
    throw new UnsupportedOperationException("the engine gives no maps");
  }

  /** Nothing to free: the runner owns the batch. */
  @Override
  public void close() {}
}
