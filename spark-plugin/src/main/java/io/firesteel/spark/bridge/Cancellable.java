package io.firesteel.spark.bridge;

/** Native work of a task, which another thread may stop. */
public interface Cancellable extends AutoCloseable {
  /** Makes what is running stop soon, and everything later fail. Nothing if closed. */
  void cancel();

  @Override
  void close();
}
