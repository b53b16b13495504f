package io.firesteel.spark.bridge;

/** Byte offsets in the C Data Interface's ArrowArray on a 64-bit machine; the specification fixes them. */
final class ArrowC {
  static final long LENGTH = 0;
  static final long NULL_COUNT = 8;
  static final long OFFSET = 16;
  static final long N_BUFFERS = 24;
  static final long N_CHILDREN = 32;
  static final long BUFFERS = 40;
  static final long CHILDREN = 48;
  static final long DICTIONARY = 56;
  static final long RELEASE = 64;
  static final long PRIVATE_DATA = 72;
  static final long SIZE = 80;

  private ArrowC() {}
}
