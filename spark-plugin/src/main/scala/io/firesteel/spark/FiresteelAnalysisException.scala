package io.firesteel.spark

import org.apache.spark.QueryContext
import org.apache.spark.sql.AnalysisException
import org.apache.spark.sql.catalyst.trees.Origin

/**
 * A query that can't work, found before any job: the engine's own message, with file, line and column.
 *
 * Carries Spark's condition for messages that are not Spark's own: without one PySpark fails on the exception itself.
 * The constructor is the one that Spark 4.0 to 4.2 have in common.
 */
final class FiresteelAnalysisException(message: String, cause: Option[Throwable] = None)
    extends AnalysisException(
      message,
      None,
      None,
      cause,
      Some("USER_RAISED_EXCEPTION"),
      Map("errorMessage" -> message),
      Array.empty[QueryContext]
    ) {

  /** A fault has its place in the pipeline file; the place in the query that names the file would only mislead. */
  override def withPosition(origin: Origin): AnalysisException = this
}
