package io.firesteel.spark.bridge;

import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.expressions.UnsafeProjection;
import org.apache.spark.sql.catalyst.expressions.UnsafeRow;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Rows of floats and a runner that adds them up: the load of {@link CrossingBench} and {@link CrossingSoak}. */
final class CrossingLoad implements AutoCloseable {
  private static final StructType OUTPUT =
      new StructType(
          new StructField[] {new StructField("result", DataTypes.FloatType, true, Metadata.empty())});

  final NativeRunner runner;
  private final UnsafeRow[] rows;

  /** {@code columns} float columns, {@code batch} rows that are made once. */
  CrossingLoad(int columns, int batch) {
    StructField[] fields = new StructField[columns];
    for (int i = 0; i < columns; i++) {
      fields[i] = new StructField("f" + i, DataTypes.FloatType, true, Metadata.empty());
    }
    StructType input = new StructType(fields);
    NativeLibrary.load();
    runner = NativeRunner.sum(input, OUTPUT, MemoryBudget.UNLIMITED);
    UnsafeProjection toUnsafe = UnsafeProjection.create(input);
    rows = new UnsafeRow[batch];
    for (int r = 0; r < batch; r++) {
      GenericInternalRow row = new GenericInternalRow(columns);
      for (int c = 0; c < columns; c++) {
        row.update(c, (float) (r + c));
      }
      rows[r] = toUnsafe.apply(row).copy();
    }
  }

  /** Rows to Arrow. */
  void write() {
    for (UnsafeRow row : rows) {
      runner.append(row);
    }
  }

  /** The crossing, Arrow to Arrow; gives a value so that nothing is optimized away. */
  float cross() {
    return runner.run().getChild(0).getFloat(0);
  }

  /** The sum of the last row's columns, which {@link #cross} must show in the last row. */
  float expectedLast(int columns) {
    float sum = 0;
    for (int c = 0; c < columns; c++) {
      sum += rows[rows.length - 1].getFloat(c);
    }
    return sum;
  }

  @Override
  public void close() {
    runner.close();
  }
}
