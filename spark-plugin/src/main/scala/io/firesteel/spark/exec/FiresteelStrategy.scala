package io.firesteel.spark.exec

import org.apache.spark.sql.catalyst.plans.logical.{Filter, Generate, LogicalPlan, Project}
import org.apache.spark.sql.execution.{SparkPlan, SparkStrategy}

/**
 * Plans [[FiresteelEval]] as [[FiresteelEvalExec]]. A filter and a projection right above it become part of it: they
 * read the results where they are, instead of a row that would be made for them.
 */
object FiresteelStrategy extends SparkStrategy {
  override def apply(plan: LogicalPlan): Seq[SparkPlan] = plan match {
    case Project(list, Filter(condition, eval: FiresteelEval)) =>
      FiresteelEvalExec(eval.calls, Some(condition), list, planLater(eval.child)) :: Nil
    case Project(list, eval: FiresteelEval) =>
      FiresteelEvalExec(eval.calls, None, list, planLater(eval.child)) :: Nil
    case Filter(condition, eval: FiresteelEval) =>
      FiresteelEvalExec(eval.calls, Some(condition), eval.output, planLater(eval.child)) :: Nil
    case eval: FiresteelEval =>
      FiresteelEvalExec(eval.calls, None, eval.output, planLater(eval.child)) :: Nil
    case generate @ Generate(windows: WindowedRows, _, _, _, output, child) if generate.requiredChildOutput.isEmpty =>
      WindowedRowsExec(windows, output, planLater(child)) :: Nil
    case _ => Nil
  }
}
