package io.firesteel.spark.exec

import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{Expression, Generator}
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback
import org.apache.spark.sql.types.StructType

/**
 * `firesteel_pipeline_windows(file, buckets, bucket, from, packed)`: the last window block of a history and what comes
 * behind it, of rows packed by buckets. All pieces of a bucket must meet, so it is always planned as [[WindowedRowsExec]].
 *
 * @param block the prepared call of the block
 * @param program what comes behind it
 */
final case class WindowedRows(block: String, buckets: Int, program: Program, children: Seq[Expression])
    extends Generator
    with CodegenFallback {

  override def elementSchema: StructType = program.output

  override def nodeName: String = WindowedRows.Name

  override def prettyName: String = WindowedRows.Name

  override def toString: String = s"$prettyName(${(program.name +: children.map(_.toString)).mkString(", ")})"

  override def sql: String = s"$prettyName(${(s"'${program.name}'" +: children.map(_.sql)).mkString(", ")})"

  override def eval(input: InternalRow): IterableOnce[InternalRow] =
    throw new IllegalStateException(
      s"INTERNAL: ${WindowedRows.Name} was planned without FiresteelStrategy: is FiresteelExtensions in spark.sql.extensions?"
    )

  override protected def withNewChildrenInternal(newChildren: IndexedSeq[Expression]): WindowedRows =
    copy(children = newChildren)
}

object WindowedRows {
  val Name = "firesteel_pipeline_windows"
}
