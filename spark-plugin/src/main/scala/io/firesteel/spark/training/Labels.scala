package io.firesteel.spark.training

import java.util.Locale

import io.firesteel.spark.FiresteelAnalysisException
import org.apache.spark.sql.catalyst.expressions.Cast
import org.apache.spark.sql.functions.{coalesce, col, count, lit}
import org.apache.spark.sql.types._
import org.apache.spark.sql.{Column, DataFrame}

/**
 * Labels of events, at most one row for each.
 *
 * @param on
 *   the columns by which they find their events
 */
private[training] final class Labels(frame: DataFrame, val on: Seq[String], default: Map[String, Any]) {

  /** The label columns: all the others. */
  val names: Seq[String] = frame.columns.toSeq.filterNot(name => on.exists(_.equalsIgnoreCase(name)))

  check()

  /** `events` with the labels, null or the default where there is none. */
  def join(events: DataFrame, columns: Seq[String] = names): DataFrame = {
    checkTypes(events.schema)
    // Names of their own: labels are often a part of the table that the events are in.
    val keys = on.zipWithIndex.map { case (name, i) => Labels.named(name).as(s"_firesteel_on_$i") }
    val values = columns.map(name => Labels.named(name).as(s"_firesteel_label_$name"))
    val right = frame.select(keys ++ values: _*)
    val condition = on.zipWithIndex.map { case (name, i) => Labels.named(name) === col(s"_firesteel_on_$i") }
    val joined = events.join(right, condition.reduce(_ && _), "left")
    joined.select(events.columns.toSeq.map(Labels.named) ++ columns.map(filled): _*)
  }

  /** Null if the event has no label. */
  private def filled(name: String): Column = {
    val found = Labels.named(s"_firesteel_label_$name")
    val value = default.collectFirst { case (key, constant) if key.equalsIgnoreCase(name) => constant }
    value.fold(found)(constant => coalesce(found, lit(constant).cast(frame.schema(name).dataType))).as(name)
  }

  /** Whether an event that was joined has no label at all. */
  def missing: Column = names.map(name => Labels.named(name).isNull).reduce(_ && _)

  /** Throws if an event has several rows. Reads the labels once. */
  def refuseDuplicates(): Unit = {
    val keys = on.map(Labels.named)
    val twice = frame.groupBy(keys: _*).agg(count(lit(1)).as("_firesteel_rows"))
      .where(col("_firesteel_rows") > 1 && keys.map(_.isNotNull).reduce(_ && _)).limit(3).collect()
    if (twice.nonEmpty) {
      val some = twice.map(row => on.indices.map(i => s"${on(i)} ${row.get(i)}").mkString(", ")).mkString("; ")
      val by = on.map(name => s"\"$name\"").mkString(", ")
      throw new FiresteelAnalysisException(
        s"DUPLICATE_LABELS: labels has more than one row for an event, such as $some. Keep one of each: " +
          s"labels.dropDuplicates([$by]) if they say the same, else the one that counts, such as " +
          s"labels.groupBy($by).agg(max_by(\"label\", \"known_at\"))"
      )
    }
  }

  private def check(): Unit = {
    on.find(name => !frame.columns.exists(_.equalsIgnoreCase(name))).foreach { name =>
      throw new FiresteelAnalysisException(
        s"MISSING_COLUMNS: labels has no column $name to find its event by. There are: ${frame.columns.mkString(", ")}"
      )
    }
    if (names.isEmpty) {
      throw new FiresteelAnalysisException(
        s"BAD_TRAINING_SET: labels has no column beside ${on.mkString(", ")}: where is the label?"
      )
    }
    default.foreach { case (name, constant) =>
      val field = frame.schema.fields.find(field => names.contains(field.name) && field.name.equalsIgnoreCase(name))
      if (field.isEmpty) {
        throw new FiresteelAnalysisException(
          s"BAD_TRAINING_SET: default names $name, which is no label. Labels are: ${names.mkString(", ")}"
        )
      }
      field.filterNot(field => Labels.fits(constant, field.dataType)).foreach { field =>
        throw new FiresteelAnalysisException(
          s"WRONG_TYPE: default is $constant for $name, which is ${field.dataType.sql}"
        )
      }
    }
  }

  private def checkTypes(events: StructType): Unit = on.foreach { name =>
    val (left, right) = (Labels.typeOf(events, name), Labels.typeOf(frame.schema, name))
    if (!Cast.canUpCast(left, right) && !Cast.canUpCast(right, left)) {
      throw new FiresteelAnalysisException(
        s"WRONG_TYPE: $name is ${right.sql} in labels and ${left.sql} in the events. Cast it in labels"
      )
    }
    if (left.isInstanceOf[StringType] != right.isInstanceOf[StringType]) {
      throw new FiresteelAnalysisException(
        s"WRONG_TYPE: $name is ${right.sql} in labels and ${left.sql} in the events, and texts such as 7 and 07 would " +
          "be two events or one. Cast it in labels"
      )
    }
  }
}

private[training] object Labels {

  /** A column by its whole name, dots included. */
  def named(name: String): Column = col(s"`${name.replace("`", "``")}`")

  private def typeOf(schema: StructType, name: String): DataType =
    schema.fields.find(_.name.equalsIgnoreCase(name)).fold[DataType](NullType)(_.dataType)

  private def fits(constant: Any, to: DataType): Boolean = (constant, to) match {
    case (_: Boolean, BooleanType) => true
    case (_: Long | _: Int, _: NumericType) => true
    case (_: Double, DoubleType | FloatType | _: DecimalType) => true
    case (_: String, _: StringType) => true
    case _ => false
  }

  /** The one column that events and labels share. */
  def shared(labels: DataFrame, inputs: Seq[String]): Seq[String] = {
    val lower = inputs.map(_.toLowerCase(Locale.ROOT)).toSet
    labels.columns.toSeq.filter(name => lower(name.toLowerCase(Locale.ROOT))) match {
      case Seq(one) => Seq(one)
      case several =>
        val which = if (several.isEmpty) "no column" else several.mkString("the columns ", ", ", "")
        throw new FiresteelAnalysisException(
          s"BAD_TRAINING_SET: labels and events share $which. Say with `on` by which ones a label finds its event. " +
            s"Labels: ${labels.columns.mkString(", ")}; events: ${inputs.mkString(", ")}"
        )
    }
  }
}
