package io.firesteel.spark.bridge;

/**
 * The entries of the native library that write to Kafka, one to one. The rules of {@link Native} hold; use {@link
 * NativeProducer}.
 */
final class NativeProducerCalls {
  private NativeProducerCalls() {}

  /** Asks the brokers for a topic, for at most so long; gives its number of partitions. */
  static native int check(String settings, String topic, long limitMillis);

  /**
   * Opens a writer on the process's producer for these settings.
   *
   * @param settings JSON: librdkafka's properties, and where tokens come from
   * @param layout JSON: which columns are what
   * @param input the columns that {@link #send} will be given, as DDL
   */
  static native long open(String settings, String layout, String input);

  /** Opens a runner for {@link Native#process} that gives each row's JSON in one binary column. */
  static native long openJson(String layout, String input);

  /** Hands a batch over; waits while the producer's queue is full. */
  static native void send(long handle, long input);

  /** Waits for all acknowledgements; gives rows and bytes. */
  static native void flush(long handle, long[] into);

  /** Makes a waiting {@link #send} or {@link #flush} fail soon. */
  static native void cancel(long handle);

  static native void close(long handle);
}
