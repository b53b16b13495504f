package io.firesteel.spark.kafka.pushdown

import io.firesteel.spark.kafka.{OffsetRange, TopicPartition}
import org.apache.spark.sql.connector.expressions.filter.{And, Or, Predicate}
import org.apache.spark.sql.connector.expressions.{Expression, Literal, NamedReference}
import org.apache.spark.sql.types.{IntegerType, LongType, StringType, TimestampType}
import org.apache.spark.unsafe.types.UTF8String

/**
 * What a query's filters say about the places of records. It only narrows what is read: Spark still applies every
 * filter, so that a stretch may be too large, but never too small.
 *
 * @param pushed the predicates that say something, as Spark gave them
 */
private[kafka] final class RecordFilter private (val pushed: Array[Predicate], places: Seq[RecordFilter.Places]) {

  /**
   * What is left of the ranges.
   *
   * @param atOrAfter by partition the first offset at or after a time in milliseconds, or the partition's end
   */
  def narrow(
      ranges: Seq[OffsetRange],
      atOrAfter: Map[TopicPartition, Long] => Map[TopicPartition, Long]): Seq[OffsetRange] = {
    val wanted = ranges.map { range =>
      val stretch = places.map(_(range.tp)).foldLeft(Stretch.All)(_ and _)
      val cut = range.copy(from = math.max(range.from, stretch.from), until = math.min(range.until, stretch.until))
      (cut, stretch.since)
    }.filter(_._1.size > 0)
    // Times before 1970 narrow nothing: records have none, but -1 for no time, and such numbers mean other things in a
    // question.
    val firsts = atOrAfter(wanted.collect { case (range, since) if since > 0 => range.tp -> since }.toMap)
    wanted.map { case (range, _) =>
      range.copy(from = firsts.get(range.tp).fold(range.from)(math.max(range.from, _)))
    }.filter(_.size > 0)
  }

  override def toString: String = pushed.mkString("PushedFilters: [", ", ", "]")
}

private[kafka] object RecordFilter {

  /** By partition, where in it a predicate may hold. */
  private type Places = TopicPartition => Stretch

  val none: RecordFilter = new RecordFilter(Array.empty, Seq.empty)

  /** Of predicates on the columns of records, all of which must hold. */
  def of(predicates: Array[Predicate]): RecordFilter = {
    val (pushed, places) = predicates.flatMap(predicate => read(predicate).map(predicate -> _)).unzip
    new RecordFilter(pushed, places.toSeq)
  }

  /** None: it says nothing about places. */
  private def read(predicate: Predicate): Option[Places] = predicate match {
    case and: And =>
      Seq(and.left, and.right).flatMap(read) match {
        case Seq() => None
        case sides => Some(tp => sides.map(_(tp)).reduce(_ and _))
      }
    case or: Or => for (left <- read(or.left); right <- read(or.right)) yield tp => left(tp).or(right(tp))
    case _ =>
      predicate.children.toSeq match {
        case Column(name) +: values if predicate.name == "IN" => oneOf(name, values)
        case Seq(Column(name), literal: Literal[_]) => compared(name, predicate.name, literal)
        case _ => None
      }
  }

  private object Column {
    def unapply(expression: Expression): Option[String] = expression match {
      case reference: NamedReference if reference.fieldNames.length == 1 => Some(reference.fieldNames.head)
      case _ => None
    }
  }

  private def oneOf(column: String, values: Seq[Expression]): Option[Places] = {
    // A null in the list equals nothing.
    val wanted = values.collect { case literal: Literal[_] if literal.value != null => compared(column, "=", literal) }
    val nulls = values.count { case literal: Literal[_] => literal.value == null; case _ => false }
    if (wanted.size + nulls < values.size || wanted.exists(_.isEmpty)) None
    else Some(tp => wanted.flatten.map(_(tp)).foldLeft(Stretch.Nothing)(_ or _))
  }

  /**
   * Only literals of the column's own type: Spark makes them so where nothing is lost; what it compares in another type
   * it casts, and a cast is not looked into.
   */
  private def compared(column: String, operator: String, literal: Literal[_]): Option[Places] =
    (column, literal.dataType, literal.value) match {
      case ("topic", StringType, topic: UTF8String) if isEqual(operator) =>
        val name = topic.toString
        Some(tp => Stretch.where(tp.topic == name))
      case ("partition", IntegerType, number: Int) =>
        holds(operator).map(sign => tp => Stretch.where(sign(tp.partition.compare(number))))
      case ("offset", LongType, offset: Long) => offsets(operator, offset).map(stretch => _ => stretch)
      case ("timestamp", TimestampType, micros: Long) => since(operator, micros).map(stretch => _ => stretch)
      case _ => None
    }

  private def isEqual(operator: String) = operator == "=" || operator == "<=>"

  /** Of the sign of a comparison. */
  private def holds(operator: String): Option[Int => Boolean] = operator match {
    case "=" | "<=>" => Some(_ == 0)
    case "<" => Some(_ < 0)
    case "<=" => Some(_ <= 0)
    case ">" => Some(_ > 0)
    case ">=" => Some(_ >= 0)
    case _ => None
  }

  private def offsets(operator: String, offset: Long): Option[Stretch] = operator match {
    case "=" | "<=>" => Some(Stretch.from(offset).and(Stretch.to(offset)))
    case "<" => Some(Stretch.before(offset))
    case "<=" => Some(Stretch.to(offset))
    case ">" => Some(Stretch.after(offset))
    case ">=" => Some(Stretch.from(offset))
    case _ => None
  }

  /**
   * Kafka tells the first record at or after a time, so all before it are older, whatever their order. Nothing of the
   * kind is known for an upper end: where producers give the times, an older record may follow a newer one. So `<` and
   * `<=` say nothing.
   */
  private def since(operator: String, micros: Long): Option[Stretch] = operator match {
    // Records have whole milliseconds: between two of them, the later one is the first that can be meant.
    case "=" | "<=>" | ">=" =>
      val whole = Math.floorMod(micros, MicrosOfMilli) == 0
      Some(Stretch.since(Math.floorDiv(micros, MicrosOfMilli) + (if (whole) 0 else 1)))
    case ">" => Some(Stretch.since(Math.floorDiv(micros, MicrosOfMilli) + 1))
    case _ => None
  }

  private val MicrosOfMilli = 1000L
}
