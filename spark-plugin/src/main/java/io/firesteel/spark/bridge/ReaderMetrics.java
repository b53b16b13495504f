package io.firesteel.spark.bridge;

/** What a {@link KafkaReader} has done. Times in nanoseconds, the round trip in microseconds. */
public record ReaderMetrics(
    long rows,
    long batches,
    long bytes,
    long waitNanos,
    long lost,
    long roundTripMicros,
    long rejected,
    long decodeNanos,
    long cleanNanos,
    long featuresNanos,
    long inferenceNanos,
    long challengersNanos,
    long engineNanos) {

  static final int COUNT = 13;

  public static final ReaderMetrics ZERO = new ReaderMetrics(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

  static ReaderMetrics of(long[] v) {
    return new ReaderMetrics(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12]);
  }
}
