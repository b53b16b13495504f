package io.firesteel.spark.exec

import org.apache.spark.sql.catalyst.expressions._

/**
 * Where everything stands in the rows of [[FiresteelEvalExec]]: fixed on the driver, shipped with the tasks.
 *
 * @param programs each call's program and its inputs' places in the child's rows
 * @param kept the child's columns that are read behind the evaluation
 * @param rowSchema what condition and projection are bound to: `kept`, the results, and the results' fields
 */
private[exec] final case class EvalLayout(
    programs: Seq[(Program, Array[Int])],
    childOutput: Seq[Attribute],
    kept: Seq[Attribute],
    rowSchema: Seq[Attribute],
    condition: Option[Expression],
    projectList: Seq[Expression])

private[exec] object EvalLayout {
  def apply(
      calls: Seq[Alias],
      condition: Option[Expression],
      projectList: Seq[NamedExpression],
      childOutput: Seq[Attribute]): EvalLayout = {
    val programs = calls.map { alias =>
      val call = alias.child.asInstanceOf[NativeCall]
      val places = call.children.map(input => childOutput.indexWhere(_.exprId == input.asInstanceOf[Attribute].exprId))
      require(places.forall(_ >= 0), s"INTERNAL: inputs of $call are not among ${childOutput.mkString(", ")}")
      (call.program, places.toArray)
    }
    val results = calls.map(_.toAttribute)
    val fields = results.zip(calls).map { case (result, alias) =>
      alias.child.asInstanceOf[NativeCall].dataType.fields.toSeq.map { field =>
        AttributeReference(s"${result.name}.${field.name}", field.dataType)()
      }
    }
    // A field of a result is a column of its own in native memory: read it there, without a row object in between.
    // Where a result is null its fields are null too, so nothing is lost.
    def direct(expression: Expression): Expression = expression.transformDown {
      case GetStructField(attribute: Attribute, i, _) if results.exists(_.exprId == attribute.exprId) =>
        fields(results.indexWhere(_.exprId == attribute.exprId))(i)
    }
    val conditionDirect = condition.map(direct)
    val projectDirect = projectList.map(direct)
    val read = AttributeSet(conditionDirect.toSeq ++ projectDirect)
    val kept = childOutput.filter(read.contains)
    EvalLayout(programs, childOutput, kept, kept ++ results ++ fields.flatten, conditionDirect, projectDirect)
  }
}
