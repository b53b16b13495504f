package io.firesteel.spark.bridge;

/**
 * The entries of the native library, one to one. Nothing else in the plugin declares a native method.
 *
 * <p>Every entry may be called from any thread. A handle that was closed, or never was one, gives a
 * {@link FiresteelException}, not a crash. Addresses are of C Data Interface structs that the caller owns. Call
 * {@link NativeLibrary#load} first; use {@link NativeRunner} rather than the handle entries.
 */
final class Native {
  private Native() {}

  /**
   * Prepares the library for this process; later calls change the log level only.
   *
   * @param onnxRuntime absolute path of {@code libonnxruntime.so}
   * @param logLevel 0 off, 1 error, 2 warn, 3 info, 4 debug, 5 trace
   * @return the library's version
   */
  static native String init(String onnxRuntime, int logLevel);

  /** What the engine sees of this machine, as JSON: findings, and the container's limit of memory. */
  static native String machine();

  /** Loads a model unless it is loaded, and gives its sha256 in hex. */
  static native String modelLoad(byte[] model);

  static native boolean modelContains(String sha256);

  /** The model's inputs and outputs as JSON. */
  static native String modelDescribe(String sha256);

  /** What the loaded models take and how they run, as JSON. */
  static native String modelReport();

  /** Bytes that all loaded models take. */
  static native long modelBytes();

  /** Reads a pipeline file; gives its canonical JSON. */
  static native String specParse(String yaml, String file);

  /**
   * Throws the fault of a pipeline's model that could not be read, at its place in the file.
   *
   * @param position of the model in the file, from 0
   * @param there names of the files beside the model; the nearest is advised
   */
  static native void modelFault(String yaml, String file, int position, String message, String[] there);

  /**
   * Checks a whole pipeline against its (loaded) models.
   *
   * @param sha256s of the models, in the order of the file, and then the input's files in base64
   * @param typed whether typed columns come in, or records' bytes
   * @return JSON: call, input, optional, output, plan
   */
  static native String preparePipeline(String yaml, String file, String[] sha256s, boolean typed);

  /** Checks the call of one (loaded) model on typed columns. Gives the same JSON as {@link #preparePipeline}. */
  static native String preparePredict(String model, String sha256, String[] names, String[] types);

  /**
   * Opens a runner for a prepared call.
   *
   * @param call the prepared call's JSON
   * @param input the columns that {@link #process} will be given, as DDL
   */
  static native long open(String call, String input);

  /**
   * Runs one batch.
   *
   * @param input an ArrowArray (struct) that this call takes over
   * @param output an ArrowArray; what it held is released first, then it is filled
   * @return rows in the output, always those of the input
   */
  static native long process(long handle, long input, long output);

  /** Fills {@code into} in the order of {@link RunnerMetrics}. */
  static native void metrics(long handle, long[] into);

  /** Makes a running {@link #process} stop soon, and every later one fail. */
  static native void cancel(long handle);

  static native void close(long handle);

  /** Releases what an ArrowArray holds, if anything. */
  static native void release(long array);

  /** Address of the C function that releases a {@link BatchWriter}'s structs. */
  static native long borrowedRelease();

  /** Open runners, exported batches not yet released, and bytes in them. */
  static native void liveCounts(long[] into);

  /** Panics: 0 with a literal, 1 with a formatted message, 2 with a payload that is no text. Harmless. */
  static native void selfTestPanic(int kind);

  /** Calls {@code target.run()} and lets its exception through. */
  static native void selfTestCallback(Runnable target);

  /** Logs one line. */
  static native void selfTestLog(int level, String message);

  /** A runner that adds its float columns into one: the crossing with next to no work behind it. */
  static native long selfTestSum(int columns);

  /** A runner that sleeps, in steps that notice {@link #cancel}, and then gives its first float column. */
  static native long selfTestSlow(long millis);
}
