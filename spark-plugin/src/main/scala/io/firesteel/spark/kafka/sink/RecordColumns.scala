package io.firesteel.spark.kafka.sink

import io.firesteel.spark.exec.WritableTypes
import io.firesteel.spark.kafka.sink.SinkOptions.refuse
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.types._
import org.json4s.JsonDSL._
import org.json4s.jackson.JsonMethods.{compact, render}

/**
 * Which columns of a frame are what in a record, as expressions over its rows, and the same for the native side.
 *
 * The rows that go on hold one column per part, in the order of `parts`. Made on the driver, where a column that is
 * missing or of a wrong type is refused; goes to the executors.
 */
private[kafka] final case class RecordColumns(parts: Seq[RecordPart], topic: Option[String], skipNulls: Boolean) {

  /** The columns that cross, under names that need no quoting. */
  def input: StructType =
    StructType(parts.zipWithIndex.map { case (part, i) => StructField(s"c$i", part.crossingType) })

  def indexOf(role: String): Option[Int] = Some(parts.indexWhere(_.role == role)).filter(_ >= 0)

  /** For the native side; `topic` is left out where the rows are only encoded. */
  def layout: String = {
    val members = parts.zipWithIndex.filter(_._1.role == RecordPart.Member).map { case (part, i) =>
      ("column" -> i) ~ ("name" -> part.name) ~ ("finished" -> part.finished)
    }
    val json = ("topic" -> topic) ~ ("topic_column" -> indexOf("topic")) ~ ("partition" -> indexOf("partition")) ~
      ("key" -> indexOf("key")) ~ ("headers" -> indexOf("headers")) ~ ("value" -> indexOf("value")) ~
      ("members" -> members) ~ ("skip_nulls" -> skipNulls)
    compact(render(json))
  }

  /** Where the parts stand in the frame's rows, if each of them is a column of it as it is. */
  def ordinals: Option[Array[Int]] =
    Some(parts.collect { case RecordPart(_, _, reference: BoundReference, _) => reference.ordinal }.toArray)
      .filter(_.length == parts.length)

  /** The projection to the parts; one per writer, its headers count rows. */
  def projection: UnsafeProjection = {
    val projection = UnsafeProjection.create(parts.map(_.expression))
    projection.initialize(0)
    projection
  }

  /** The same columns with ids that begin with this. */
  def withIdStart(start: String): RecordColumns = copy(parts = parts.map {
    case part @ RecordPart(_, _, headers: RecordHeaders, _) if headers.idParts.isEmpty =>
      part.copy(expression = headers.copy(idStart = start))
    case part => part
  })
}

/**
 * One part of a record.
 *
 * @param role `topic`, `partition`, `key`, `headers`, `value` or [[RecordPart.Member]]
 * @param name of a member
 * @param finished the member's text is a JSON object made by Spark, for types that do not cross
 */
private[kafka] final case class RecordPart(role: String, name: String, expression: Expression, finished: Boolean) {
  def crossingType: DataType = expression.dataType match {
    case _: StringType => StringType
    case other => other
  }
}

private[kafka] object RecordPart {
  val Member = "member"
}

