package io.firesteel.spark.bridge;

import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.vectorized.ColumnVector;

/**
 * The last window block of a history and what comes behind it, over buckets of keys, one bucket after the other: the
 * pieces of a bucket go in with {@link #add}, {@link #run} works on them, and its rows come out as columns.
 *
 * <p>One thread works with it; {@link #cancel} and {@link #close} may come from any other.
 */
public final class NativeHistory implements Cancellable {
  private final NativeHandle handle;
  private final OutputStruct output;
  private final NativeColumn result;

  /**
   * @param call the prepared call of the block, whose pipeline's models are loaded in this process
   * @param fields the columns that come out of the pipeline
   */
  public NativeHistory(String call, int buckets, StructType fields, MemoryBudget budget) {
    NativeLibrary.load();
    result = new NativeColumn(fields);
    output = new OutputStruct(budget);
    long number;
    try {
      number = NativeBucketCalls.openLast(call, buckets);
    } catch (Throwable e) {
      output.close();
      throw e;
    }
    handle = new NativeHandle(number, "NativeHistory", NativeBucketCalls::cancel);
  }

  /** Takes packed rows of the bucket that is run next. */
  public void add(byte[] piece) {
    handle.use(
        open -> {
          NativeBucketCalls.add(open, piece);
          return null;
        });
  }

  /** Works on the rows that came. */
  public void run() {
    handle.use(
        open -> {
          NativeBucketCalls.runWhole(open);
          return null;
        });
  }

  /** Goes on to the next rows of the bucket and gives their number; negative if there are no more. */
  public int next() {
    return handle.use(
        open -> {
          if (!output.fill(array -> NativeBucketCalls.nextRows(open, array))) {
            return -1;
          }
          result.bind(output.address());
          return output.rows();
        });
  }

  /** One of the columns; the same object for all rows that come, valid until {@link #next}. */
  public ColumnVector column(int i) {
    return result.getChild(i);
  }

  @Override
  public void cancel() {
    handle.cancel();
  }

  @Override
  public void close() {
    handle.close(
        open -> {
          output.close();
          NativeBucketCalls.close(open);
        });
  }
}
