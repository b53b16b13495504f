package io.firesteel.spark.bridge;

/**
 * The Kafka entries of the native library, one to one; see {@link Native} for the rules. Use {@link KafkaCluster} and
 * {@link KafkaReader}.
 */
final class NativeKafka {
  private NativeKafka() {}

  /**
   * Opens a connection for questions; the first question finds out whether it works.
   *
   * @param settings JSON: librdkafka's properties, and where tokens come from
   * @param patienceMillis how long an answer may take
   */
  static native long connect(String settings, long patienceMillis);

  /** Asks, in JSON, and gives the answer, in JSON. */
  static native String ask(long cluster, String question);

  static native void disconnect(long cluster);

  /**
   * Opens a reader of ranges.
   *
   * @param request JSON: settings, ranges, columns, limits
   * @param call the prepared call that every batch goes through, or empty
   * @param state JSON: where the windows of a call that has some find what they know; or empty
   * @param store their snapshots; null if there are none
   */
  static native long readerOpen(String request, String call, String state, SnapshotStore store);

  /**
   * Reads the next batch.
   *
   * @param output an ArrowArray; what it held is released first, then it is filled
   * @return bytes behind the batch, or -1 at the end
   */
  static native long readerNext(long reader, long output);

  /** Fills {@code into} in the order of {@link ReaderMetrics}. */
  static native void readerMetrics(long reader, long[] into);

  /** Makes a waiting {@link #readerNext} return soon, and every later one fail. */
  static native void readerCancel(long reader);

  static native void readerClose(long reader);

  /** Closes the idle consumers of a source in this process. */
  static native void forget(String source);

  /** Consumers that wait for their next task in this process. */
  static native int idleConsumers();

  /** Writes down the states of a home that have seen so many events since they last were. */
  static native void stateSave(String home, long events, SnapshotStore store);

  /** JSON: number, keys and bytes of the states of a home. */
  static native String stateSize(String home);

  /** Lets all states of a home go. */
  static native void stateForget(String home);
}
