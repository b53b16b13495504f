package io.firesteel.spark.bridge;

import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.unsafe.Platform;

/**
 * Off-heap blocks of one owner, counted process-wide and charged to a budget.
 *
 * <p>Not thread-safe: an owner is used by one thread at a time.
 */
final class OffHeap implements AutoCloseable {
  private static final AtomicLong LIVE = new AtomicLong();

  private final MemoryBudget budget;
  private long held;

  OffHeap(MemoryBudget budget) {
    this.budget = budget;
  }

  /** Bytes that all owners of this process hold now. */
  static long liveBytes() {
    return LIVE.get();
  }

  long allocate(long bytes) {
    budget.acquire(bytes);
    long address;
    try {
      address = Platform.allocateMemory(bytes);
    } catch (Throwable e) {
      budget.release(bytes);
      throw e;
    }
    held += bytes;
    LIVE.addAndGet(bytes);
    return address;
  }

  /** A larger block with the first {@code used} bytes of the old one, which is freed. */
  long grow(long address, long oldBytes, long used, long newBytes) {
    long grown = allocate(newBytes);
    Platform.copyMemory(null, address, null, grown, used);
    free(address, oldBytes);
    return grown;
  }

  void free(long address, long bytes) {
    Platform.freeMemory(address);
    held -= bytes;
    LIVE.addAndGet(-bytes);
    budget.release(bytes);
  }

  long held() {
    return held;
  }

  /** Checks that all was freed; throws if not, since a leak is a bug of ours. */
  @Override
  public void close() {
    if (held != 0) {
      throw new IllegalStateException("INTERNAL: " + held + " off-heap bytes were not freed");
    }
  }
}
