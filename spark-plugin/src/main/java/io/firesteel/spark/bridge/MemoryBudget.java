package io.firesteel.spark.bridge;

/** Who answers for off-heap bytes: a Spark task's memory manager, or nobody but the process-wide counter. */
public interface MemoryBudget {
  /** Asks for bytes before they are allocated. Throws if they are not granted. */
  void acquire(long bytes);

  /** Gives bytes back after they were freed. */
  void release(long bytes);

  /** No limit; {@link OffHeap#liveBytes} counts all the same. */
  MemoryBudget UNLIMITED =
      new MemoryBudget() {
        @Override
        public void acquire(long bytes) {}

        @Override
        public void release(long bytes) {}
      };
}
