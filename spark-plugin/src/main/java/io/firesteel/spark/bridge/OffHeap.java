package io.firesteel.spark.bridge;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.spark.unsafe.Platform;

/**
 * Off-heap blocks of one owner, counted process-wide and charged to a budget. Whatever happens in between, {@link
 * #close} frees them all.
 *
 * <p>Not thread-safe: an owner is used by one thread at a time.
 */
final class OffHeap implements AutoCloseable {
  private static final AtomicLong LIVE = new AtomicLong();

  private final MemoryBudget budget;
  private final Map<Long, Long> blocks = new HashMap<>();
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
    blocks.put(address, bytes);
    held += bytes;
    LIVE.addAndGet(bytes);
    return address;
  }

  /** A larger block with the first {@code used} bytes of {@code address}, which is freed; 0 stands for no block. */
  long grow(long address, long used, long bytes) {
    long grown = allocate(bytes);
    if (address != 0) {
      Platform.copyMemory(null, address, null, grown, used);
      free(address, blocks.remove(address));
    }
    return grown;
  }

  private void free(long address, long bytes) {
    Platform.freeMemory(address);
    held -= bytes;
    LIVE.addAndGet(-bytes);
    budget.release(bytes);
  }

  long held() {
    return held;
  }

  @Override
  public void close() {
    blocks.forEach(this::free);
    blocks.clear();
  }
}
