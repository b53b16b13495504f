package io.firesteel.spark.bridge;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.StringJoiner;

/**
 * What the border costs, by batch size and column count: {@code CrossingBench <file.json> [repetitions]}.
 *
 * <p>Each case is timed apart for rows to Arrow ({@code write}) and Arrow to Arrow ({@code cross}, one call with its
 * import and its export, without the native work in between, which is timed natively and shown as {@code work}). A
 * list of {rows, columns, write_us, cross_us, work_us, …_min, …_max}, each the median of the repetitions with their
 * extremes, in µs per batch. A line through the crossing's medians over batch sizes gives µs per batch and ns per row;
 * the harness draws it.
 */
public final class CrossingBench {
  private static final int[] ROWS = {1, 64, 512, 2048, 8192, 32768};
  private static final int[] COLUMNS = {1, 4, 16, 64};
  private static final long WARM_UP_NANOS = 300_000_000L;
  private static final long SAMPLE_NANOS = 200_000_000L;

  private CrossingBench() {}

  public static void main(String[] args) throws IOException {
    Path file = Path.of(args[0]);
    int repetitions = args.length > 1 ? Integer.parseInt(args[1]) : 5;
    StringJoiner cases = new StringJoiner(",\n  ", "[\n  ", "\n]\n");
    for (int columns : COLUMNS) {
      for (int rows : ROWS) {
        cases.add(measure(rows, columns, repetitions));
      }
    }
    Files.writeString(file, cases.toString(), StandardCharsets.UTF_8);
  }

  private static String measure(int rows, int columns, int repetitions) {
    double[] write = new double[repetitions];
    double[] cross = new double[repetitions];
    double[] work = new double[repetitions];
    try (CrossingLoad load = new CrossingLoad(columns, rows)) {
      sample(load, WARM_UP_NANOS);
      for (int i = 0; i < repetitions; i++) {
        double[] figures = sample(load, SAMPLE_NANOS);
        write[i] = figures[0];
        cross[i] = figures[1];
        work[i] = figures[2];
      }
    }
    String line =
        String.format(
            Locale.ROOT,
            "{\"rows\": %d, \"columns\": %d, %s, %s, %s}",
            rows,
            columns,
            figure("write", write),
            figure("cross", cross),
            figure("work", work));
    System.out.println(line);
    return line;
  }

  private static String figure(String name, double[] values) {
    Arrays.sort(values);
    return String.format(
        Locale.ROOT,
        "\"%s_us\": %.4f, \"%s_us_min\": %.4f, \"%s_us_max\": %.4f",
        name,
        values[values.length / 2],
        name,
        values[0],
        name,
        values[values.length - 1]);
  }

  /** µs per batch for writing, crossing and native work, over batches for about {@code nanos}. */
  private static double[] sample(CrossingLoad load, long nanos) {
    long writing = 0;
    long crossing = 0;
    int batches = 0;
    float seen = 0;
    long workBefore = load.runner.metrics().engineNanos();
    while (writing + crossing < nanos) {
      long start = System.nanoTime();
      load.write();
      long written = System.nanoTime();
      seen += load.cross();
      load.runner.clear();
      long crossed = System.nanoTime();
      writing += written - start;
      crossing += crossed - written;
      batches++;
    }
    if (Float.isNaN(seen)) {
      throw new IllegalStateException("the sums are not numbers");
    }
    long working = load.runner.metrics().engineNanos() - workBefore;
    return new double[] {
      writing / 1e3 / batches, (crossing - working) / 1e3 / batches, working / 1e3 / batches
    };
  }
}
