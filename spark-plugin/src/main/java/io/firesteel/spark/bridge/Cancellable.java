package io.firesteel.spark.bridge;

/** Native work of a task: it can be told to stop from any thread, and is closed in any case. */
public interface Cancellable extends AutoCloseable {
  /** Makes a call that is running fail soon. Nothing if closed. */
  void cancel();

  @Override
  void close();
}
