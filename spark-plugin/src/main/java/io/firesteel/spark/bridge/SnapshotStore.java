package io.firesteel.spark.bridge;

import java.io.IOException;

/**
 * Where snapshots of window states are kept, one per topic, partition and version. Native code decides what is read, written
 * and let go, and calls this from the thread that has called it.
 *
 * <p>Any call may fail. A write that fails may leave nothing, all or the beginning of its bytes, but never a beginning in
 * place of a whole snapshot.
 */
public interface SnapshotStore {
  /** Versions and lengths of what there is of a partition, in any order: version, bytes, version, bytes, … */
  long[] list(String topic, int partition) throws IOException;

  /** A snapshot; null if it is not there. */
  byte[] read(String topic, int partition, long version) throws IOException;

  /** Puts a snapshot in its place, also over one of another length. */
  void write(String topic, int partition, long version, byte[] saved) throws IOException;

  /** Lets a snapshot go; nothing if it is gone already. */
  void remove(String topic, int partition, long version) throws IOException;
}
