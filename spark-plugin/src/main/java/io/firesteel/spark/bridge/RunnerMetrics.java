package io.firesteel.spark.bridge;

/** What a runner has done since it was opened. Times in nanoseconds. */
public record RunnerMetrics(
    long rows,
    long batches,
    long rejected,
    long decodeNanos,
    long cleanNanos,
    long featuresNanos,
    long inferenceNanos,
    long challengersNanos,
    long engineNanos,
    long outputBytes) {

  static final int COUNT = 10;

  public static final RunnerMetrics ZERO = new RunnerMetrics(0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

  static RunnerMetrics of(long[] v) {
    return new RunnerMetrics(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9]);
  }

  /** The work between an earlier reading and this one; {@code outputBytes} is a level, not a sum. */
  public RunnerMetrics since(RunnerMetrics e) {
    return new RunnerMetrics(
        rows - e.rows,
        batches - e.batches,
        rejected - e.rejected,
        decodeNanos - e.decodeNanos,
        cleanNanos - e.cleanNanos,
        featuresNanos - e.featuresNanos,
        inferenceNanos - e.inferenceNanos,
        challengersNanos - e.challengersNanos,
        engineNanos - e.engineNanos,
        outputBytes);
  }
}
