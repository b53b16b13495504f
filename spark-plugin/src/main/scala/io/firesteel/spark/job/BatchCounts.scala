package io.firesteel.spark.job

import io.firesteel.spark.Firesteel
import org.apache.spark.sql.{DataFrame, Row}
import org.apache.spark.sql.functions.{col, count, lit}

/** Why rows of a batch were rejected, and how many. */
private[job] final case class RejectedCount(stage: String, code: String, rows: Long)

/** The books of one micro-batch; `challengers` has what [[Challengers]] observed. */
private[job] final case class BatchCounts(
    rowsIn: Long,
    rowsScored: Long,
    rejected: Seq[RejectedCount],
    challengers: Map[String, Row] = Map.empty) {
  def rowsRejected: Long = rejected.map(_.rows).sum

  /** Law of conservation: every row that came in is scored or rejected. Throws, which fails the batch. */
  def check(batchId: Long): Unit =
    if (rowsIn != rowsScored + rowsRejected)
      throw new IllegalStateException(
        s"ROWS_LOST: batch $batchId read $rowsIn rows, scored $rowsScored and rejected $rowsRejected. " +
          "This is a fault in Firesteel: please report it with the pipeline file"
      )
}

private[job] object BatchCounts {
  private val reason = col(Firesteel.RejectedColumn)

  /** Counts the transformed rows of a batch; `rowsIn` comes from before the transformation. */
  def of(transformed: DataFrame, rowsIn: () => Long): BatchCounts = {
    val groups = transformed
      .groupBy(reason.isNull, reason.getField("stage"), reason.getField("code"))
      .agg(count(lit(1)))
      .collect()
    val (scored, rejected) = groups.partition(_.getBoolean(0))
    BatchCounts(rowsIn(), scored.map(_.getLong(3)).sum, rejected.map(rejectedCount).toSeq.sortBy(-_.rows))
  }

  private def rejectedCount(row: Row): RejectedCount = RejectedCount(row.getString(1), row.getString(2), row.getLong(3))
}
