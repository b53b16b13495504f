package io.firesteel.spark.bridge;

import java.lang.ref.Cleaner;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.vectorized.ColumnarBatch;
import org.apache.spark.sql.vectorized.ColumnVector;

/**
 * Ranges of Kafka's partitions, read batch by batch into Spark's columns over native memory.
 *
 * <p>One thread reads; {@link #cancel} and {@link #close} may come from any other. {@code close} waits for a batch that
 * is on its way and is idempotent. A reader that nobody closed is closed by a cleaner once it is unreachable.
 */
public final class KafkaReader implements Cancellable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final State state;
  private final Cleaner.Cleanable cleanable;
  private final NativeColumn columns;
  private final ColumnarBatch batch;

  /**
   * @param request JSON: settings, ranges, columns, limits
   * @param call the prepared call that every batch goes through, or empty
   * @param windows JSON: where the windows of a call that has some find what they know, see {@link KafkaState}; or empty
   * @param snapshots where they find it if it is not in this process; null if there are none
   * @param output columns that come out
   * @param wanted places of those that the batches have
   */
  public KafkaReader(
      String request,
      String call,
      String windows,
      SnapshotStore snapshots,
      StructType output,
      int[] wanted,
      MemoryBudget budget) {
    NativeLibrary.load();
    state = new State(NativeKafka.readerOpen(request, call, windows, snapshots), budget);
    columns = new NativeColumn(output);
    ColumnVector[] fields = new ColumnVector[wanted.length];
    for (int i = 0; i < fields.length; i++) {
      fields[i] = columns.getChild(wanted[i]);
    }
    batch = new ColumnarBatch(fields);
    cleanable = CLEANER.register(this, state);
  }

  /** The next batch, valid until the one after; null at the end. */
  public ColumnarBatch next() {
    if (!state.next()) {
      return null;
    }
    columns.bind(state.output.address());
    batch.setNumRows(state.output.rows());
    return batch;
  }

  /** What was done so far; after {@link #close}, what was known when last asked. */
  public ReaderMetrics metrics() {
    return state.metrics();
  }

  /** Makes a waiting read stop soon, and every later one fail. Nothing if closed. */
  @Override
  public void cancel() {
    state.handle.cancel();
  }

  @Override
  public void close() {
    cleanable.clean();
  }

  /** Closes the idle consumers of a source in this process, as when its query has stopped. */
  public static void forget(String source) {
    NativeLibrary.load();
    NativeKafka.forget(source);
  }

  /** Consumers that wait for their next task in this process. */
  public static int idleConsumers() {
    NativeLibrary.load();
    return NativeKafka.idleConsumers();
  }

  /** All that must be freed; knows nothing of the reader, so that the cleaner can see the reader go. */
  private static final class State implements Runnable {
    private final NativeHandle handle;
    private final OutputStruct output;
    private ReaderMetrics last = ReaderMetrics.ZERO;

    State(long number, MemoryBudget budget) {
      handle = new NativeHandle(number, "KafkaReader", NativeKafka::readerCancel);
      try {
        output = new OutputStruct(budget);
      } catch (Throwable e) {
        handle.close(NativeKafka::readerClose);
        throw e;
      }
    }

    boolean next() {
      return handle.use(open -> output.fill(array -> NativeKafka.readerNext(open, array)));
    }

    ReaderMetrics metrics() {
      last =
          handle.look(
              open -> {
                long[] values = new long[ReaderMetrics.COUNT];
                NativeKafka.readerMetrics(open, values);
                return ReaderMetrics.of(values);
              },
              last);
      return last;
    }

    @Override
    public void run() {
      handle.close(
          open -> {
            output.close();
            NativeKafka.readerClose(open);
          });
    }
  }
}
