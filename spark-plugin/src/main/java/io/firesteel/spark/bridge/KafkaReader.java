package io.firesteel.spark.bridge;

import java.lang.ref.Cleaner;
import java.util.concurrent.locks.ReentrantLock;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.vectorized.ColumnarBatch;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.unsafe.Platform;

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
   * @param output columns that come out
   * @param wanted places of those that the batches have
   */
  public KafkaReader(String request, String call, StructType output, int[] wanted, MemoryBudget budget) {
    NativeLibrary.load();
    long number = NativeKafka.readerOpen(request, call);
    OffHeap memory = new OffHeap(budget);
    try {
      long array = memory.allocate(ArrowC.SIZE);
      Platform.setMemory(array, (byte) 0, ArrowC.SIZE);
      state = new State(number, array, memory, budget);
      columns = new NativeColumn(output);
    } catch (Throwable e) {
      memory.close();
      NativeKafka.readerClose(number);
      throw e;
    }
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
    columns.bind(state.array);
    batch.setNumRows((int) Platform.getLong(null, state.array + ArrowC.LENGTH));
    return batch;
  }

  /** Bytes of native memory behind the batch. */
  public long heldBytes() {
    return state.outputBytes;
  }

  /** What was done so far; after {@link #close}, what was known when last asked. */
  public ReaderMetrics metrics() {
    return state.metrics();
  }

  /** Makes a waiting read stop soon, and every later one fail. Nothing if closed. */
  @Override
  public void cancel() {
    state.cancel();
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

  /** librdkafka's version. */
  public static String librdkafka() {
    NativeLibrary.load();
    return NativeKafka.librdkafka();
  }

  /** All that must be freed; knows nothing of the reader, so that the cleaner can see the reader go. */
  private static final class State implements Runnable {
    /** Held while native code runs, so that a close from elsewhere waits. */
    private final ReentrantLock running = new ReentrantLock();
    /** Guards the number alone, so that a cancel need not wait. */
    private final Object numberLock = new Object();
    private final OffHeap memory;
    private final MemoryBudget budget;
    private final long array;
    private long number;
    private long outputBytes;
    private ReaderMetrics last = ReaderMetrics.ZERO;

    State(long number, long array, OffHeap memory, MemoryBudget budget) {
      this.number = number;
      this.array = array;
      this.memory = memory;
      this.budget = budget;
    }

    private long openNumber() {
      synchronized (numberLock) {
        if (number == 0) {
          throw new IllegalStateException("KafkaReader is closed");
        }
        return number;
      }
    }

    boolean next() {
      running.lock();
      try {
        long open = openNumber();
        releaseOutput();
        long bytes = NativeKafka.readerNext(open, array);
        if (bytes < 0) {
          return false;
        }
        budget.acquire(bytes);
        outputBytes = bytes;
        return true;
      } finally {
        running.unlock();
      }
    }

    private void releaseOutput() {
      Native.release(array);
      if (outputBytes > 0) {
        budget.release(outputBytes);
        outputBytes = 0;
      }
    }

    ReaderMetrics metrics() {
      running.lock();
      try {
        synchronized (numberLock) {
          if (number != 0) {
            long[] values = new long[ReaderMetrics.COUNT];
            NativeKafka.readerMetrics(number, values);
            last = ReaderMetrics.of(values);
          }
          return last;
        }
      } finally {
        running.unlock();
      }
    }

    void cancel() {
      synchronized (numberLock) {
        if (number != 0) {
          NativeKafka.readerCancel(number);
        }
      }
    }

    /** Closes; a {@link Cleaner.Cleanable} runs it at most once. */
    @Override
    public void run() {
      running.lock();
      try {
        long open;
        synchronized (numberLock) {
          open = number;
          number = 0;
        }
        releaseOutput();
        NativeKafka.readerClose(open);
        memory.close();
      } finally {
        running.unlock();
      }
    }
  }
}
