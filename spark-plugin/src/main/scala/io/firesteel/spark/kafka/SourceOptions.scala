package io.firesteel.spark.kafka

import java.util.concurrent.TimeUnit

import io.firesteel.spark.job.Nearest
import io.firesteel.spark.kafka.deadletter.DeadLetterOptions
import io.firesteel.spark.kafka.value.ValueFormat
import org.apache.spark.network.util.JavaUtils
import org.apache.spark.sql.util.CaseInsensitiveStringMap

import scala.jdk.CollectionConverters._
import scala.util.control.NonFatal

/** The options as text, by name in any case. */
private[kafka] final class SourceText(options: CaseInsensitiveStringMap) {
  def get(name: String): Option[String] = Option(options.get(name))

  def long(name: String, from: Long, to: Long = Long.MaxValue): Option[Long] = get(name).map { text =>
    text.trim.toLongOption.filter(n => n >= from && n <= to).getOrElse {
      val range = if (to == Long.MaxValue) s"a whole number from $from" else s"a whole number from $from to $to"
      throw new WrongSourceOption(s"$name: wanted $range, but it is: $text")
    }
  }

  def boolean(name: String): Option[Boolean] = get(name).map(_.trim.toLowerCase match {
    case "true" => true
    case "false" => false
    case other => throw new WrongSourceOption(s"$name: wanted true or false, but it is: $other")
  })

  /** Such as `500ms`, `30s`, `15m`. */
  def millis(name: String): Option[Long] = get(name).map { text =>
    try JavaUtils.timeStringAs(text, TimeUnit.MILLISECONDS)
    catch {
      case NonFatal(_) => throw new WrongSourceOption(s"$name: wanted a time such as 500ms or 30s, but it is: $text")
    }
  }

  def bytes(name: String): Option[Long] = get(name).map { text =>
    try JavaUtils.byteStringAsBytes(text)
    catch {
      case NonFatal(_) => throw new WrongSourceOption(s"$name: wanted a size such as 64m, but it is: $text")
    }
  }
}

/** How records come into a task. */
private[kafka] final case class Limits(
    batchRows: Int,
    batchBytes: Long,
    maxWaitMillis: Long,
    patienceMillis: Long,
    prefetchBytes: Long,
    failOnDataLoss: Boolean)

/** The source's options, checked. Names, meanings and defaults are those of Spark's Kafka source where it has them. */
private[kafka] final case class SourceOptions(
    kafka: KafkaOptions,
    subscription: Subscription,
    starting: Bound,
    ending: Bound,
    startingByTimestampLatest: Boolean,
    maxOffsetsPerTrigger: Option[Long],
    minOffsetsPerTrigger: Option[Long],
    maxTriggerDelayMillis: Long,
    minPartitions: Option[Int],
    maxRecordsPerPartition: Option[Long],
    includeHeaders: Boolean,
    retries: Int,
    retryMillis: Long,
    mirrorGroup: Option[String],
    answerMillis: Long,
    deadLetters: Option[DeadLetterOptions],
    trustKeys: Boolean,
    snapshotEvents: Long,
    limits: Limits) {
  override def toString: String = s"SourceOptions($subscription)"
}

