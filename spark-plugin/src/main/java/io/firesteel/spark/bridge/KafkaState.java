package io.firesteel.spark.bridge;

/**
 * Window state beside Kafka's partitions, in native memory of this process: what a task leaves for the next.
 *
 * <p>A state is named by its home (the query's run), topic and partition; its version is the offset before which all
 * records are in it. {@link KafkaReader} takes it up, from here or from a snapshot, and leaves it here.
 */
public final class KafkaState {
  private KafkaState() {}

  /**
   * Writes down the states that have seen {@code events} since they last were, and lets old snapshots go. Fails with the
   * first that can't be written; the others are left for the next time.
   */
  public static void save(String home, long events, SnapshotStore store) {
    NativeLibrary.load();
    NativeKafka.stateSave(home, events, store);
  }

  /** Number, keys and bytes of the states here, as JSON. */
  public static String size(String home) {
    NativeLibrary.load();
    return NativeKafka.stateSize(home);
  }

  /** Lets all states of a home go, as when its query has stopped. */
  public static void forget(String home) {
    NativeLibrary.load();
    NativeKafka.stateForget(home);
  }
}
