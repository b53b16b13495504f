package io.firesteel.spark.bridge;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Where the native side's log lines go: SLF4J, each Rust module a logger below {@code io.firesteel.native}. */
final class NativeLog {
  private static final String ROOT = "io.firesteel.native";

  private NativeLog() {}

  /** The most detailed level that the root of our loggers lets through, in {@link Native#init}'s numbers. */
  static int level() {
    Logger root = LoggerFactory.getLogger(ROOT);
    if (root.isTraceEnabled()) return 5;
    if (root.isDebugEnabled()) return 4;
    if (root.isInfoEnabled()) return 3;
    if (root.isWarnEnabled()) return 2;
    return root.isErrorEnabled() ? 1 : 0;
  }

  /** Called by native code, from any of its threads. */
  static void log(int level, String module, String message) {
    Logger logger = LoggerFactory.getLogger(ROOT + "." + module.replace("::", "."));
    switch (level) {
      case 1 -> logger.error(message);
      case 2 -> logger.warn(message);
      case 3 -> logger.info(message);
      case 4 -> logger.debug(message);
      default -> logger.trace(message);
    }
  }
}
