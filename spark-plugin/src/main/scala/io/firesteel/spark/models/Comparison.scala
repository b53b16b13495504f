package io.firesteel.spark.models

import io.firesteel.spark.FiresteelAnalysisException
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.expressions.aggregate.{AggregateFunction, Average, Count, Max}
import org.apache.spark.sql.types._

/**
 * `firesteel_compare(champion, challenger[, label[, threshold]])`: how much the answers of two models differ, and with a
 * label, which of them is right more often. A struct of Spark's own aggregates, so that it stands wherever `avg` does:
 * in SELECT, behind GROUP BY and windows, and in `observe` of a stream.
 *
 * Rows that the challenger did not score (its sample, its failures) count in `rows` only.
 */
private[spark] object Comparison {
  val Name = "firesteel_compare"

  private val DefaultThreshold = 0.5

  // ln 0 is infinite, and one row would be all of the mean: the usual least probability.
  private val Least = 1e-15

  def of(arguments: Seq[Expression]): Expression = arguments match {
    case Seq(champion, challenger) => compared(champion, challenger, None, DefaultThreshold)
    case Seq(champion, challenger, label) => compared(champion, challenger, Some(label), DefaultThreshold)
    case Seq(champion, challenger, label, threshold) =>
      compared(champion, challenger, Some(label).filter(_.dataType != NullType), constant(threshold))
    case other =>
      throw wrong(s"takes a champion's column, a challenger's, and if you like a label and a threshold, but got " +
        s"${other.length} arguments")
  }

  private def wrong(what: String) = new FiresteelAnalysisException(s"WRONG_ARGUMENT: $Name $what")

  private def constant(threshold: Expression): Double =
    Some(threshold).filter(_.foldable).flatMap(e => Option(Cast(e, DoubleType).eval())).map(_.asInstanceOf[Double])
      .getOrElse(throw wrong("wants a constant number as its threshold"))

  private def compared(
      champion: Expression,
      challenger: Expression,
      label: Option[Expression],
      threshold: Double): Expression =
    (champion.dataType, challenger.dataType) match {
      case (a, b) if fits(a, b) =>
        if (isScore(a)) scores(champion, challenger, label, threshold)
        else answers(champion, challenger, label)
      case (a, b) =>
        throw wrong(
          s"compares two scores, or two answers of one type (whole numbers, texts, booleans), not ${a.sql} and " +
            s"${b.sql}. Take one value out of an array or struct first"
        )
    }

  /** Whether columns of these types can be compared. */
  def fits(champion: DataType, challenger: DataType): Boolean = (champion, challenger) match {
    case (a, b) if isScore(a) && isScore(b) => true
    case (a, b) => isAnswer(a) && isAnswer(b) && (a == b || bothWhole(a, b))
  }

  private def isAnswer(of: DataType) = of match {
    case _: StringType | BooleanType => true
    case other => isWhole(other)
  }

  private def isScore(of: DataType) = of == FloatType || of == DoubleType

  private def isWhole(of: DataType) = Seq(ByteType, ShortType, IntegerType, LongType).contains(of)

  private def bothWhole(a: DataType, b: DataType) = isWhole(a) && isWhole(b)

  private def scores(champion: Expression, challenger: Expression, label: Option[Expression], threshold: Double) = {
    val (a, b) = (Cast(champion, DoubleType), Cast(challenger, DoubleType))
    val difference = Subtract(b, a)
    def yes(score: Expression) = GreaterThanOrEqual(score, Literal(threshold))
    val counts = counted(a, b) ++ Seq(
      "disagreements" -> howOften(Not(EqualTo(yes(a), yes(b)))),
      "mean_difference" -> aggregate(Average(difference)),
      "mean_absolute_difference" -> aggregate(Average(Abs(difference))),
      "max_absolute_difference" -> aggregate(Max(Abs(difference)))
    )
    struct(counts ++ label.toSeq.flatMap { label =>
      val truth = label.dataType match {
        case _: NumericType | BooleanType => Cast(label, DoubleType)
        case other => throw wrong(s"wants a label of 0 and 1 beside scores, not ${other.sql}")
      }
      val known = And(IsNotNull(truth), And(IsNotNull(a), IsNotNull(b)))
      def where(value: Expression) = If(known, value, Literal(null, DoubleType))
      def right(score: Expression) = where(If(EqualTo(yes(score), GreaterThan(truth, Literal(0.5))), one, zero))
      def squared(score: Expression) = {
        val off = Subtract(score, truth)
        where(Multiply(off, off))
      }
      def logLoss(score: Expression) = {
        val of = If(GreaterThan(truth, Literal(0.5)), score, Subtract(one, score))
        where(UnaryMinus(Log(Greatest(Seq(of, Literal(Least))))))
      }
      Seq("labelled" -> howOften(known)) ++
        sides("accuracy", a, b)(right) ++ sides("brier", a, b)(squared) ++ sides("log_loss", a, b)(logLoss)
    })
  }

  private def answers(champion: Expression, challenger: Expression, label: Option[Expression]) = {
    val (a, b) = (Cast(champion, StringType), Cast(challenger, StringType))
    val counts = counted(a, b) :+ ("disagreements" -> howOften(Not(EqualTo(a, b))))
    struct(counts ++ label.toSeq.flatMap { label =>
      if (!isAnswer(label.dataType)) throw wrong(s"wants a label of the answers' type, not ${label.dataType.sql}")
      val truth = Cast(label, StringType)
      val known = And(IsNotNull(truth), And(IsNotNull(a), IsNotNull(b)))
      def right(answer: Expression) = If(known, If(EqualTo(answer, truth), one, zero), Literal(null, DoubleType))
      Seq("labelled" -> howOften(known)) ++ sides("accuracy", a, b)(right)
    })
  }

  private def one = Literal(1.0)
  private def zero = Literal(0.0)

  private def counted(champion: Expression, challenger: Expression) =
    Seq("rows" -> aggregate(Count(Seq(champion))), "compared" -> aggregate(Count(Seq(champion, challenger))))

  private def sides(what: String, champion: Expression, challenger: Expression)(of: Expression => Expression) =
    Seq(
      s"champion_$what" -> aggregate(Average(of(champion))),
      s"challenger_$what" -> aggregate(Average(of(challenger)))
    )

  private def howOften(condition: Expression) =
    aggregate(Count(Seq(If(condition, Literal(1), Literal(null, IntegerType)))))

  private def aggregate(function: AggregateFunction): Expression = function.toAggregateExpression()

  private def struct(fields: Seq[(String, Expression)]): Expression =
    CreateNamedStruct(fields.flatMap { case (name, value) => Seq(Literal(name), value) })
}
