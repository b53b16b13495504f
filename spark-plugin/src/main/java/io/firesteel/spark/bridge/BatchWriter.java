package io.firesteel.spark.bridge;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.ByteType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.ShortType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampNTZType;
import org.apache.spark.sql.types.TimestampType;
import org.apache.spark.sql.vectorized.ColumnarBatch;
import org.apache.spark.unsafe.Platform;

/**
 * Rows to one Arrow struct array, written straight into memory and handed over as C Data Interface structs.
 *
 * <p>Blocks and structs are reused from batch to batch, which is safe because the native side says when it has let
 * go of them: its release callback sets a flag, and {@link #clear} refuses to go on without it. The bytes behind the
 * structs belong to this object at all times. Used by one thread at a time; {@link #close} is idempotent.
 */
final class BatchWriter implements AutoCloseable {
  private final OffHeap memory;
  private final ColumnWriter[] columns;
  /** The columns, and behind them the elements of those that are arrays, and theirs. */
  private final ColumnWriter[] nodes;
  private final ColumnWriter[] varying;
  private final int[] ordinals;
  /** Rows of each node that is no column, while a batch is lent. */
  private final int[] lengths;
  /** One block: the parent's struct, the nodes', pointers to children, the nodes' buffer lists, the release flag. */
  private final long block;
  private final long flag;
  private final long release;
  private int rows;
  private boolean lent;
  private boolean closed;

  /**
   * @param schema the columns, in the order that the runner was opened with
   * @param ordinals where each column stands in the rows that {@link #append} is given
   */
  BatchWriter(StructType schema, int[] ordinals, MemoryBudget budget) {
    this.memory = new OffHeap(budget);
    this.ordinals = ordinals.clone();
    StructField[] fields = schema.fields();
    columns = new ColumnWriter[fields.length];
    for (int i = 0; i < fields.length; i++) {
      columns[i] = writerOf(fields[i], fields[i].dataType());
    }
    List<ColumnWriter> found = new ArrayList<>(Arrays.asList(columns));
    for (int i = 0; i < found.size(); i++) {
      if (found.get(i).elements() != null) {
        found.add(found.get(i).elements());
      }
    }
    nodes = found.toArray(ColumnWriter[]::new);
    varying = Arrays.stream(columns).filter(ColumnWriter::isVarying).toArray(ColumnWriter[]::new);
    lengths = new int[nodes.length];
    int n = nodes.length;
    // A pointer to each node. Four pointers of buffers per node are more than any type needs; one for the parent's
    // (absent) bitmap.
    long blockBytes = ArrowC.SIZE * (n + 1) + 8L * n + 8L * (4L * n + 1) + 8L;
    block = memory.allocate(blockBytes);
    flag = block + blockBytes - 8;
    release = Native.borrowedRelease();
  }

  private ColumnWriter writerOf(StructField field, DataType type) {
    if (type instanceof BooleanType) return new FixedWriters.OfBoolean(memory);
    if (type instanceof ByteType) return new FixedWriters.OfByte(memory);
    if (type instanceof ShortType) return new FixedWriters.OfShort(memory);
    if (type instanceof IntegerType || type instanceof DateType) return new FixedWriters.OfInt(memory);
    if (type instanceof LongType || type instanceof TimestampType || type instanceof TimestampNTZType) {
      return new FixedWriters.OfLong(memory);
    }
    if (type instanceof FloatType) return new FixedWriters.OfFloat(memory);
    if (type instanceof DoubleType) return new FixedWriters.OfDouble(memory);
    if (type instanceof DecimalType decimal) {
      return new FixedWriters.OfDecimal(memory, decimal.precision(), decimal.scale());
    }
    if (type instanceof StringType) return new VaryingWriter(memory, true);
    if (type instanceof BinaryType) return new VaryingWriter(memory, false);
    if (type instanceof ArrayType array) return new ListWriter(memory, writerOf(field, array.elementType()));
    throw new IllegalArgumentException("INTERNAL: no writer for column " + field.name() + " of type " + type.sql());
  }

  void append(SpecializedGetters row) {
    if (row instanceof UnsafeRow unsafe && unsafe.numFields() <= Long.SIZE) {
      appendUnsafe(unsafe);
    } else {
      for (int i = 0; i < columns.length; i++) {
        columns[i].append(row, ordinals[i], rows);
      }
    }
    rows++;
  }

