package io.firesteel.spark.kafka.sink

import java.util.Locale

import scala.jdk.CollectionConverters._

import io.firesteel.spark.FiresteelAnalysisException
import io.firesteel.spark.kafka.ClientConfig
import io.firesteel.spark.kafka.transaction.TransactionSettings
import io.firesteel.spark.job.Nearest
import org.apache.spark.sql.util.CaseInsensitiveStringMap

/** What makes the value of a record. */
private[kafka] sealed trait ValueFormat
private[kafka] object ValueFormat {

  /** The column `value`, as it is. */
  case object Column extends ValueFormat

  /** The columns that are no part of the record, as one JSON object. */
  final case class Json(ignoreNullFields: Boolean) extends ValueFormat
}

/** The sink's options, checked. Goes to the executors: `kafka` may hold secrets, so it is in no `toString`. */
private[kafka] final case class SinkOptions(
    topic: Option[String],
    valueFormat: ValueFormat,
    idHeader: Option[String],
    idColumns: Seq[String],
    exactlyOnce: Option[ExactlyOnceOptions],
    kafka: Map[String, String]
) {

  /** What the native producer is made with. */
  def client: String = ClientConfig.settings(kafka.map { case (name, value) => name.stripPrefix("kafka.") -> value })

  override def toString: String = s"SinkOptions(topic = ${topic.getOrElse("per row")}, $valueFormat, $exactlyOnce)"
}

/** The options that belong to `exactlyOnce`. */
private[kafka] final case class ExactlyOnceOptions(
    markerTopic: String,
    transactionalIdPrefix: String,
    keepCommitted: Boolean
)

private[kafka] object SinkOptions {
  private val Prefix = "kafka."
  private val Servers = "kafka.bootstrap.servers"
  private val known = Seq(
    "topic",
    "valueFormat",
    "ignoreNullFields",
    "idHeader",
    "idColumns",
    "exactlyOnce",
    "markerTopic",
    "transactionalIdPrefix",
    "onReplayDiffers"
  )

  /** Options of Spark's own, and Kafka options for reading that do no harm here. */
  private val others = Seq("checkpointlocation", "path", "queryname", "includeheaders", "outputmode")

  /** Set by the sink: another value would take away what it promises. */
  private val reserved = Seq(
    "kafka.transactional.id" -> "it is made of transactionalIdPrefix, the query's id and the task's number",
    "kafka.key.serializer" -> "records are written as bytes",
    "kafka.value.serializer" -> "records are written as bytes"
  )

  /** Throws an AnalysisException that names the option. */
  def of(options: CaseInsensitiveStringMap): SinkOptions = {
    val all = options.asCaseSensitiveMap.asScala.toMap
    all.keys.foreach(checkKnown)
    val kafka = all.collect { case (name, value) if lower(name).startsWith(Prefix) => lower(name) -> value }
    if (kafka.get(Servers).forall(_.isBlank)) {
      refuse(s"MISSING_OPTION: $Servers is not set: give the brokers' host:port, several with commas between them")
    }
    reserved.find { case (name, _) => kafka.contains(name) }.foreach { case (name, why) =>
      refuse(s"BAD_OPTION: $name can't be set: $why")
    }
    def value(name: String): Option[String] = Option(options.get(name)).filter(_.nonEmpty)
    def flag(name: String, default: Boolean): Boolean = value(name).map(lower) match {
      case None => default
      case Some("true") => true
      case Some("false") => false
      case Some(other) => refuse(s"BAD_OPTION: $name is $other: wanted true or false")
    }
    val format = value("valueFormat").map(lower) match {
      case None =>
        if (value("ignoreNullFields").isDefined) refuse("BAD_OPTION: ignoreNullFields belongs to valueFormat = json")
        ValueFormat.Column
      case Some("json") => ValueFormat.Json(flag("ignoreNullFields", default = true))
      case Some(other) => refuse(s"BAD_OPTION: valueFormat is $other: wanted json, or nothing for the column value")
    }
    val exactlyOnce =
      if (flag("exactlyOnce", default = false)) {
        val keep = value("onReplayDiffers").map(lower) match {
          case None | Some("fail") => false
          case Some("keepcommitted") => true
          case Some(other) => refuse(s"BAD_OPTION: onReplayDiffers is $other: wanted fail or keepCommitted")
        }
        Some(ExactlyOnceOptions(
          value("markerTopic").getOrElse(TransactionSettings.MarkerTopic),
          value("transactionalIdPrefix").getOrElse(TransactionSettings.IdPrefix),
          keep
        ))
      } else {
        Seq("markerTopic", "transactionalIdPrefix", "onReplayDiffers").find(value(_).isDefined).foreach { name =>
          refuse(s"BAD_OPTION: $name belongs to exactlyOnce = true")
        }
        None
      }
    val columns = value("idColumns").toSeq.flatMap(_.split(',')).map(_.trim).filter(_.nonEmpty)
    if (columns.nonEmpty && value("idHeader").isEmpty) {
      refuse("BAD_OPTION: idColumns belongs to idHeader, which is not set")
    }
    SinkOptions(value("topic"), format, value("idHeader"), columns, exactlyOnce, kafka)
  }

  private def checkKnown(name: String): Unit =
    if (!lower(name).startsWith(Prefix) && !others.contains(lower(name)) && !known.exists(_.equalsIgnoreCase(name))) {
      val near = Nearest.to(name, known).fold("")(near => s" (did you mean $near?)")
      refuse(s"UNKNOWN_OPTION: $name is no option of the firesteel sink$near")
    }

  private def lower(text: String): String = text.toLowerCase(Locale.ROOT)

  private[kafka] def refuse(message: String): Nothing = throw new FiresteelAnalysisException(message)
}
