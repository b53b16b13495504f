package io.firesteel.spark.exec

import io.firesteel.spark.bridge.NativeRunner
import org.apache.spark.TaskContext
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Expression, GenericInternalRow}

/**
 * A call evaluated row by row: a batch of one. For plans that don't batch, such as real-time mode.
 *
 * Made where it is used, by one thread. Its runner is closed with its task, or, outside of one, by the collector.
 */
private[exec] final class RowEvaluator(program: Program, inputs: Seq[Expression]) {
  private val expressions = inputs.toArray
  private val values = new GenericInternalRow(expressions.length)

  private lazy val runner: NativeRunner = {
    val task = TaskContext.get()
    val opened = program.open(expressions.indices.toArray, TaskBudget.of(task))
    if (task != null) {
      TaskRunners.closeWith(task, opened)
    }
    opened
  }

  def eval(input: InternalRow): Any = {
    var i = 0
    while (i < expressions.length) {
      values.update(i, expressions(i).eval(input))
      i += 1
    }
    runner.append(values)
    try {
      val result = runner.run()
      val struct = if (program.isStruct) result.getChild(0).getStruct(0) else result.getStruct(0)
      if (struct == null) null else struct.copy()
    } finally runner.clear()
  }
}
