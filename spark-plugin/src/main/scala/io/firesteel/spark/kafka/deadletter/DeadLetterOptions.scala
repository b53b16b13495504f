package io.firesteel.spark.kafka.deadletter

import io.firesteel.spark.kafka.transaction.TransactionSettings
import io.firesteel.spark.kafka.value.ValueFormat
import io.firesteel.spark.kafka.{ClientConfig, KafkaOptions, SourceText, Subscription, WrongSourceOption}

/**
 * Where rejected rows go instead of into the column `_rejected`.
 *
 * @param markerTopic holds what the tasks of micro-batches have committed, as that of the exactly-once sink
 * @param keepCommitted what to do when a repeated batch rejects other rows: go on, instead of failing
 */
private[kafka] final case class DeadLetterOptions(
    topic: String,
    markerTopic: String,
    transactionalIdPrefix: String,
    keepCommitted: Boolean) {

  /** What the transactions are made with. A letter was a record before, however long: the topic says what is too long. */
  def transactions(kafka: KafkaOptions): TransactionSettings =
    TransactionSettings(
      Map("kafka.max.request.size" -> DeadLetterOptions.MaxRecordBytes.toString) ++
        kafka.values.map { case (name, value) => s"kafka.$name" -> value },
      markerTopic,
      transactionalIdPrefix
    )

  /** What the producer of batch reads is made with. */
  def client(kafka: KafkaOptions): String =
    ClientConfig.settings(kafka.values, Map("message.max.bytes" -> DeadLetterOptions.MaxRecordBytes.toString))
}

private[kafka] object DeadLetterOptions {
  private val Topic = "deadLetterTopic"

  /** What a transaction's buffer holds. */
  private val MaxRecordBytes = 32 << 20

  /** Names of the options that belong to the topic. */
  private val others = Seq("markerTopic", "transactionalIdPrefix", "onReplayDiffers")

  val names: Seq[String] = Topic +: others

  /** Throws [[WrongSourceOption]]. */
  def of(text: SourceText): Option[DeadLetterOptions] = text.get(Topic).map(_.trim) match {
    case None =>
      others.find(text.get(_).isDefined).foreach { name =>
        throw new WrongSourceOption(s"$name belongs to $Topic, which is missing")
      }
      None
    case Some("") => throw new WrongSourceOption(s"$Topic names no topic")
    case Some(topic) =>
      if (text.get("schema").isEmpty && text.get("pipeline").isEmpty && !ValueFormat.saysColumns(text)) {
        throw new WrongSourceOption(
          s"$Topic belongs to schema, pipeline, or valueFormat avro or protobuf: without them records come as they are, and none is rejected"
        )
      }
      def name(option: String, default: String): String = text.get(option).map(_.trim) match {
        case None => default
        case Some("") => throw new WrongSourceOption(s"$option is empty: give a name, or leave the option out")
        case Some(given) => given
      }
      val keep = text.get("onReplayDiffers").map(_.trim.toLowerCase) match {
        case None | Some("fail") => false
        case Some("keepcommitted") => true
        case Some(other) =>
          throw new WrongSourceOption(s"onReplayDiffers: wanted fail or keepCommitted, but it is: $other")
      }
      val letters =
        DeadLetterOptions(
          topic,
          name("markerTopic", TransactionSettings.MarkerTopic),
          name("transactionalIdPrefix", TransactionSettings.IdPrefix),
          keep
        )
      Some(letters)
  }

  /** A source that reads what it writes would never come to an end. Throws [[WrongSourceOption]]. */
  def checkNotRead(letters: DeadLetterOptions, subscription: Subscription): Unit = {
    val isRead = subscription match {
      case Subscription.Topics(names) => names.contains(letters.topic)
      case Subscription.Pattern(pattern) => pattern.matcher(letters.topic).matches()
      case Subscription.Partitions(partitions) => partitions.exists(_.topic == letters.topic)
    }
    if (isRead) {
      throw new WrongSourceOption(s"$Topic: ${letters.topic} is among the topics that are read; name another one")
    }
  }
}
