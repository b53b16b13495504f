package io.firesteel.spark.bridge;

import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Which machines the native library runs on. Pure: the caller says what the machine looks like. */
final class NativePlatform {
  /** The folder of our only build. */
  static final String FOLDER = "linux-x86_64";

  /** The oldest C library that both our library and ONNX Runtime's were built for. */
  private static final int GLIBC_MINOR = 28;

  private static final Pattern OLD_GLIBC = Pattern.compile("/libc-2\\.(\\d+)\\.so");

  private NativePlatform() {}

  /**
   * Why this machine can't run the library, in one sentence; empty if it can.
   *
   * @param os system property {@code os.name}
   * @param arch system property {@code os.arch}
   * @param maps text of {@code /proc/self/maps}, empty if unknown
   */
  static Optional<String> refusal(String os, String arch, String maps) {
    String machine = arch.toLowerCase(Locale.ROOT);
    if (!os.toLowerCase(Locale.ROOT).startsWith("linux")) {
      return refuse("this is " + os + " on " + arch);
    }
    if (!machine.equals("amd64") && !machine.equals("x86_64")) {
      return refuse("this machine is " + arch);
    }
    if (maps.contains("/ld-musl-")) {
      return refuse("this system uses musl as its C library");
    }
    Matcher glibc = OLD_GLIBC.matcher(maps);
    if (glibc.find() && Integer.parseInt(glibc.group(1)) < GLIBC_MINOR) {
      return refuse("this system has glibc 2." + glibc.group(1));
    }
    return Optional.empty();
  }

  private static Optional<String> refuse(String what) {
    return Optional.of(
        "UNSUPPORTED_PLATFORM: Firesteel's native library is built for Linux on x86-64 with glibc 2."
            + GLIBC_MINOR
            + " or newer, but "
            + what
            + ".");
  }
}
