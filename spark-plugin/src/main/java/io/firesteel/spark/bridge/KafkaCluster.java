package io.firesteel.spark.bridge;

import java.lang.ref.Cleaner;

/** A driver's connection to a cluster, for questions about topics, partitions and offsets. Any thread may ask. */
public final class KafkaCluster implements AutoCloseable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final Connection connection;
  private final Cleaner.Cleanable cleanable;

  /**
   * Connects in the background.
   *
   * @param settings JSON: librdkafka's properties, and where tokens come from
   * @param patienceMillis how long an answer may take
   */
  public KafkaCluster(String settings, long patienceMillis) {
    NativeLibrary.load();
    connection = new Connection(NativeKafka.connect(settings, patienceMillis));
    cleanable = CLEANER.register(this, connection);
  }

  /** The answer to a question, both in JSON. */
  public String ask(String question) {
    return NativeKafka.ask(connection.number, question);
  }

  @Override
  public void close() {
    cleanable.clean();
  }

  private static final class Connection implements Runnable {
    private final long number;

    Connection(long number) {
      this.number = number;
    }

    @Override
    public void run() {
      NativeKafka.disconnect(number);
    }
  }
}