private[kafka] object SourceOptions {

  /** Name and, for docs and errors, that it is. Lower case does for the comparison. */
  val names: Seq[String] = Seq(
    "subscribe",
    "subscribePattern",
    "assign",
    "startingOffsets",
    "startingTimestamp",
    "startingOffsetsByTimestamp",
    "startingOffsetsByTimestampStrategy",
    "endingOffsets",
    "endingTimestamp",
    "endingOffsetsByTimestamp",
    "failOnDataLoss",
    "includeHeaders",
    "maxOffsetsPerTrigger",
    "minOffsetsPerTrigger",
    "maxTriggerDelay",
    "minPartitions",
    "maxRecordsPerPartition",
    "groupIdPrefix",
    "kafkaConsumer.pollTimeoutMs",
    "fetchOffset.numRetries",
    "fetchOffset.retryIntervalMs",
    "schema",
    "pipeline",
    "batchRows",
    "batchBytes",
    "maxWait",
    "prefetchBytes",
    "mirrorGroup",
    "stateKeys",
    "snapshotEvents"
  ) ++ ValueFormat.names ++ DeadLetterOptions.names

  /** What Spark itself adds to a reader's options. */
  private val sparks = Set("path", "paths", "sourceid", "sourcename", "name")

  private val unsupported = Map(
    "auto.offset.reset" -> "use startingOffsets: the query's checkpoint keeps the place, not Kafka",
    "enable.auto.commit" -> "the query's checkpoint keeps the place, not Kafka; mirrorGroup copies it to a group",
    "interceptor.classes" -> "Java classes can't be called from native code",
    "key.deserializer" -> "keys come as bytes; turn them into what you want with columns' functions",
    "value.deserializer" -> "values come as bytes; turn them with columns' functions, or give schema or pipeline"
  )

  private val DefaultPatience = 120L

  /** Throws [[WrongSourceOption]]. */
  def of(options: CaseInsensitiveStringMap, streaming: Boolean): SourceOptions = {
    val text = new SourceText(options)
    known(options)
    val kafka = KafkaOptions.of(options)
    if (kafka.bootstrapServers.trim.isEmpty) {
      throw new WrongSourceOption("kafka.bootstrap.servers is missing: give the brokers as host:port,host:port")
    }
    unsupported.foreach { case (name, advice) =>
      if (kafka.get(name).isDefined) throw new WrongSourceOption(s"kafka.$name is not for you to set: $advice")
    }
    val starting = Bound.of(text, "starting", if (streaming) Bound.AtLatest else Bound.AtEarliest)
    val ending = Bound.of(text, "ending", Bound.AtLatest)
    checkEnds(text, streaming, starting, ending)
    val max = text.long("maxOffsetsPerTrigger", 1)
    val min = text.long("minOffsetsPerTrigger", 1)
    for (least <- min; most <- max if least > most)
      throw new WrongSourceOption(s"minOffsetsPerTrigger ($least) is above maxOffsetsPerTrigger ($most)")
    val subscription = Subscription.of(text)
    val deadLetters = DeadLetterOptions.of(text)
    deadLetters.foreach(DeadLetterOptions.checkNotRead(_, subscription))
    val batchRows = text.long("batchRows", 1, 1 << 20).getOrElse(8192L).toInt
    SourceOptions(
      kafka = kafka,
      subscription = subscription,
      starting = starting,
      ending = ending,
      startingByTimestampLatest = text.get("startingOffsetsByTimestampStrategy").map(_.trim.toLowerCase) match {
        case None | Some("error") => false
        case Some("latest") => true
        case Some(other) =>
          throw new WrongSourceOption(s"startingOffsetsByTimestampStrategy: wanted error or latest, but it is: $other")
      },
      maxOffsetsPerTrigger = max,
      minOffsetsPerTrigger = min,
      maxTriggerDelayMillis = text.millis("maxTriggerDelay").getOrElse(TimeUnit.MINUTES.toMillis(15)),
      minPartitions = text.long("minPartitions", 1, Int.MaxValue).map(_.toInt),
      maxRecordsPerPartition = text.long("maxRecordsPerPartition", 1),
      includeHeaders = text.boolean("includeHeaders").getOrElse(false),
      retries = text.long("fetchOffset.numRetries", 0, 1000).getOrElse(3L).toInt,
      retryMillis = text.long("fetchOffset.retryIntervalMs", 0).getOrElse(1000L),
      mirrorGroup = text.get("mirrorGroup").map(_.trim).filter(_.nonEmpty),
      answerMillis = answerMillis(kafka),
      deadLetters = deadLetters,
      trustKeys = text.get("stateKeys").map(_.trim.toLowerCase) match {
        case None | Some("check") => false
        case Some("trust") => true
        case Some(other) => throw new WrongSourceOption(s"stateKeys: wanted check or trust, but it is: $other")
      },
      snapshotEvents = text.long("snapshotEvents", 1).getOrElse(1000000L),
      limits = Limits(
        batchRows = batchRows,
        batchBytes = text.bytes("batchBytes").getOrElse(32L << 20).max(1L).min(1L << 30),
        maxWaitMillis = text.millis("maxWait").getOrElse(100L),
        patienceMillis = text.long("kafkaConsumer.pollTimeoutMs", 1)
          .getOrElse(TimeUnit.SECONDS.toMillis(DefaultPatience)),
        prefetchBytes = text.bytes("prefetchBytes").getOrElse(8L << 20).max(1L << 16),
        failOnDataLoss = text.boolean("failOnDataLoss").getOrElse(true)
      )
    )
  }

  /** How long the driver waits for an answer; named and meant as in Kafka's Java client. */
  private def answerMillis(kafka: KafkaOptions): Long = {
    val name = "default.api.timeout.ms"
    kafka.get(name).fold(TimeUnit.SECONDS.toMillis(60)) { text =>
      text.trim.toLongOption.filter(_ > 0).getOrElse {
        throw new WrongSourceOption(s"kafka.$name: wanted milliseconds, but it is: $text")
      }
    }
  }

  private def known(options: CaseInsensitiveStringMap): Unit =
    options.asCaseSensitiveMap().keySet().asScala.foreach { name =>
      val lower = name.toLowerCase
      val taken = names.exists(_.toLowerCase == lower) || sparks(lower) || lower.startsWith("kafka.")
      if (!taken) {
        val near = Nearest.to(lower, names.map(_.toLowerCase)).flatMap(found => names.find(_.toLowerCase == found))
        val advice = near.fold(s"The options are ${names.mkString(", ")} and kafka.*")(found => s"Did you mean $found?")
        throw new WrongSourceOption(s"$name is unknown. $advice")
      }
    }

  private def checkEnds(text: SourceText, streaming: Boolean, starting: Bound, ending: Bound): Unit =
    if (streaming) {
      Seq("endingOffsets", "endingTimestamp", "endingOffsetsByTimestamp").filter(text.get(_).isDefined).foreach {
        name =>
          throw new WrongSourceOption(
            s"$name: a stream has no end. To stop at what is there now, use Trigger.AvailableNow"
          )
      }
    } else {
      starting match {
        case Bound.AtLatest => throw new WrongSourceOption("startingOffsets: a batch read can't start at latest")
        case Bound.AtOffsets(offsets) if offsets.values.exists(_ == Bound.Latest) =>
          throw new WrongSourceOption("startingOffsets: a batch read can't start at latest (-1)")
        case _ =>
      }
      ending match {
        case Bound.AtEarliest => throw new WrongSourceOption("endingOffsets: a batch read can't end at earliest")
        case Bound.AtOffsets(offsets) if offsets.values.exists(_ == Bound.Earliest) =>
          throw new WrongSourceOption("endingOffsets: a batch read can't end at earliest (-2)")
        case _ =>
      }
    }
}
