package io.firesteel.spark.resolve

import io.firesteel.spark.FiresteelAnalysisException
import io.firesteel.spark.exec.{FiresteelPipeline, VectorValues}
import org.apache.spark.sql.catalyst.analysis.Resolver
import org.apache.spark.sql.catalyst.expressions.{Cast, CreateNamedStruct, Expression, GetStructField, Literal}
import org.apache.spark.sql.types._

/**
 * The columns of `firesteel_pipeline`'s struct argument, by name. Only those that a pipeline reads are taken out, so
 * that a scan still reads no more than it must.
 */
private[resolve] final class PipelineInput(argument: Expression, resolver: Resolver) {
  private val fields: Seq[(String, Expression)] = argument match {
    case named: CreateNamedStruct =>
      named.nameExprs.map(_.eval().toString).zip(named.valExprs)
    case other =>
      other.dataType match {
        case struct: StructType =>
          struct.fields.toSeq.zipWithIndex.map { case (field, i) =>
            field.name -> GetStructField(other, i, Some(field.name))
          }
        case wrong =>
          throw new FiresteelAnalysisException(
            s"WRONG_ARGUMENT: ${FiresteelPipeline.Name}'s second argument must be a struct, such as struct(*), " +
              s"but is ${wrong.sql}"
          )
      }
  }

  /** A column of its own with this name, or the field at the end of a path such as `merchant.geo.lat`. */
  def find(name: String): Option[Expression] =
    fields.collectFirst { case (n, e) if resolver(n, name) => e }.orElse {
      val parts = name.split('.').toSeq
      if (parts.length < 2) None
      else {
        fields.collectFirst { case (n, e) if resolver(n, parts.head) => e }.flatMap { start =>
          parts.tail.foldLeft(Option(start))((found, part) => found.flatMap(fieldOf(_, part)))
        }
      }
    }

  private def fieldOf(expression: Expression, name: String): Option[Expression] = expression match {
    case named: CreateNamedStruct =>
      named.nameExprs.zip(named.valExprs).collectFirst {
        case (literal: Literal, value) if resolver(String.valueOf(literal.value), name) => value
      }
    case other =>
      other.dataType match {
        case struct: StructType =>
          struct.fields.indexWhere(f => resolver(f.name, name)) match {
            case -1 => None
            case i => Some(GetStructField(other, i, Some(name)))
          }
        case _ => None
      }
  }

  def names: Seq[String] = fields.map(_._1)

  /** The required columns that are not there. */
  def missing(prepared: Prepared): Seq[String] =
    prepared.input.fieldNames.toSeq.filterNot(prepared.optional.contains).filter(find(_).isEmpty)

  /** The columns to hand over and their expressions; optional ones only if they are there and fit. */
  def columns(prepared: Prepared): Seq[(StructField, Expression)] =
    prepared.input.fields.toSeq.flatMap { field =>
      find(field.name).flatMap { expression =>
        fitted(expression, field.dataType) match {
          case Some(fits) => Some(field -> fits)
          case None if prepared.optional(field.name) => None
          case None =>
            throw new FiresteelAnalysisException(
              s"WRONG_TYPE: column ${field.name} is ${expression.dataType.sql}, the pipeline wants " +
                s"${field.dataType.sql}. Cast it before the pipeline"
            )
        }
      }
    }

  /** The expression in the wanted type, if nothing can be lost on the way. */
  private def fitted(column: Expression, wanted: DataType): Option[Expression] = {
    val expression = if (wanted.isInstanceOf[ArrayType]) VectorValues.of(column) else column
    (expression.dataType, wanted) match {
      case (_: StringType, _: StringType) => Some(expression)
      case (have, want) if have == want => Some(expression)
      // The same bytes under another name.
      case (_: StringType, BinaryType) => Some(Cast(expression, BinaryType))
      case (have, want) if DataType.equalsIgnoreNullability(have, want) => Some(expression)
      case (have, want) if Cast.canUpCast(have, want) => Some(Cast(expression, want, Some("UTC")))
      case _ => None
    }
  }
}
