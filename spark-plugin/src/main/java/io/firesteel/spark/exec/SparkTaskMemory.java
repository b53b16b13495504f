package io.firesteel.spark.exec;

import org.apache.spark.TaskContext;
import org.apache.spark.memory.MemoryConsumer;
import org.apache.spark.memory.MemoryMode;
import org.apache.spark.memory.TaskMemoryManager;

/**
 * A task's share of Spark's off-heap memory, for memory that Spark does not allocate itself.
 *
 * <p>In Java because {@code TaskContext.taskMemoryManager} is private to Spark in Scala's eyes only. If Spark opens
 * another way in, this class is what changes.
 */
final class SparkTaskMemory {
  private final Consumer consumer;

  SparkTaskMemory(TaskContext task) {
    consumer = new Consumer(task.taskMemoryManager());
  }

  /** Gives how many of {@code bytes} were granted. */
  long acquire(long bytes) {
    return consumer.acquireMemory(bytes);
  }

  void release(long bytes) {
    consumer.freeMemory(bytes);
  }

  private static final class Consumer extends MemoryConsumer {
    Consumer(TaskMemoryManager manager) {
      super(manager, manager.pageSizeBytes(), MemoryMode.OFF_HEAP);
    }

    /** A batch in flight can't be written to disk. */
    @Override
    public long spill(long size, MemoryConsumer trigger) {
      return 0;
    }
  }
}
