package io.firesteel.spark.exec

import io.firesteel.spark.models.MicroBatch
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan
import org.apache.spark.sql.catalyst.rules.Rule

/**
 * Gives the calls of a micro-batch's plan the models of that batch. A stream is analyzed once and planned anew for every
 * micro-batch, and this is the first that happens then; a batch query keeps the models that it was analyzed with.
 */
object BatchModels extends Rule[LogicalPlan] {
  override def apply(plan: LogicalPlan): LogicalPlan = MicroBatch.current.fold(plan) { batch =>
    plan.transformAllExpressions {
      case call: NativeCall if call.program.swap.isDefined => call.withProgram(call.program.in(batch))
      case rows: UnpackedRows if rows.program.swap.isDefined => rows.copy(program = rows.program.in(batch))
    }
  }
}
