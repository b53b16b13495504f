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
 * copy of its own below. Columns that are only passed on wait as copied rows beside their batch.
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
    val rows = FiresteelConf.batchSize(conf)
    val bytes = FiresteelConf.batchBytes(conf)
    val recorded = EvalMetrics(metrics)
    child.execute().mapPartitionsWithIndex { (partition, input) =>
      new BatchEvaluator(layout, input, partition, rows, bytes, recorded, TaskContext.get())
    }
  }

  override protected def withNewChildInternal(newChild: SparkPlan): FiresteelEvalExec = copy(child = newChild)
}