  /** Appends {@code count} rows of columns, beginning with {@code from}. */
  void append(ColumnarBatch batch, int from, int count) {
    for (int i = 0; i < columns.length; i++) {
      columns[i].appendColumn(batch.column(ordinals[i]), from, count, rows);
    }
    rows += count;
  }

  /** Whether there are columns whose values take as much as they like. */
  boolean hasVarying() {
    return varying.length > 0;
  }

  /** An UnsafeRow of up to 64 fields has one word of null bits, then eight bytes a field. */
  private void appendUnsafe(UnsafeRow row) {
    Object base = row.getBaseObject();
    long start = row.getBaseOffset();
    long nulls = Platform.getLong(base, start);
    for (int i = 0; i < columns.length; i++) {
      int ordinal = ordinals[i];
      if ((nulls >>> ordinal & 1) != 0) {
        columns[i].appendNull(rows);
      } else {
        columns[i].appendUnsafe(base, start, start + Long.BYTES + (long) Long.BYTES * ordinal, rows);
      }
    }
  }

  int rows() {
    return rows;
  }

  /** Bytes in strings, binary and arrays so far. */
  long varyingBytes() {
    long sum = 0;
    for (ColumnWriter column : varying) {
      sum += column.varyingBytes();
    }
    return sum;
  }

  /** Off-heap bytes held. */
  long heldBytes() {
    return memory.held();
  }

  /** Lends the batch out. It stays untouched until {@link #clear}. */
  long lend() {
    int n = nodes.length;
    long children = block + ArrowC.SIZE * (n + 1);
    long buffers = children + 8L * n;
    Platform.putLong(null, flag, 0);
    Platform.putLong(null, buffers, 0);
    struct(block, rows, 0, 1, buffers, columns.length, children, flag);
    buffers += 8;
    int next = columns.length;
    for (int i = 0; i < n; i++) {
      long at = block + ArrowC.SIZE * (i + 1);
      Platform.putLong(null, children + 8L * i, at);
      ColumnWriter node = nodes[i];
      Platform.putLong(null, buffers, node.validity());
      for (int b = 0; b < node.valueBuffers(); b++) {
        Platform.putLong(null, buffers + 8L * (b + 1), node.valueBuffer(b));
      }
      int length = i < columns.length ? rows : lengths[i];
      boolean isList = node.elements() != null;
      // A child's release is the parent's business; the specification still wants one.
      struct(at, length, node.nulls(), 1 + node.valueBuffers(), buffers, isList ? 1 : 0, isList ? children + 8L * next : 0, 0);
      if (isList) {
        lengths[next++] = node.elementRows();
      }
      buffers += 32;
    }
    lent = true;
    return block;
  }

  private void struct(
      long at, long length, long nulls, long nBuffers, long buffers, long nChildren, long children, long data) {
    Platform.putLong(null, at + ArrowC.LENGTH, length);
    Platform.putLong(null, at + ArrowC.NULL_COUNT, nulls);
    Platform.putLong(null, at + ArrowC.OFFSET, 0);
    Platform.putLong(null, at + ArrowC.N_BUFFERS, nBuffers);
    Platform.putLong(null, at + ArrowC.N_CHILDREN, nChildren);
    Platform.putLong(null, at + ArrowC.BUFFERS, buffers);
    Platform.putLong(null, at + ArrowC.CHILDREN, children);
    Platform.putLong(null, at + ArrowC.DICTIONARY, 0);
    Platform.putLong(null, at + ArrowC.RELEASE, release);
    Platform.putLong(null, at + ArrowC.PRIVATE_DATA, data);
  }

  /** Starts the next batch. Call it after the last batch's output was released. */
  void clear() {
    if (isHeldNatively()) {
      throw new IllegalStateException("INTERNAL: native code still holds the last batch");
    }
    lent = false;
    rows = 0;
    for (ColumnWriter column : columns) {
      column.reset();
    }
  }

  private boolean isHeldNatively() {
    return lent && Platform.getLong(null, flag) == 0;
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    if (isHeldNatively()) {
      // Leaking is the lesser evil: freeing would pull memory from under native code.
      throw new IllegalStateException("INTERNAL: native code still holds a batch of a closed runner");
    }
    memory.close();
  }
}