private[kafka] object RecordColumns {
  private val SourceColumn = "_source"
  private val SourceFields = Seq("topic", "partition", "offset")

  /** Throws an AnalysisException that names the column. */
  def of(schema: StructType, options: SinkOptions, isStreaming: Boolean): RecordColumns = {
    val frame = new Frame(schema)
    val topic = if (options.topic.isDefined) None else frame.part("topic", "STRING")(isText)
    if (topic.isEmpty && options.topic.isEmpty) {
      refuse("MISSING_OPTION: topic is not set, and the frame has no column topic: give one or the other")
    }
    val record = topic.toSeq ++ frame.part("partition", "INT")(_ == IntegerType) ++
      frame.part("key", "STRING or BINARY")(isBytes)
    val headers = frame.part("headers", s"ARRAY<STRUCT<key: STRING, value: BINARY>>")(isHeaders)
    val source = frame.source.filter(_ => options.idHeader.isDefined && options.idColumns.isEmpty)
    val id = idParts(frame, options, source, isStreaming)
    val allHeaders =
      if (headers.isEmpty && options.idHeader.isEmpty) None
      else Some(RecordPart("headers", "", RecordHeaders(headers.map(_.expression), options.idHeader, "", id), false))
    val value = options.valueFormat match {
      case ValueFormat.Column =>
        Seq(frame.part("value", "STRING or BINARY")(isBytes).getOrElse {
          refuse(
            s"MISSING_COLUMN: the frame has no column value: make one, or set valueFormat = json. " +
              s"It has ${schema.fieldNames.mkString(", ")}"
          )
        })
      case ValueFormat.Json(skip) => members(schema, source.isDefined, skip)
    }
    val skipNulls = options.valueFormat match {
      case ValueFormat.Json(skip) => skip
      case ValueFormat.Column => false
    }
    RecordColumns(record ++ allHeaders ++ value, options.topic, skipNulls)
  }

  private def indexOf(fields: StructType, name: String): Option[Int] =
    Some(fields.fieldNames.indexOf(name)).filter(_ >= 0)

  private def isText(dataType: DataType): Boolean = dataType.isInstanceOf[StringType]

  private def isBytes(dataType: DataType): Boolean = isText(dataType) || dataType == BinaryType

  private def isHeaders(dataType: DataType): Boolean = dataType match {
    case ArrayType(StructType(Array(key, value)), _) =>
      key.name == "key" && isText(key.dataType) && value.name == "value" && value.dataType == BinaryType
    case _ => false
  }

  private def idParts(
      frame: Frame,
      options: SinkOptions,
      source: Option[Expression],
      isStreaming: Boolean): Seq[Expression] =
    if (options.idHeader.isEmpty) Nil
    else if (options.idColumns.nonEmpty) {
      options.idColumns.map { name =>
        val column = frame.column(name).getOrElse {
          refuse(s"MISSING_COLUMN: idColumns names $name, which the frame does not have")
        }
        if (!HeaderBytes.isIdPart(column.dataType)) {
          refuse(s"WRONG_TYPE: column $name of idColumns is ${column.dataType.sql}: wanted STRING, INT or BIGINT")
        }
        column
      }
    } else {
      source match {
        case Some(struct) =>
          val fields = struct.dataType.asInstanceOf[StructType]
          SourceFields.map(name => GetStructField(struct, fields.fieldIndex(name)))
        case None if isStreaming => Nil
        case None =>
          refuse(
            "MISSING_OPTION: idHeader in a batch write needs idColumns, or a column _source of topic, partition and " +
              "offset: a batch has no id of its own that would come again"
          )
      }
    }

  private def members(schema: StructType, withoutSource: Boolean, skipNulls: Boolean): Seq[RecordPart] = {
    val taken = Set("topic", "partition", "key", "headers") ++ (if (withoutSource) Set(SourceColumn) else Set.empty)
    schema.fields.toSeq.zipWithIndex.filterNot { case (field, _) => taken(field.name) }.map { case (field, i) =>
      val column = BoundReference(i, field.dataType, nullable = true)
      if (WritableTypes.takes(field.dataType)) RecordPart(RecordPart.Member, field.name, column, finished = false)
      else {
        val settings = Map("ignoreNullFields" -> skipNulls.toString)
        val struct = CreateNamedStruct(Seq(Literal(field.name), column))
        val json = StructsToJson(settings, struct, Some("UTC"))
        if (json.checkInputDataTypes().isFailure) {
          refuse(s"UNSUPPORTED_TYPE: column ${field.name} of type ${field.dataType.sql} has no form in JSON")
        }
        RecordPart(RecordPart.Member, field.name, json.replacement, finished = true)
      }
    }
  }

  private final class Frame(schema: StructType) {
    def column(name: String): Option[BoundReference] =
      indexOf(schema, name).map(i => BoundReference(i, schema(i).dataType, nullable = true))

    def part(name: String, wanted: String)(fits: DataType => Boolean): Option[RecordPart] =
      column(name).map { column =>
        if (!fits(column.dataType)) {
          refuse(s"WRONG_TYPE: column $name is ${column.dataType.sql}: wanted $wanted")
        }
        RecordPart(name, "", column, finished = false)
      }

    def source: Option[Expression] = column(SourceColumn).filter { column =>
      column.dataType match {
        case struct: StructType =>
          SourceFields.forall(name => indexOf(struct, name).exists(i => HeaderBytes.isIdPart(struct(i).dataType)))
        case _ => false
      }
    }
  }
}
