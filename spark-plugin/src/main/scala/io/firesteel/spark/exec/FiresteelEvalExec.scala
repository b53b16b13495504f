package io.firesteel.spark.exec

import io.firesteel.spark.FiresteelConf
import org.apache.spark.TaskContext
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.execution.{OrderPreservingUnaryExecNode, PartitioningPreservingUnaryExecNode, SparkPlan}
import org.apache.spark.sql.execution.metric.SQLMetric

/**
 * The batched operator: rows are written into Arrow memory, cross once per batch, and come back as rows.
 *
 * Rows in, rows out, in order; it does not take part in Spark's columnar planning, which would put a row-to-column
 * copy of its own below. Where columns come anyway and no row is kept, [[ColumnsIn]] lets it read them. Columns that are only passed on wait as copied rows beside their batch.
 *
 * @param calls aliases of [[NativeCall]]s on the child's attributes
 * @param condition rows that go on, in terms of the child's columns and the results
 * @param projectList what goes on of them
 */
case class FiresteelEvalExec(
    calls: Seq[Alias],
    condition: Option[Expression],
    projectList: Seq[NamedExpression],
    child: SparkPlan)
    extends PartitioningPreservingUnaryExecNode
    with OrderPreservingUnaryExecNode {

  override def output: Seq[Attribute] = projectList.map(_.toAttribute)

  override protected def outputExpressions: Seq[NamedExpression] = projectList

  override protected def orderingExpressions: Seq[SortOrder] = child.outputOrdering

  override def producedAttributes: AttributeSet = AttributeSet(calls.map(_.toAttribute)) ++ outputSet

  override lazy val metrics: Map[String, SQLMetric] = EvalMetrics.create(sparkContext)

  override def nodeName: String = "FiresteelEval"

  override def verboseStringWithOperatorId(): String = {
    val plans = calls.map(_.child).collect { case call: NativeCall => call.program.plan }.distinct
    s"$formattedNodeName\n${plans.mkString("\n")}\n"
  }

  override protected def doExecute(): RDD[InternalRow] = {
    val layout = EvalLayout(calls, condition, projectList, child.output)
    val rows = FiresteelConf.batchSize(conf) * (if (calls.forall(packs)) FiresteelEvalExec.PackedTogether else 1)
    val bytes = FiresteelConf.batchBytes(conf)
    val recorded = EvalMetrics(metrics)
    def evaluator(partition: Int, input: EvalInput) =
      new BatchEvaluator(layout, input, partition, rows, bytes, recorded, TaskContext.get())
    if (child.supportsColumnar) {
      child.executeColumnar().mapPartitionsWithIndex((i, batches) => evaluator(i, new ColumnInput(batches)))
    } else {
      child.execute().mapPartitionsWithIndex((i, input) => evaluator(i, new RowInput(input)))
    }
  }

  /** Whether results are all that goes on, so that the child's rows as such are not needed. */
  private[exec] def keepsNothing: Boolean = EvalLayout(calls, condition, projectList, child.output).kept.isEmpty

  private def packs(call: Alias): Boolean = call.child match {
    case pipeline: FiresteelPipeline => pipeline.packs
    case _ => false
  }

  override protected def withNewChildInternal(newChild: SparkPlan): FiresteelEvalExec = copy(child = newChild)
}

private object FiresteelEvalExec {

  /** Batches at once where rows are packed by buckets: a piece of few rows costs as much as one of many. */
  val PackedTogether = 8
}
