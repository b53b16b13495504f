package io.firesteel.spark.kafka.transaction

import java.util.{Locale, Properties}

import io.firesteel.shaded.kafka.common.IsolationLevel
import io.firesteel.shaded.kafka.common.serialization.{ByteArrayDeserializer, ByteArraySerializer}

/**
 * How Kafka's Java client is set up here: the user's `kafka.*` options (their names with the prefix, in lower case)
 * over what transactions need. Goes to the executors; may hold secrets, so it is in no `toString`.
 */
final case class TransactionSettings(kafka: Map[String, String], markerTopic: String, prefix: String) {
  private val Prefix = "kafka."
  private val Renamed = "org.apache.kafka."
  private val Shaded = Seq("io.firesteel.shaded", "kafka.").mkString(".")

  override def toString: String = s"TransactionSettings(markers in $markerTopic)"

  def servers: String = kafka.getOrElse("kafka.bootstrap.servers", "")

  /**
   * Classes that a setting names (the JAAS modules above all) are under another name here. The handler for tokens left
   * the package `secured` with Kafka 4; most examples name the old place.
   */
  private def own: Map[String, String] = kafka.map { case (name, value) =>
    val here = value.replace(Renamed, Shaded).replace(".oauthbearer.secured.", ".oauthbearer.")
    name.toLowerCase(Locale.ROOT).stripPrefix(Prefix) -> here
  }

  private def properties(defaults: Map[String, Any], forced: Map[String, Any]): Properties = {
    OwnSasl.register()
    own.get("sasl.oauthbearer.token.endpoint.url").foreach(TransactionSettings.allow)
    val properties = new Properties
    (defaults ++ own ++ forced).foreach { case (name, value) => properties.put(name, value.toString) }
    properties
  }

  def transactionTimeoutMs: Long =
    own.get("transaction.timeout.ms").flatMap(_.toLongOption).getOrElse(TransactionSettings.TransactionTimeoutMs)

  def producer(id: TransactionId): Properties = properties(
    Map(
      "transaction.timeout.ms" -> transactionTimeoutMs,
      // A record that is not written within the transaction's time is none of it.
      "delivery.timeout.ms" -> math.min(120000L, transactionTimeoutMs),
      "request.timeout.ms" -> math.min(30000L, transactionTimeoutMs / 2),
      "linger.ms" -> 5,
      "batch.size" -> 262144,
      "buffer.memory" -> 33554432,
      "max.block.ms" -> TransactionSettings.LimitMs
    ),
    Map(
      "transactional.id" -> id.text,
      "enable.idempotence" -> true,
      "acks" -> "all",
      "key.serializer" -> classOf[ByteArraySerializer].getName,
      "value.serializer" -> classOf[ByteArraySerializer].getName
    )
  )

  def consumer(isolation: IsolationLevel): Properties = properties(
    Map("default.api.timeout.ms" -> TransactionSettings.LimitMs, "max.poll.records" -> 5000),
    Map(
      "isolation.level" -> isolation.name.toLowerCase(Locale.ROOT),
      "enable.auto.commit" -> false,
      "auto.offset.reset" -> "earliest",
      "key.deserializer" -> classOf[ByteArrayDeserializer].getName,
      "value.deserializer" -> classOf[ByteArrayDeserializer].getName
    )
  )

  def admin: Properties = properties(
    Map("default.api.timeout.ms" -> TransactionSettings.LimitMs, "request.timeout.ms" -> 15000),
    Map.empty
  )
}

object TransactionSettings {

  /** Where markers are, and what transactional ids begin with, unless options say otherwise. */
  val MarkerTopic = "firesteel-markers"
  val IdPrefix = "firesteel"

  /** Where Kafka's client looks up which token endpoints it may ask, under the name that shading gives the property. */
  private val AllowedUrls = Seq("io.firesteel.shaded", "kafka.sasl.oauthbearer.allowed.urls").mkString(".")

  /** The user's own option names the endpoint, so it is allowed; the client asks for that twice. */
  private def allow(url: String): Unit = synchronized {
    val allowed = Option(System.getProperty(AllowedUrls)).toSeq.flatMap(_.split(",")).filter(_.nonEmpty)
    if (!allowed.contains(url)) {
      val _ = System.setProperty(AllowedUrls, (allowed :+ url).mkString(","))
    }
  }

  /** After this long a transaction that nobody ends is aborted: longer than a task, and readers wait for it at worst. */
  val TransactionTimeoutMs = 600000L

  /** How long one question to the brokers may take. */
  val LimitMs = 30000L
}

/** Who writes: stable over restarts, so that a new writer of the same name shuts the old one out. */
final case class TransactionId(prefix: String, query: String, sink: String, partition: String) {
  def text: String = s"$prefix-$query-$sink-$partition"

  /** Key of its markers. */
  def key: String = s"$query/$sink/$partition"
}

object TransactionId {
  def ofTask(settings: TransactionSettings, query: String, sink: String, partition: Int): TransactionId =
    TransactionId(settings.prefix, query, sink, partition.toString)

  /** The driver's, for the plan of a batch. */
  def ofPlan(settings: TransactionSettings, query: String, sink: String): TransactionId =
    TransactionId(settings.prefix, query, sink, "plan")
}
