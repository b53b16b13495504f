package io.firesteel.spark.training

import java.time.temporal.ChronoUnit
import java.time.{Duration, Instant}
import java.util.Locale

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import io.firesteel.spark.FiresteelAnalysisException

import scala.jdk.CollectionConverters._

/**
 * How labels come to events. `docs/reference/training-set.md` has the meaning.
 *
 * @param delay
 *   how long after its event a label is known
 * @param on
 *   the columns that events and labels have in common; empty: the only one there is
 * @param asOf
 *   the moment that the training looks back from; None: the newest event
 * @param time
 *   when an event happened; None: the windows' time
 * @param features
 *   the wanted columns; empty: what the models take, else the pipeline's output
 * @param keepUnlabelled
 *   whether events without a label stay, with nulls
 * @param default
 *   label column -> what a missing label means
 */
final case class TrainingOptions(
    delay: Duration,
    on: Seq[String] = Seq.empty,
    asOf: Option[Instant] = None,
    time: Option[String] = None,
    features: Seq[String] = Seq.empty,
    keepUnlabelled: Boolean = false,
    default: Map[String, Any] = Map.empty)

object TrainingOptions {
  private val mapper = new ObjectMapper()

  /** Short and long names, as in a pipeline file. */
  private val Units: Map[String, Duration] = Seq(
    ("us", "microsecond", Duration.ofNanos(1000)),
    ("ms", "millisecond", Duration.ofMillis(1)),
    ("s", "second", Duration.ofSeconds(1)),
    ("m", "minute", Duration.ofMinutes(1)),
    ("h", "hour", Duration.ofHours(1)),
    ("d", "day", Duration.ofDays(1)),
    ("w", "week", Duration.ofDays(7))
  ).flatMap { case (short, long, length) => Seq(short, long, s"${long}s").map(_ -> length) }.toMap
  private val Written = """\s*(\d{1,9})\s*([A-Za-z]+)\s*""".r

  /** `7 days`, as a pipeline file writes it. */
  def duration(text: String): Duration = text match {
    case Written(number, unit) if Units.contains(unit.toLowerCase(Locale.ROOT)) =>
      Units(unit.toLowerCase(Locale.ROOT)).multipliedBy(number.toLong)
    case _ =>
      throw new FiresteelAnalysisException(
        s"BAD_TRAINING_SET: delay $text is not a duration: write a whole number and a unit, such as 7 days"
      )
  }

  /** What Python sends: `delay_us`, `on`, `as_of_us`, `time`, `features`, `keep_unlabelled`, `default`. */
  private[spark] def fromJson(json: String): TrainingOptions = {
    val node = mapper.readTree(json)
    def texts(name: String) = node.path(name).elements().asScala.map(_.asText).toSeq
    TrainingOptions(
      delay = micros(node.path("delay_us").asLong),
      on = texts("on"),
      asOf = Option(node.get("as_of_us")).filter(_.isNumber).map(us => Instant.EPOCH.plus(micros(us.asLong))),
      time = Option(node.get("time")).filter(_.isTextual).map(_.asText),
      features = texts("features"),
      keepUnlabelled = node.path("keep_unlabelled").asBoolean,
      default = node.path("default").properties().asScala.map(entry => entry.getKey -> scalar(entry.getValue)).toMap
    )
  }

  private def micros(count: Long): Duration = Duration.of(count, ChronoUnit.MICROS)

  private def scalar(node: JsonNode): Any =
    if (node.isBoolean) node.asBoolean
    else if (node.isIntegralNumber) node.asLong
    else if (node.isNumber) node.asDouble
    else node.asText
}
