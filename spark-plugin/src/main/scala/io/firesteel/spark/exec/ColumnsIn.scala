package io.firesteel.spark.exec

import org.apache.spark.sql.catalyst.rules.Rule
import org.apache.spark.sql.execution.{ColumnarRule, ColumnarToRowExec, SparkPlan}

/** Takes the columns of a vectorized reader straight into [[FiresteelEvalExec]]: no rows are made of them on the way. */
object ColumnsIn extends ColumnarRule {
  override def postColumnarTransitions: Rule[SparkPlan] = ReadColumns

  private object ReadColumns extends Rule[SparkPlan] {
    override def apply(plan: SparkPlan): SparkPlan = plan.transformUp {
      case eval @ FiresteelEvalExec(_, _, _, ColumnarToRowExec(columns)) if eval.keepsNothing =>
        eval.copy(child = columns)
    }
  }
}
