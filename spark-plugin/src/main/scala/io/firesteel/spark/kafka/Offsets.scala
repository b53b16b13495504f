package io.firesteel.spark.kafka

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import org.apache.spark.sql.connector.read.streaming.Offset

import scala.jdk.CollectionConverters._
import scala.util.control.NonFatal

/** A partition of a topic. */
final case class TopicPartition(topic: String, partition: Int) {
  override def toString: String = s"$topic-$partition"
}

object TopicPartition {
  implicit val ordering: Ordering[TopicPartition] = Ordering.by(tp => (tp.topic, tp.partition))
}

/** A place in the source: the next offset of every partition. Its JSON is that of Spark's Kafka source. */
final case class SourceOffset(offsets: Map[TopicPartition, Long]) extends Offset {
  override val json: String = Offsets.write(offsets)
}

/** Offsets by partition as JSON: `{"topic": {"0": 23, "1": -1}}`, as everywhere in Spark's Kafka source. */
object Offsets {
  private val mapper = new ObjectMapper()

  def write(offsets: Map[TopicPartition, Long]): String = {
    val root = mapper.createObjectNode()
    offsets.toSeq.sortBy(_._1).foreach { case (tp, offset) =>
      val topic = root.get(tp.topic) match {
        case null => root.putObject(tp.topic)
        case found => found.asInstanceOf[com.fasterxml.jackson.databind.node.ObjectNode]
      }
      topic.put(tp.partition.toString, offset)
    }
    mapper.writeValueAsString(root)
  }

  /** `what` names the option or file that the text is from. */
  def read(text: String, what: String): Map[TopicPartition, Long] = {
    def wrong = throw new WrongSourceOption(
      s"""$what: wanted {"topic": {"0": 23, "1": -2}}, offsets by topic and partition, but it is: $text"""
    )
    parse(text).filter(_.isObject).fold(wrong) { root =>
      root.properties().asScala.flatMap { entry =>
        if (!entry.getValue.isObject) wrong
        entry.getValue.properties().asScala.map { offset =>
          val partition = offset.getKey.toIntOption.filter(_ >= 0).getOrElse(wrong)
          if (!offset.getValue.canConvertToLong || !offset.getValue.isIntegralNumber) wrong
          TopicPartition(entry.getKey, partition) -> offset.getValue.asLong
        }
      }.toMap
    }
  }

  /** `{"topic": [0, 1]}`, the form of the option `assign`. */
  def readPartitions(text: String, what: String): Seq[TopicPartition] = {
    def wrong = throw new WrongSourceOption(s"""$what: wanted {"topic": [0, 1]}, but it is: $text""")
    parse(text).filter(root => root.isObject && !root.isEmpty).fold(wrong) { root =>
      root.properties().asScala.toSeq.flatMap { entry =>
        if (!entry.getValue.isArray) wrong
        entry.getValue.elements().asScala.map { partition =>
          if (!partition.isInt || partition.asInt < 0) wrong
          TopicPartition(entry.getKey, partition.asInt)
        }
      }
    }
  }

  private def parse(text: String): Option[JsonNode] =
    try Option(mapper.readTree(text))
    catch { case NonFatal(_) => None }
}
