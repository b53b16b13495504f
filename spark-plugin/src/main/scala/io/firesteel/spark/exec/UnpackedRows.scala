package io.firesteel.spark.exec

import io.firesteel.spark.bridge.NativeRunner
import org.apache.spark.TaskContext
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Expression, Generator, GenericInternalRow, UnaryExpression}
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback
import org.apache.spark.sql.types.StructType

/**
 * `firesteel_pipeline_unpack(file, packed)`: what comes behind a pipeline's windows, one row for each packed one.
 *
 * Spark asks for the rows of one input after the other and takes each before the next, so that they need no copy.
 */
final case class UnpackedRows(program: Program, child: Expression)
    extends UnaryExpression
    with Generator
    with CodegenFallback {

  override def elementSchema: StructType = program.output

  override def nodeName: String = UnpackedRows.Name

  override def prettyName: String = UnpackedRows.Name

  @transient private lazy val packed = new GenericInternalRow(1)

  @transient private lazy val runner: NativeRunner = {
    val task = TaskContext.get()
    val opened = program.open(Array(0), TaskBudget.of(task))
    if (task != null) {
      TaskRunners.closeWith(task, opened)
    }
    opened
  }

  override def eval(input: InternalRow): IterableOnce[InternalRow] = {
    runner.clear()
    packed.update(0, child.eval(input))
    runner.append(packed)
    val rows = TaskRunners.stoppable(TaskContext.get())(runner.expand())
    val result = runner.result()
    Iterator.range(0, rows).map(result.getStruct)
  }

  override protected def withNewChildInternal(newChild: Expression): UnpackedRows = copy(child = newChild)
}

object UnpackedRows {
  val Name = "firesteel_pipeline_unpack"
}
