package io.firesteel.spark.bridge;

/**
 * The entries for windows over buckets of keys, one to one. Use {@link NativeBucket} rather than these.
 *
 * <p>Many small byte arrays cross as one: each with its length before it as four bytes, big-endian; the length −1 is none.
 */
final class NativeBucketCalls {
  private NativeBucketCalls() {}

  /**
   * The parts of a pipeline with windows whose rows go packed.
   *
   * @param found hashes of the models, in the order of the file, and then the input's files in base64
   * @param typed whether typed columns come in, or records' bytes
   * @param stream whether rows come again and again, so that they may wait for others
   * @return JSON: front and back as {@link Native#preparePipeline} gives a pipeline, and the calls of the blocks
   */
  static native String prepareParts(String yaml, String file, String[] found, boolean typed, int buckets, boolean stream);

  /**
   * Opens the prepared call of a block.
   *
   * @param byTime whether rows come as a history, in the order of their time, and not as they arrive
   */
  static native long open(String call, int buckets, boolean byTime);

  /** Opens the prepared call of the last block of a history, with what comes behind it. */
  static native long openLast(String call, int buckets);

  /** Takes packed rows for the bucket that is begun next. */
  static native void add(long handle, byte[] piece);

  /**
   * Begins with a bucket.
   *
   * @param book its own bytes; empty the first time
   * @param held the rows that wait for others; empty if there are none
   * @return the keys whose bytes are needed
   */
  static native byte[] begin(long handle, int number, byte[] book, byte[] held);

  /**
   * Works on the rows.
   *
   * @param kept the bytes of the keys, in their order
   * @return a byte that says whether to clean; the book; the rows that are held; and what to keep of each key
   */
  static native byte[] run(long handle, byte[] kept);

  /** The next rows that the bucket gave: their bucket in the next block as four bytes, and the rows; empty at the end. */
  static native byte[] next(long handle);

  /** Works on the pieces that came, all of one bucket of a history. */
  static native void runWhole(long handle);

  /**
   * The next rows of the bucket that was worked on.
   *
   * @param output address of an ArrowArray, which is filled
   * @return the bytes behind it; negative if there are no more rows
   */
  static native long nextRows(long handle, long output);

  /** Whether each of some keys is over, by the bucket that was run last. */
  static native void over(long handle, byte[] kept, boolean[] into);

  static native void cancel(long handle);

  static native void close(long handle);
}
