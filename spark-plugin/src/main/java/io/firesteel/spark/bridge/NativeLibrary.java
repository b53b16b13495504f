package io.firesteel.spark.bridge;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.SparkEnv;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds, checks and loads the native library and ONNX Runtime's, once per process and class loader.
 *
 * <p>They come from the folder in {@code -Dfiresteel.native.path} or {@code spark.firesteel.native.path}, or else out
 * of our own jar: copied into a private folder, compared with their sha256, loaded, and unlinked again (Linux keeps a
 * loaded file), so that even a killed process leaves nothing behind. A failure is remembered and every later call
 * throws it again, with the linker's own error as its cause.
 */
public final class NativeLibrary {
  /** System property and, with {@code spark.} before it, Spark setting. */
  public static final String PATH_KEY = "firesteel.native.path";

  static final String LIBRARY = "libfiresteel.so";
  static final String ONNX_RUNTIME = "libonnxruntime.so";
  private static final String SUMS = "SHA256SUMS";

  private static final Logger LOG = LoggerFactory.getLogger(NativeLibrary.class);

  private static boolean loaded;
  private static String version;
  private static FiresteelException failure;

  private NativeLibrary() {}

  /** Loads unless loaded. Throws the first failure, again and again. */
  public static synchronized void load() {
    if (loaded) {
      return;
    }
    if (failure != null) {
      throw failure;
    }
    try {
      version = loadNow();
      loaded = true;
      LOG.info("Firesteel's native library {} is loaded", version);
    } catch (FiresteelException e) {
      failure = e;
      throw e;
    }
  }

  /** Version of the loaded library. */
  public static synchronized String version() {
    load();
    return version;
  }

  private static String loadNow() {
    Optional<String> refusal =
        NativePlatform.refusal(System.getProperty("os.name"), System.getProperty("os.arch"), maps());
    if (refusal.isPresent()) {
      throw new FiresteelException(refusal.get());
    }
    Optional<String> configured = configuredPath();
    if (configured.isPresent()) {
      return link(Path.of(configured.get()).toAbsolutePath());
    }
    List<Throwable> errors = new ArrayList<>();
    for (String parent : parents()) {
      try {
        return extractAndLink(Path.of(parent));
      } catch (IOException | FiresteelException e) {
        // A folder mounted noexec or full: the next one may do.
        errors.add(e);
      }
    }
    FiresteelException e =
        new FiresteelException(
            "NATIVE_LIBRARY: could not be loaded from any of "
                + parents()
                + ": "
                + errors.get(0).getMessage()
                + ". Set -D"
                + PATH_KEY
                + " to a folder with "
                + LIBRARY
                + " and "
                + ONNX_RUNTIME);
    e.initCause(errors.get(0));
    errors.subList(1, errors.size()).forEach(e::addSuppressed);
    throw e;
  }

  private static Optional<String> configuredPath() {
    String property = System.getProperty(PATH_KEY);
    if (property == null && SparkEnv.get() != null) {
      property = SparkEnv.get().conf().get("spark." + PATH_KEY, null);
    }
    return Optional.ofNullable(property).filter(p -> !p.isBlank());
  }

  private static String maps() {
    try {
      return Files.readString(Path.of("/proc/self/maps"));
    } catch (IOException e) {
      return "";
    }
  }

  /** Where a private folder may be made, best first. */
  private static Set<String> parents() {
    Set<String> parents = new LinkedHashSet<>();
    parents.add(System.getProperty("java.io.tmpdir"));
    for (String name : List.of("LOCAL_DIRS", "SPARK_EXECUTOR_DIRS", "SPARK_LOCAL_DIRS")) {
      String value = System.getenv(name);
      if (value != null && !value.isBlank()) {
        parents.add(value.split("[,:]")[0]);
      }
    }
    parents.add(System.getProperty("user.dir"));
    return parents;
  }

  private static String extractAndLink(Path parent) throws IOException {
    Path folder =
        Files.createTempDirectory(
            parent,
            "firesteel-",
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    Path library = folder.resolve(LIBRARY);
    Path onnxRuntime = folder.resolve(ONNX_RUNTIME);
    try {
      String sums = new String(resource(SUMS).readAllBytes(), StandardCharsets.UTF_8);
      extract(library, sums);
      extract(onnxRuntime, sums);
      return link(folder);
    } finally {
      Files.deleteIfExists(library);
      Files.deleteIfExists(onnxRuntime);
      Files.deleteIfExists(folder);
    }
  }

  private static InputStream resource(String name) {
    String path = "/native/" + NativePlatform.FOLDER + "/" + name;
    InputStream found = NativeLibrary.class.getResourceAsStream(path);
    if (found == null) {
      throw new FiresteelException(
          "NATIVE_LIBRARY: " + path + " is not in the jar that Firesteel's classes came from. Use the jar of `make dist`");
    }
    return found;
  }

  private static void extract(Path to, String sums) throws IOException {
    String name = to.getFileName().toString();
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JVM has SHA-256", e);
    }
    try (InputStream in = resource(name);
        OutputStream file = Files.newOutputStream(to, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        OutputStream out = new DigestOutputStream(file, digest)) {
      in.transferTo(out);
    }
    String sum = HexFormat.of().formatHex(digest.digest());
    if (!sums.contains(sum + "  " + name + "\n")) {
      throw new FiresteelException(
          "NATIVE_LIBRARY: " + name + " has sha256 " + sum + ", which is not the one in the jar. The jar is damaged");
    }
  }

  private static String link(Path folder) {
    try {
      System.load(folder.resolve(LIBRARY).toString());
    } catch (UnsatisfiedLinkError e) {
      FiresteelException failure =
          new FiresteelException("NATIVE_LIBRARY: " + folder.resolve(LIBRARY) + ": " + e.getMessage());
      failure.initCause(e);
      throw failure;
    }
    return Native.init(folder.resolve(ONNX_RUNTIME).toString(), NativeLog.level());
  }
}
