package io.firesteel.spark.bridge;

/** The models that this process has loaded, by the sha256 of their bytes. */
public final class NativeModels {
  private NativeModels() {}

  /** Loads a model unless it is loaded; gives its sha256. Throws with ONNX Runtime's own words if it can't. */
  public static String load(byte[] model) {
    NativeLibrary.load();
    return Native.modelLoad(model);
  }

  public static boolean contains(String sha256) {
    NativeLibrary.load();
    return Native.modelContains(sha256);
  }

  /** Inputs and outputs of a loaded model, as JSON. */
  public static String describe(String sha256) {
    NativeLibrary.load();
    return Native.modelDescribe(sha256);
  }

  /** What each loaded model takes, where it runs and with how many rows a call, as JSON. */
  public static String report() {
    NativeLibrary.load();
    return Native.modelReport();
  }

  /** Bytes that all loaded models take: weights, and the arenas of their calls. */
  public static long bytes() {
    NativeLibrary.load();
    return Native.modelBytes();
  }
}
