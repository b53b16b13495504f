package io.firesteel.spark.bridge;

/** A bug in the native engine, caught at the border: the panic's message and its place. The JVM stays usable. */
public final class FiresteelPanicException extends FiresteelException {
  private static final long serialVersionUID = 1L;

  public FiresteelPanicException(String message) {
    super(message);
  }
}
