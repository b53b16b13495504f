package io.firesteel.spark.bridge;

import org.apache.spark.sql.catalyst.expressions.SpecializedGetters;
import org.apache.spark.sql.types.StructType;

/**
 * One task's rows on their way to Kafka: gathered in Arrow memory, handed over batch by batch.
 *
 * <p>One thread appends, sends and flushes; {@link #cancel} and {@link #close} may come from any other. {@code close}
 * waits for a call that is running and is idempotent; records that were handed over are sent all the same.
 */
public final class NativeProducer implements Cancellable {
  private final NativeHandle handle;
  private final BatchWriter writer;

  /**
   * @param settings JSON: librdkafka's properties, and where tokens come from
   * @param layout JSON: which columns are what in a record
   * @param input the columns
   * @param ordinals where each of them stands in the rows
   */
  public NativeProducer(
      String settings, String layout, StructType input, int[] ordinals, MemoryBudget budget) {
    NativeLibrary.load();
    long number = NativeProducerCalls.open(settings, layout, input.toDDL());
    handle = new NativeHandle(number, "NativeProducer", NativeProducerCalls::cancel);
    try {
      writer = new BatchWriter(input, ordinals, budget);
    } catch (Throwable e) {
      handle.close(NativeProducerCalls::close);
      throw e;
    }
  }

  /** Asks the brokers for a topic; throws, with the reason, if it is not there or nobody answers in time. */
  public static int check(String settings, String topic, long limitMillis) {
    NativeLibrary.load();
    return NativeProducerCalls.check(settings, topic, limitMillis);
  }

  public void append(SpecializedGetters row) {
    writer.append(row);
  }

  /** Rows since the last {@link #send}. */
  public int rows() {
    return writer.rows();
  }

  /** Bytes of strings and binary since the last {@link #send}. */
  public long varyingBytes() {
    return writer.varyingBytes();
  }

  /** Hands the rows over and starts the next batch; waits while the producer's queue is full. */
  public void send() {
    handle.use(
        open -> {
          hand(open);
          return null;
        });
  }

  private void hand(long open) {
    if (writer.rows() > 0) {
      NativeProducerCalls.send(open, writer.lend());
      writer.clear();
    }
  }

  /** Sends what is left and waits until every record is acknowledged. Gives rows and bytes of this writer. */
  public long[] flush() {
    return handle.use(
        open -> {
          hand(open);
          long[] written = new long[2];
          NativeProducerCalls.flush(open, written);
          return written;
        });
  }

  @Override
  public void cancel() {
    handle.cancel();
  }

  @Override
  public void close() {
    handle.close(
        open -> {
          NativeProducerCalls.close(open);
          writer.close();
        });
  }
}
