package org.apache.spark.memory

import org.apache.spark.TaskContext

/**
 * A task's share of Spark's off-heap memory, for memory that Spark does not allocate itself.
 *
 * In Spark's own package because `TaskContext.taskMemoryManager` is private to it; nothing else of ours is. If Spark
 * opens another way in, this class is what changes.
 */
final class SparkTaskMemory(task: TaskContext) {
  private val consumer =
    new MemoryConsumer(task.taskMemoryManager(), task.taskMemoryManager().pageSizeBytes(), MemoryMode.OFF_HEAP) {
      // A batch in flight can't be written to disk.
      override def spill(size: Long, trigger: MemoryConsumer): Long = 0L
    }

  /** Gives how many of `bytes` were granted. */
  def acquire(bytes: Long): Long = consumer.acquireMemory(bytes)

  def release(bytes: Long): Unit = consumer.freeMemory(bytes)
}
