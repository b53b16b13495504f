package io.firesteel.spark.bridge;

/** A failure inside the native engine, in the engine's own words: {@code CONDITION: what happened}. */
public class FiresteelException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public FiresteelException(String message) {
    super(message);
  }
}
