package io.firesteel.spark.exec

import scala.collection.mutable

import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression
import org.apache.spark.sql.types.{DoubleType, FloatType}

/** Pure questions about calls inside expressions: which may move below their operator, and which are the same. */
private[exec] object Calls {

  def hasCall(expression: Expression): Boolean = expression.exists(_.isInstanceOf[NativeCall])

  /**
   * The innermost calls that may be evaluated for every row of an input with the columns `available`.
   *
   * A call in a branch that is not always taken moves only if its inputs can't fail: `CASE WHEN b <> 0 THEN
   * firesteel_predict(m, a / b) END` must not divide by zero for the rows that the branch leaves out.
   */
  def liftable(expressions: Seq[Expression], available: AttributeSet): Seq[NativeCall] = {
    val found = mutable.ArrayBuffer.empty[NativeCall]

    def visit(expression: Expression, always: Boolean): Unit = expression match {
      case call: NativeCall if call.children.exists(hasCall) => call.children.foreach(visit(_, always))
      case call: NativeCall =>
        if (isMovable(call, available) && (always || call.children.forall(cannotFail)) && !isAmong(found, call)) {
          found += call
        }
      case And(left, right) =>
        visit(left, always)
        visit(right, always = false)
      case Or(left, right) =>
        visit(left, always)
        visit(right, always = false)
      case branches: ConditionalExpression =>
        val sure = branches.alwaysEvaluatedInputs
        branches.children.foreach(child => visit(child, always && sure.exists(_ eq child)))
      case aggregate: AggregateExpression =>
        aggregate.children.foreach(visit(_, always && aggregate.filter.isEmpty))
      // Its variables exist only inside.
      case _: LambdaFunction =>
      case other => other.children.foreach(visit(_, always))
    }

    expressions.foreach(visit(_, always = true))
    found.toSeq
  }

  private def isAmong(calls: Iterable[NativeCall], call: NativeCall): Boolean = calls.exists(same(_, call))

  /** Whether one evaluation serves both. Two calls on `rand()` are two calls. */
  def same(a: NativeCall, b: NativeCall): Boolean = (a eq b) || a.semanticEquals(b)

  private def isMovable(call: NativeCall, available: AttributeSet): Boolean =
    call.references.subsetOf(available) && !call.exists {
      case _: AggregateExpression | _: WindowExpression | _: Generator | _: NamedLambdaVariable | _: OuterReference =>
        true
      case _ => false
    }

  private def cannotFail(input: Expression): Boolean = input match {
    case _: Attribute | _: Literal => true
    case field: GetStructField => cannotFail(field.child)
    case cast: Cast => Cast.canUpCast(cast.child.dataType, cast.dataType) && cannotFail(cast.child)
    // Floating point has a value for everything; whole numbers overflow.
    case _: Add | _: Subtract | _: Multiply | _: UnaryMathExpression =>
      (input.dataType == DoubleType || input.dataType == FloatType) && input.children.forall(cannotFail)
    case _ => false
  }

  /** The expression with every call that has a result replaced by it. */
  def replace(expression: Expression, results: Seq[(NativeCall, Attribute)]): Expression =
    expression.transformDown { case call: NativeCall => resultOf(call, results).getOrElse(call) }

  private def resultOf(call: NativeCall, results: Seq[(NativeCall, Attribute)]): Option[Attribute] =
    results.collectFirst { case (evaluated, result) if same(evaluated, call) => result }
}
