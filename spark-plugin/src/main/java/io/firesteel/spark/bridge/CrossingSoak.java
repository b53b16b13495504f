package io.firesteel.spark.bridge;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.StringJoiner;

/**
 * Sends batches through the bridge and looks at the process's size: {@code CrossingSoak [batches] [columns] [rows]},
 * by default a million batches of 16 columns and 64 rows.
 *
 * <p>Prints one line of JSON: resident bytes at the 100,000th batch (or a tenth of fewer), at every tenth of the way and
 * at the end, the growth from the first to the last, and what is still alive after the runner is closed, which must be
 * zero. A new runner is opened every thousand batches, as tasks do.
 */
public final class CrossingSoak {
  private static final int BATCHES_PER_RUNNER = 1000;
  private static final int WARM_UP = 100_000;

  private CrossingSoak() {}

  public static void main(String[] args) throws IOException {
    int batches = args.length > 0 ? Integer.parseInt(args[0]) : 1_000_000;
    int columns = args.length > 1 ? Integer.parseInt(args[1]) : 16;
    int rows = args.length > 2 ? Integer.parseInt(args[2]) : 64;
    int warm = Math.min(WARM_UP, Math.max(1, batches / 10));
    long atWarm = 0;
    int tenth = Math.max(1, batches / 10);
    StringJoiner tenths = new StringJoiner(", ");
    int done = 0;
    while (done < batches) {
      try (CrossingLoad load = new CrossingLoad(columns, rows)) {
        for (int i = 0; i < BATCHES_PER_RUNNER && done < batches; i++) {
          load.write();
          load.cross();
          load.runner.clear();
          done++;
          if (done == warm) {
            atWarm = resident();
          }
          if (done % tenth == 0) {
            tenths.add(Long.toString(resident()));
          }
        }
      }
    }
    long atEnd = resident();
    NativeCounts left = NativeCounts.now();
    System.out.printf(
        Locale.ROOT,
        "{\"batches\": %d, \"rss_after\": %d, \"rss_after_bytes\": %d, \"rss_end_bytes\": %d, \"growth_bytes\": %d, "
            + "\"rss_tenths_bytes\": [%s], "
            + "\"runners_left\": %d, \"batches_left\": %d, \"off_heap_bytes_left\": %d}%n",
        done,
        warm,
        atWarm,
        atEnd,
        atEnd - atWarm,
        tenths,
        left.runners(),
        left.batches(),
        left.offHeapBytes());
    if (!left.isZero()) {
      System.exit(1);
    }
  }

  /** Resident bytes of this process, after a collection so that the heap's garbage does not count. */
  private static long resident() throws IOException {
    System.gc();
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
      }
    }
    throw new IOException("no VmRSS in /proc/self/status");
  }
}
