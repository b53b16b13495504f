package io.firesteel.spark.exec

import io.firesteel.spark.bridge.{FiresteelException, MemoryBudget}
import org.apache.spark.{SparkEnv, TaskContext}

/** Where a task's off-heap bytes are charged: to Spark's own budget if it has one for off-heap memory. */
private[spark] object TaskBudget {

  /** `task` may be null, outside of one. */
  def of(task: TaskContext): MemoryBudget =
    if (task == null || !SparkEnv.get.conf.getBoolean("spark.memory.offHeap.enabled", false)) {
      MemoryBudget.UNLIMITED
    } else {
      new Charged(new SparkTaskMemory(task))
    }

  private final class Charged(memory: SparkTaskMemory) extends MemoryBudget {
    override def acquire(bytes: Long): Unit =
      if (bytes > 0) {
        val granted = memory.acquire(bytes)
        if (granted < bytes) {
          memory.release(granted)
          throw new FiresteelException(
            s"OUT_OF_MEMORY: Spark granted $granted of $bytes off-heap bytes for a batch. " +
              "Raise spark.memory.offHeap.size or lower spark.firesteel.batchSize"
          )
        }
      }

    override def release(bytes: Long): Unit = if (bytes > 0) memory.release(bytes)
  }
}
