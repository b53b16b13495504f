package io.firesteel.spark.models

/** A store, a version or an alias that is not there, not whole, or not as asked for: `CONDITION: what happened. What to do`. */
final class ModelStoreException(message: String, cause: Throwable = null) extends RuntimeException(message, cause)
