package io.firesteel.spark.bridge;

/**
 * What is alive at the border in this process; all zero when no task runs. For leak tests and for the UI.
 *
 * @param runners open native runners
 * @param batches results that native code lent out and has not got back
 * @param batchBytes bytes in them
 * @param offHeapBytes bytes that this side has allocated
 */
public record NativeCounts(long runners, long batches, long batchBytes, long offHeapBytes) {
  public static NativeCounts now() {
    NativeLibrary.load();
    long[] counts = new long[3];
    Native.liveCounts(counts);
    return new NativeCounts(counts[0], counts[1], counts[2], OffHeap.liveBytes());
  }

  public boolean isZero() {
    return runners == 0 && batches == 0 && batchBytes == 0 && offHeapBytes == 0;
  }
}
