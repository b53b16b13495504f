package io.firesteel.spark.kafka.sink

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.{ByteBuffer, ByteOrder}

import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenFallback
import org.apache.spark.sql.catalyst.expressions.{Expression, Nondeterministic}
import org.apache.spark.sql.catalyst.util.ArrayData
import org.apache.spark.sql.types.{BinaryType, DataType, IntegerType, LongType, StringType}

/**
 * A row's headers, and its id as one more of them, in one binary value: per header the key's length, the key, the
 * value's length, the value; lengths in 32 bits, little-endian, -1 for null. The native producer reads the same form.
 *
 * @param headers an array of (key, value), or none
 * @param idHeader name of the header that carries the id, or none
 * @param idStart what the id begins with
 * @param idParts what follows it, each after a slash; the row's number in its task if there are none
 */
private[sink] final case class RecordHeaders(
    headers: Option[Expression],
    idHeader: Option[String],
    idStart: String,
    idParts: Seq[Expression]
) extends Expression
    with Nondeterministic
    with CodegenFallback {
  private var row = 0L
  private lazy val idKey = idHeader.map(_.getBytes(UTF_8))

  override def children: Seq[Expression] = headers.toSeq ++ idParts

  override def nullable: Boolean = false

  override def dataType: DataType = BinaryType

  override protected def initializeInternal(partition: Int): Unit = row = 0

  override protected def evalInternal(input: InternalRow): Any = {
    val out = new HeaderBytes
    headers.foreach { expression =>
      val array = expression.eval(input).asInstanceOf[ArrayData]
      if (array != null) {
        var i = 0
        while (i < array.numElements()) {
          val header = array.getStruct(i, 2)
          out.add(header.getUTF8String(0).getBytes, if (header.isNullAt(1)) null else header.getBinary(1))
          i += 1
        }
      }
    }
    idKey.foreach(key => out.add(key, id(input).getBytes(UTF_8)))
    row += 1
    out.bytes
  }

  private def id(input: InternalRow): String =
    if (idParts.isEmpty) s"$idStart$row"
    else idParts.map(part => String.valueOf(part.eval(input))).mkString(idStart, "/", "")

  override protected def withNewChildrenInternal(newChildren: IndexedSeq[Expression]): RecordHeaders =
    copy(headers = headers.map(_ => newChildren.head), idParts = newChildren.drop(headers.size))
}

/** Writes and reads that form. */
private[kafka] final class HeaderBytes {
  private var buffer = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN)

  def add(key: Array[Byte], value: Array[Byte]): Unit = {
    put(key)
    put(value)
  }

  private def put(bytes: Array[Byte]): Unit = {
    val length = if (bytes == null) 0 else bytes.length
    if (buffer.remaining < 4 + length) {
      val grown = ByteBuffer.allocate(math.max(buffer.capacity * 2, buffer.position() + 4 + length))
      buffer = grown.order(ByteOrder.LITTLE_ENDIAN).put(buffer.flip())
    }
    buffer.putInt(if (bytes == null) -1 else length)
    if (bytes != null) {
      val _ = buffer.put(bytes)
    }
  }

  def bytes: Array[Byte] = java.util.Arrays.copyOf(buffer.array, buffer.position())
}

private[kafka] object HeaderBytes {

  /** The headers in such a value. */
  def read(bytes: Array[Byte]): Seq[(String, Array[Byte])] = {
    val buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
    def next(): Array[Byte] = buffer.getInt match {
      case -1 => null
      case length =>
        val value = new Array[Byte](length)
        val _ = buffer.get(value)
        value
    }
    Iterator.continually(buffer.hasRemaining).takeWhile(identity).map(_ => (new String(next(), UTF_8), next())).toSeq
  }

  /** Types that a part of an id may have. */
  def isIdPart(dataType: DataType): Boolean = dataType match {
    case _: StringType | IntegerType | LongType => true
    case _ => false
  }
}
