package io.firesteel.spark.bridge;

/** Checks the machine, and on the driver pipeline files and model calls before any job. All faults come as {@link FiresteelSpecException}. */
public final class NativeCalls {
  private NativeCalls() {}

  /** Canonical JSON of a pipeline file. */
  public static String parse(String yaml, String file) {
    NativeLibrary.load();
    return Native.specParse(yaml, file);
  }

  /** See {@link Native#machine}. */
  public static String machine() {
    NativeLibrary.load();
    return Native.machine();
  }

  /** See {@link Native#modelFault}. */
  public static void modelFault(String yaml, String file, int position, String message, String[] there) {
    NativeLibrary.load();
    Native.modelFault(yaml, file, position, message, there);
  }

  /** See {@link Native#preparePipeline}. */
  public static String preparePipeline(String yaml, String file, String[] sha256s, boolean typed) {
    NativeLibrary.load();
    return Native.preparePipeline(yaml, file, sha256s, typed);
  }

  /** See {@link Native#preparePredict}. */
  public static String preparePredict(String model, String sha256, String[] names, String[] types) {
    NativeLibrary.load();
    return Native.preparePredict(model, sha256, names, types);
  }
}
