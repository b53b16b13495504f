package io.firesteel.spark.exec

import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Expression, Unevaluable}
import org.apache.spark.sql.catalyst.expressions.codegen.{CodegenContext, CodegenFallback, ExprCode}
import org.apache.spark.sql.types.StructType

/**
 * A call of the engine as an expression: one struct per input row.
 *
 * [[ExtractFiresteel]] moves calls into [[FiresteelEval]], where rows go in batches; wherever it can't, the call
 * evaluates row by row with the same bits. It is marked [[Unevaluable]] so that the optimizer neither folds it over
 * local data nor tries it on null rows: a call is work that belongs into a job.
 */
sealed trait NativeCall extends Expression with Unevaluable with CodegenFallback {
  def program: Program

  private[exec] def withProgram(other: Program): NativeCall

  override def dataType: StructType = program.resultType

  /** A runner is not shared between threads. */
  override def stateful: Boolean = true

  @transient private lazy val rowByRow: RowEvaluator = new RowEvaluator(program, children)

  override def eval(input: InternalRow): Any = rowByRow.eval(input)

  override protected def doGenCode(ctx: CodegenContext, ev: ExprCode): ExprCode =
    super[CodegenFallback].doGenCode(ctx, ev)

  override def toString: String = s"$prettyName(${(program.name +: children.map(_.toString)).mkString(", ")})"

  override def sql: String = s"$prettyName(${(s"'${program.name}'" +: children.map(_.sql)).mkString(", ")})"
}

/** `firesteel_pipeline(file, struct)`: the output columns, and `_rejected`, null for rows that were taken. */
final case class FiresteelPipeline(program: Program, children: Seq[Expression]) extends NativeCall {
  override def nullable: Boolean = false

  /** What is packed depends on the rows around it: none may be left out, moved or seen twice. */
  override lazy val deterministic: Boolean = !packs && children.forall(_.deterministic)

  override def prettyName: String = FiresteelPipeline.Name

  /** Whether rows come out packed by the buckets of their keys. */
  def packs: Boolean = program.output.fieldNames.sameElements(Array("packed"))

  override private[exec] def withProgram(other: Program): FiresteelPipeline = copy(program = other)

  override protected def withNewChildrenInternal(newChildren: IndexedSeq[Expression]): FiresteelPipeline =
    copy(children = newChildren)
}

object FiresteelPipeline {
  val Name = "firesteel_pipeline"

  /** What stands before the windows, its rows packed by the buckets of their keys. */
  val PackName = "firesteel_pipeline_pack"
}

/** `firesteel_predict(model, columns…)`: all of the model's outputs; null where a column is null. */
final case class FiresteelPredict(program: Program, children: Seq[Expression]) extends NativeCall {
  override def nullable: Boolean = true

  override def prettyName: String = FiresteelPredict.Name

  override private[exec] def withProgram(other: Program): FiresteelPredict = copy(program = other)

  override protected def withNewChildrenInternal(newChildren: IndexedSeq[Expression]): FiresteelPredict =
    copy(children = newChildren)
}

object FiresteelPredict {
  val Name = "firesteel_predict"
}
