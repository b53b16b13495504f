package io.firesteel.spark.exec

import org.apache.spark.sql.catalyst.expressions.{Expression, UnaryExpression}
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback
import org.apache.spark.sql.catalyst.util.GenericArrayData
import org.apache.spark.sql.types.{ArrayType, DataType, DoubleType, UserDefinedType}

/**
 * The values of an ml vector as an array of doubles, zeros written out: what `vector_to_array` gives.
 *
 * Known by its user-defined type's name, because a plan may have vectors on a cluster where this jar does not see the
 * ml classes, and ours need not be compiled against them. A vector is stored as a struct: its kind (0 sparse, 1 dense),
 * size, indices, values.
 */
final case class VectorValues(child: Expression) extends UnaryExpression with CodegenFallback {
  override def dataType: DataType = ArrayType(DoubleType, containsNull = false)

  override def nullable: Boolean = child.nullable

  override protected def nullSafeEval(input: Any): Any = {
    val vector = input.asInstanceOf[InternalRow]
    val values = vector.getArray(3)
    if (vector.getByte(0) == VectorValues.Dense) {
      values
    } else {
      val indices = vector.getArray(2)
      val all = new Array[Double](vector.getInt(1))
      var i = 0
      while (i < indices.numElements()) {
        all(indices.getInt(i)) = values.getDouble(i)
        i += 1
      }
      new GenericArrayData(all)
    }
  }

  override def prettyName: String = "vector_values"

  override protected def withNewChildInternal(newChild: Expression): VectorValues = copy(child = newChild)
}

object VectorValues {
  private val Dense: Byte = 1
  private val Types = Set("org.apache.spark.ml.linalg.VectorUDT", "org.apache.spark.mllib.linalg.VectorUDT")

  /** The expression, as an array if it is a vector. */
  def of(expression: Expression): Expression = expression.dataType match {
    case vector: UserDefinedType[_] if Types(vector.getClass.getName) => VectorValues(expression)
    case _ => expression
  }
}
