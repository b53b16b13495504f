package io.firesteel.spark.kafka

import scala.jdk.CollectionConverters._

import org.apache.spark.sql.util.CaseInsensitiveStringMap

/**
 * The `kafka.*` options of a reader or writer, without the prefix. They may hold passwords, so nothing prints them:
 * not a plan, not a log, not an exception.
 */
final class KafkaOptions private (val values: Map[String, String]) extends Serializable {
  def get(name: String): Option[String] = values.get(name)

  def bootstrapServers: String = values.getOrElse("bootstrap.servers", "")

  override def equals(other: Any): Boolean = other match {
    case that: KafkaOptions => values == that.values
    case _ => false
  }

  override def hashCode: Int = values.hashCode

  override def toString: String = s"KafkaOptions(${values.size} options, not shown)"
}

object KafkaOptions {
  private val Prefix = "kafka."

  def of(options: CaseInsensitiveStringMap): KafkaOptions =
    of(options.asCaseSensitiveMap().asScala.toMap)

  def of(options: Map[String, String]): KafkaOptions =
    new KafkaOptions(options.collect {
      case (name, value) if name.toLowerCase.startsWith(Prefix) => name.drop(Prefix.length).toLowerCase -> value
    })
}

/** An option that can't be: named as the user wrote it, with what to write instead. */
final class WrongSourceOption(message: String) extends IllegalArgumentException("WRONG_OPTION: " + message)
