package io.firesteel.spark

import org.apache.spark.sql.AnalysisException

/** A query that can't work, found before any job: the engine's own message, with file, line and column. */
final class FiresteelAnalysisException(message: String, cause: Option[Throwable] = None)
    extends AnalysisException(message = message, cause = cause)
