package io.firesteel.spark.bridge;

/** A pipeline file or a call that can never work. One line per fault, each with file, line and column. */
public final class FiresteelSpecException extends FiresteelException {
  private static final long serialVersionUID = 1L;

  public FiresteelSpecException(String message) {
    super(message);
  }
}
