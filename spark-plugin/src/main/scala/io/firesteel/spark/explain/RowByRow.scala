package io.firesteel.spark.explain

import io.firesteel.spark.FiresteelConf
import io.firesteel.spark.exec.{FiresteelEval, NativeCall}
import org.apache.spark.sql.catalyst.expressions.{ConditionalExpression, Expression, LambdaFunction}
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression
import org.apache.spark.sql.catalyst.plans.logical.{Aggregate, Join, LogicalPlan}
import org.apache.spark.sql.internal.SQLConf

/** Calls of the engine that are evaluated a row at a time, with the same bits, each with its reason and its cure. */
private[explain] object RowByRow {

  /** What is left in an optimized plan's operators, when those that could be taken out are in `FiresteelEval`s. */
  def in(plan: LogicalPlan, conf: SQLConf): Seq[String] =
    plan.collect { case node if !node.isInstanceOf[FiresteelEval] => node }.flatMap { node =>
      node.expressions.flatMap(calls(_, inLambda = false, inBranch = false)).distinctBy(_.call.semanticHash()).map {
        found => s"${found.call.sql} in ${node.nodeName}: ${reason(node, found, conf)}"
      }
    }

  private final case class Found(call: NativeCall, inLambda: Boolean, inBranch: Boolean)

  private def calls(expression: Expression, inLambda: Boolean, inBranch: Boolean): Seq[Found] = expression match {
    case call: NativeCall =>
      Found(call, inLambda, inBranch) +: call.children.flatMap(calls(_, inLambda, inBranch))
    case lambda: LambdaFunction => lambda.children.flatMap(calls(_, inLambda = true, inBranch))
    case branches: ConditionalExpression => branches.children.flatMap(calls(_, inLambda, inBranch = true))
    case other => other.children.flatMap(calls(_, inLambda, inBranch))
  }

  private def reason(node: LogicalPlan, found: Found, conf: SQLConf): String = node match {
    case _ if !FiresteelConf.batchEnabled(conf) => s"${FiresteelConf.BatchEnabled} is false. Set it to true"
    case _ if found.inLambda => "it is called for each element of an array. Explode the array, and call it on the rows"
    case _ if found.call.exists(_.isInstanceOf[AggregateExpression]) =>
      "it takes an aggregate's result. Compute the aggregate in a subquery, and call it on the subquery's rows"
    case _: Join => "it takes columns of both sides of a join. Join first, and call it in a SELECT above"
    case _: Aggregate =>
      "it takes an aggregate's result. Compute the aggregate in a subquery, and call it on the subquery's rows"
    case _ if found.inBranch =>
      "it stands in a branch that not every row takes, on inputs that could fail for the others. Compute the inputs in a " +
        "subquery where they are always good"
    case _ => "calls are not taken out of this operator. Call it in a SELECT below, and use the column"
  }
}
