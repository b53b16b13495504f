package io.firesteel.spark.exec

import org.apache.spark.sql.catalyst.expressions.{Alias, Attribute, AttributeSet}
import org.apache.spark.sql.catalyst.plans.logical.{LogicalPlan, UnaryNode}

/**
 * Evaluates calls of the engine for every row of its child, each once.
 *
 * @param calls aliases of [[NativeCall]]s whose inputs are attributes of the child
 */
case class FiresteelEval(calls: Seq[Alias], child: LogicalPlan) extends UnaryNode {
  def results: Seq[Attribute] = calls.map(_.toAttribute)

  override def output: Seq[Attribute] = child.output ++ results

  override def producedAttributes: AttributeSet = AttributeSet(results)

  override def maxRows: Option[Long] = child.maxRows

  override protected def withNewChildInternal(newChild: LogicalPlan): FiresteelEval = copy(child = newChild)
}
