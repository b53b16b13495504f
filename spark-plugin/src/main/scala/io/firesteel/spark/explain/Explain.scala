package io.firesteel.spark.explain

import io.firesteel.spark.exec.{FiresteelEval, NativeCall, WindowedRows}
import io.firesteel.spark.resolve.Functions
import org.apache.spark.sql.DataFrame
import org.apache.spark.sql.catalyst.plans.logical.{Generate, LogicalPlan}
import org.apache.spark.sql.classic.{Dataset, SparkSession}
import org.apache.spark.sql.internal.SQLConf
import org.apache.spark.sql.streaming.StreamingQuery

/** What a part of Firesteel inside a query has to say of itself: its stages, one a line. */
private[spark] trait Explained {
  def explained: String
}

/**
 * What Firesteel does in a pipeline or a query, and how: stages, casts, models and what they run in, copies, batches,
 * tasks and threads, state, and every call that is evaluated row by row, with the reason.
 */
object Explain {

  /** A pipeline file on its own, as the driver reads and checks it. */
  def pipeline(path: String): String = {
    val spark = SparkSession.active
    val plan = Functions.planOf(path)
    sections(Seq("Pipeline" -> plan.linesIterator.toSeq), spark.sessionState.conf, Seq.empty, hasState(plan))
  }

  /** A DataFrame, batch or streaming; nothing of it runs. */
  def frame(df: DataFrame): String = df match {
    case classic: Dataset[_] =>
      val session = classic.sparkSession
      of(session.sessionState.optimizer.execute(classic.queryExecution.analyzed), session.sessionState.conf)
    case _ => throw new UnsupportedOperationException("over Spark Connect: SELECT firesteel_explain('<pipeline file>')")
  }

  /** A streaming query, as its last micro-batch was planned. */
  def query(query: StreamingQuery): String = LastBatch.optimized(query) match {
    case Some(plan) => of(plan, SparkSession.active.sessionState.conf)
    case None => "Nothing is planned yet: wait for the first micro-batch"
  }

  private def of(plan: LogicalPlan, conf: SQLConf): String = {
    val parts = plan.collect {
      case eval: FiresteelEval =>
        val calls = eval.calls.map(_.child).collect { case call: NativeCall => call }
        "FiresteelEval" -> (calls.map(_.program.plan).distinct.flatMap(_.linesIterator) :+ RowsIn)
      case Generate(windows: WindowedRows, _, _, _, _, _) =>
        "Windows" -> (windows.program.plan.linesIterator.toSeq :+
          "copies    rows of a bucket are packed once, shuffled as bytes, and unpacked into columns")
      case OurSource(source) => "Source" -> (source.explained.linesIterator.toSeq :+ SourceIn)
    }
    if (parts.isEmpty && !plan.exists(_.expressions.exists(_.exists(_.isInstanceOf[NativeCall]))))
      "Firesteel takes no part in this query"
    else sections(parts, conf, RowByRow.in(plan, conf), parts.exists(_._2.exists(hasState)))
  }

  private val RowsIn =
    "copies    the columns that are read are written into Arrow memory once; results are read where they are"
  private val SourceIn =
    "copies    each value goes from the answer of the broker into its column once; Spark reads the columns where they are"

  private def hasState(plan: String): Boolean = plan.linesIterator.exists(_.startsWith("windows"))

  private def sections(
      parts: Seq[(String, Seq[String])],
      conf: SQLConf,
      rowByRow: Seq[String],
      hasState: Boolean): String = {
    val around = Surroundings.lines(SparkSession.active, conf, hasState, parts.flatMap(_._2).mkString("\n"))
    val slow = if (rowByRow.isEmpty) Seq("nothing") else rowByRow
    (parts :+ ("Runs with" -> around) :+ ("Row by row" -> slow)).map { case (title, lines) =>
      (title +: lines.map("  " + _)).mkString("\n")
    }.mkString("\n")
  }
}

/** A leaf of a plan that holds our table or scan: the classes of these leaves differ between batch, stream and micro-batch. */
private object OurSource {
  def unapply(plan: LogicalPlan): Option[Explained] =
    if (plan.children.nonEmpty) None else plan.productIterator.collectFirst { case source: Explained => source }
}
