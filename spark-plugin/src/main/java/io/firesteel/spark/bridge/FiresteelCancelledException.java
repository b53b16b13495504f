package io.firesteel.spark.bridge;

/** The task was killed while native code ran; not a fault. */
public final class FiresteelCancelledException extends FiresteelException {
  private static final long serialVersionUID = 1L;

  public FiresteelCancelledException(String message) {
    super(message);
  }
}
