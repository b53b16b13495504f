package io.firesteel.spark.bridge;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.StringJoiner;
import javax.management.JMException;
import javax.management.ObjectName;

/**
 * Sends batches through the bridge and looks at the process's size: {@code CrossingSoak [batches] [columns] [rows]},
 * by default a million batches of 16 columns and 64 rows.
 *
 * <p>Prints one line of JSON: resident bytes at the 100,000th batch (or a tenth of fewer), at every tenth of the way and
 * at the end, the growth from the first to the last, and what is still alive after the runner is closed, which must be
 * zero. A new runner is opened every thousand batches, as tasks do.
 *
 * <p>Resident bytes are taken twice: as they are, and ({@code trimmed}) after malloc was asked to give its free memory back
 * to the system. The JIT's C2 compiles the loop again at some moment, at random and once or twice in a run; it takes some
 * megabytes for that and frees them, and malloc keeps them. What is left after the trim is what somebody still holds.
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
    long trimmedAtWarm = 0;
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
            trimmedAtWarm = trimmed();
          }
          if (done % tenth == 0) {
            tenths.add(Long.toString(resident()));
          }
        }
      }
    }
    long atEnd = resident();
    long trimmedAtEnd = trimmed();
    NativeCounts left = NativeCounts.now();
    System.out.printf(
        Locale.ROOT,
        "{\"batches\": %d, \"rss_after\": %d, \"rss_after_bytes\": %d, \"rss_end_bytes\": %d, \"growth_bytes\": %d, "
            + "\"trimmed_growth_bytes\": %d, \"rss_tenths_bytes\": [%s], "
            + "\"runners_left\": %d, \"batches_left\": %d, \"off_heap_bytes_left\": %d}%n",
        done,
        warm,
        atWarm,
        atEnd,
        atEnd - atWarm,
        trimmedAtEnd - trimmedAtWarm,
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

  /** As {@link #resident}, after malloc gave back what nobody uses: {@code jcmd System.trim_native_heap}. */
  private static long trimmed() throws IOException {
    try {
      ManagementFactory.getPlatformMBeanServer()
          .invoke(
              new ObjectName("com.sun.management:type=DiagnosticCommand"),
              "systemTrimNativeHeap",
              new Object[0],
              new String[0]);
    } catch (JMException e) {
      throw new IOException("this JVM has no System.trim_native_heap; JDK 17.0.9 and later have", e);
    }
    return resident();
  }
}
