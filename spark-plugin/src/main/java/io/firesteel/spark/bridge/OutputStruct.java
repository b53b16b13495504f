package io.firesteel.spark.bridge;

import java.util.function.LongUnaryOperator;
import org.apache.spark.unsafe.Platform;

/**
 * The Arrow struct that native code exports a batch into. What the batch holds is charged to a budget until the next one
 * comes or it is released.
 *
 * <p>Not thread-safe: its owner is used by one thread at a time.
 */
final class OutputStruct implements AutoCloseable {
  private final OffHeap memory;
  private final MemoryBudget budget;
  private final long address;
  private long bytes;

  OutputStruct(MemoryBudget budget) {
    this.budget = budget;
    memory = new OffHeap(budget);
    address = memory.allocate(ArrowC.SIZE);
    Platform.setMemory(address, (byte) 0, ArrowC.SIZE);
  }

  /** Where the struct is. */
  long address() {
    return address;
  }

  /** Rows of the batch. */
  int rows() {
    return (int) Platform.getLong(null, address + ArrowC.LENGTH);
  }

  /** Bytes of the batch. */
  long bytes() {
    return bytes;
  }

  /** Releases the last batch and has another exported; false if there was none, which is told by a negative size. */
  boolean fill(LongUnaryOperator exporting) {
    release();
    long exported = exporting.applyAsLong(address);
    if (exported < 0) {
      return false;
    }
    budget.acquire(exported);
    bytes = exported;
    return true;
  }

  void release() {
    Native.release(address);
    if (bytes > 0) {
      budget.release(bytes);
      bytes = 0;
    }
  }

  @Override
  public void close() {
    release();
    memory.close();
  }
}
