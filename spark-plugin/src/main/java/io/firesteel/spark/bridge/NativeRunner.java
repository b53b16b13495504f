package io.firesteel.spark.bridge;

import java.lang.ref.Cleaner;
import org.apache.spark.sql.catalyst.expressions.SpecializedGetters;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.sql.vectorized.ColumnarBatch;

/**
 * One prepared call, open in the native library: rows in, one struct column out, batch after batch.
 *
 * <p>Rows go in with {@link #append}; {@link #run} crosses once and gives the result, valid until {@link #clear}. One
 * thread works with a runner; {@link #cancel} and {@link #close} may come from any other. {@code close} waits for a
 * batch that is running, is idempotent, and a call after it throws {@link IllegalStateException}. A runner that nobody
 * closed is closed by a cleaner once it is unreachable.
 */
public final class NativeRunner implements Cancellable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final State state;
  private final Cleaner.Cleanable cleanable;
  private final NativeColumn result;

  /**
   * @param call JSON of a prepared call, whose models are loaded in this process
   * @param input the columns that go in
   * @param ordinals where each of them stands in the rows
   * @param output fields of the result struct, as prepared
   */
  public NativeRunner(String call, StructType input, int[] ordinals, StructType output, MemoryBudget budget) {
    this(Native.open(call, input.toDDL()), input, ordinals, output, budget);
  }

  private NativeRunner(long handle, StructType input, int[] ordinals, StructType output, MemoryBudget budget) {
    state = new State(handle, input, ordinals, budget);
    result = new NativeColumn(output);
    cleanable = CLEANER.register(this, state);
  }

  /** A runner that adds its float columns into one, for measuring the crossing itself. */
  public static NativeRunner sum(StructType input, StructType output, MemoryBudget budget) {
    return new NativeRunner(Native.selfTestSum(input.length()), input, ordinals(input), output, budget);
  }

  /** A runner that takes {@code millis} for each batch, for tests of cancellation. */
  public static NativeRunner slow(long millis, StructType input, StructType output, MemoryBudget budget) {
    return new NativeRunner(Native.selfTestSlow(millis), input, ordinals(input), output, budget);
  }

  /**
   * A runner that gives each row's JSON in one binary column.
   *
   * @param layout JSON: which columns are which members
   * @param output one binary field
   */
  public static NativeRunner json(
      String layout, StructType input, int[] ordinals, StructType output, MemoryBudget budget) {
    NativeLibrary.load();
    return new NativeRunner(NativeProducerCalls.openJson(layout, input.toDDL()), input, ordinals, output, budget);
  }

  private static int[] ordinals(StructType input) {
    return java.util.stream.IntStream.range(0, input.length()).toArray();
  }

  public void append(SpecializedGetters row) {
    state.writer.append(row);
  }

  /** Appends {@code count} rows of columns, beginning with {@code from}. */
  public void append(ColumnarBatch batch, int from, int count) {
    state.writer.append(batch, from, count);
  }

  /** Whether strings or binary go in. */
  public boolean hasVarying() {
    return state.writer.hasVarying();
  }

  public int rows() {
    return state.writer.rows();
  }

  /** Bytes of strings and binary in the batch so far. */
  public long varyingBytes() {
    return state.writer.varyingBytes();
  }

  /** Off-heap bytes on this side, output included. */
  public long heldBytes() {
    return state.writer.heldBytes() + state.output.bytes();
  }

  /**
   * Runs the rows appended since {@link #clear}; the struct has one row for each. Running the same rows again is
   * allowed and gives the same result.
   */
  public ColumnVector run() {
    int rows = state.process();
    result.bind(state.output.address());
    if (rows != state.writer.rows()) {
      throw new IllegalStateException("INTERNAL: " + state.writer.rows() + " rows went in and " + rows + " came out");
    }
    return result;
  }

  /**
   * Runs the rows appended since {@link #clear}, for a call whose result has other rows than went in; gives their number.
   * They are in {@link #result}.
   */
  public int expand() {
    int rows = state.process();
    result.bind(state.output.address());
    return rows;
  }

  /** The struct column of the last batch, valid until {@link #clear}. */
  public ColumnVector result() {
    return result;
  }

  /** Releases the result and starts the next batch. */
  public void clear() {
    state.clear();
  }

  /** What was done so far; after {@link #close}, what was known when last asked. */
  public RunnerMetrics metrics() {
    return state.metrics();
  }

  /** Makes the running batch stop soon, and every later one fail. Nothing if closed. */
  @Override
  public void cancel() {
    state.handle.cancel();
  }

  @Override
  public void close() {
    cleanable.clean();
  }

  /** All that must be freed; knows nothing of the runner, so that the cleaner can see the runner go. */
  private static final class State implements Runnable {
    private final NativeHandle handle;
    private final OutputStruct output;
    private final BatchWriter writer;
    private RunnerMetrics last = RunnerMetrics.ZERO;

    State(long number, StructType input, int[] ordinals, MemoryBudget budget) {
      handle = new NativeHandle(number, "NativeRunner", Native::cancel);
      OutputStruct struct = null;
      try {
        struct = new OutputStruct(budget);
        writer = new BatchWriter(input, ordinals, budget);
        output = struct;
      } catch (Throwable e) {
        if (struct != null) {
          struct.close();
        }
        handle.close(Native::close);
        throw e;
      }
    }

    int process() {
      return handle.use(
          open -> {
            output.fill(array -> Native.process(open, writer.lend(), array));
            return output.rows();
          });
    }

    void clear() {
      handle.use(
          open -> {
            output.release();
            writer.clear();
            return null;
          });
    }

    RunnerMetrics metrics() {
      last =
          handle.look(
              open -> {
                long[] values = new long[RunnerMetrics.COUNT];
                Native.metrics(open, values);
                return RunnerMetrics.of(values);
              },
              last);
      return last;
    }

    @Override
    public void run() {
      handle.close(
          open -> {
            // Free first, then whatever else there is to say.
            output.close();
            Native.close(open);
            writer.close();
          });
    }
  }
}
