package io.firesteel.spark.training

import java.time.Duration
import java.util.Locale

import com.fasterxml.jackson.databind.JsonNode
import io.firesteel.spark.FiresteelAnalysisException
import org.apache.spark.sql.catalyst.analysis.{UnresolvedAttribute, UnresolvedFunction}
import org.apache.spark.sql.catalyst.expressions.Expression
import org.apache.spark.sql.catalyst.parser.CatalystSqlParser

import scala.jdk.CollectionConverters._
import scala.util.Try

/**
 * Features that know more than they could have known: labels are known late, so only windows that end as long before
 * the event may read them. A pipeline that does otherwise is good in training and nowhere else.
 */
private[training] object LabelLeak {

  /** Aggregates that look at the event itself, or at the one before it, however old. */
  private val Undelayed = Set("lag", "delta", "since_last", "ewma")

  /**
   * Throws if one of `wanted` is made of a label before it is known.
   *
   * @param labels
   *   the labels that events carry into the pipeline
   */
  def check(file: FeatureFile, labels: Set[String], delay: Duration, wanted: Seq[String]): Unit =
    if (labels.nonEmpty) {
      val early = file.features.foldLeft(labels.map(lower)) { case (known, (name, sql)) =>
        if (names(sql).exists(known)) known + lower(name) else known
      }
      wanted.find(name => early(lower(name))).foreach { name =>
        throw leak(file, s"$name is, or is made of, ${labels.mkString(" or ")} of the same event", delay)
      }
      file.windows.zipWithIndex.foreach { case (block, i) => checkBlock(file, block, i, early, delay) }
    }

  private def checkBlock(file: FeatureFile, block: JsonNode, i: Int, early: Set[String], delay: Duration): Unit = {
    val key = block.path("key").elements().asScala.map(_.asText).find(name => early(lower(name)))
    key.foreach(name => throw leak(file, s"windows[$i].key is the label $name", delay))
    val ends = Option(block.get("delay")).fold(Duration.ZERO)(d => TrainingOptions.duration(d.asText))
    val isBefore = !ends.isZero || block.path("current").asText == "exclude"
    block.path("compute").properties().asScala.foreach { entry =>
      val (place, sql) = (s"windows[$i].compute.${entry.getKey}", entry.getValue.asText)
      if (names(sql).exists(early)) {
        if (ends.compareTo(delay) < 0 || !isBefore) {
          val until = if (ends.isZero) "the event itself" else s"${block.get("delay").asText} before it"
          throw leak(
            file,
            s"$place reads labels of events up to $until",
            delay,
            s"set the block's delay to ${in(delay)}"
          )
        }
        if (looksAtEvent(sql, early)) {
          throw leak(file, s"$place, $sql, takes no notice of the block's delay", delay)
        }
      }
    }
  }

  private def looksAtEvent(sql: String, early: Set[String]): Boolean = parsed(sql) match {
    case Some(call: UnresolvedFunction) =>
      val function = lower(call.nameParts.last)
      Undelayed(function) || (function == "zscore" && call.arguments.exists(names(_).exists(early)))
    case _ => true
  }

  private def leak(file: FeatureFile, what: String, delay: Duration, advice: String = "leave it out") =
    new FiresteelAnalysisException(
      s"LABEL_LEAK: ${file.path}: $what, but a label is known ${in(delay)} after its event: in the stream it is not " +
        s"there yet. ${advice.capitalize}"
    )

  private def in(delay: Duration): String = {
    val seconds = delay.getSeconds
    if (delay.isZero) "at once, 0 seconds"
    else if (seconds % 86400 == 0) s"${seconds / 86400} days"
    else if (seconds % 3600 == 0) s"${seconds / 3600} hours"
    else s"$seconds seconds"
  }

  private val Word = "[A-Za-z_][A-Za-z0-9_]*".r

  /** The columns that an expression reads; every word in it if only the engine can parse it. */
  private def names(sql: String): Set[String] =
    parsed(sql).fold(Word.findAllIn(sql.replaceAll("'[^']*'", "")).map(lower).toSet)(names)

  private def names(expression: Expression): Set[String] =
    expression.collect { case column: UnresolvedAttribute => column.nameParts.map(lower) }
      .flatMap(parts => Seq(parts.head, parts.mkString("."))).toSet

  private def parsed(sql: String): Option[Expression] = Try(CatalystSqlParser.parseExpression(sql)).toOption

  private def lower(name: String) = name.toLowerCase(Locale.ROOT)
}
