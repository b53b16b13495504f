package io.firesteel.spark.exec

import io.firesteel.spark.bridge.NativeBucket
import org.apache.spark.TaskContext
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Expression, Generator, GenericInternalRow, UnaryExpression}
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback
import org.apache.spark.sql.types._

import scala.jdk.CollectionConverters._

/** `firesteel_pipeline_pieces(packed)`: the pieces in packed bytes with their buckets, numbered in the order of their task. */
final case class PackedPieces(child: Expression) extends UnaryExpression with Generator with CodegenFallback {
  @transient private lazy val task = TaskContext.getPartitionId().toLong << PackedPieces.PiecesBits
  @transient private var count = 0L

  override def stateful: Boolean = true

  override def elementSchema: StructType = PackedPieces.Schema

  override def nodeName: String = PackedPieces.Name

  override def prettyName: String = PackedPieces.Name

  override def eval(input: InternalRow): IterableOnce[InternalRow] =
    child.eval(input) match {
      case packed: Array[Byte] =>
        NativeBucket.pieces(packed).asScala.map { piece =>
          count += 1
          new GenericInternalRow(Array[Any](piece.bucket, task | (count - 1), piece.rows))
        }
      case _ => Nil
    }

  override protected def withNewChildInternal(newChild: Expression): PackedPieces = copy(child = newChild)
}

object PackedPieces {
  val Name = "firesteel_pipeline_pieces"
  private val PiecesBits = 32

  val Schema: StructType = StructType(
    Seq(
      StructField("bucket", IntegerType, nullable = false),
      StructField("from", LongType, nullable = false),
      StructField("rows", BinaryType, nullable = false)
    )
  )
}
