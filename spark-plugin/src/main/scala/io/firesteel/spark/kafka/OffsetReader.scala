package io.firesteel.spark.kafka

import com.fasterxml.jackson.databind.node.ObjectNode
import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import io.firesteel.spark.bridge.KafkaCluster

import scala.jdk.CollectionConverters._

/** Asks the cluster for partitions and offsets. Driver only; one thread at a time asks. */
private[kafka] final class OffsetReader(options: SourceOptions) extends AutoCloseable {
  import OffsetReader._

  private lazy val cluster: KafkaCluster = ClientConfig.spoken(options.kafka.values) {
    val connected = new KafkaCluster(ClientConfig.settings(options.kafka.values), options.answerMillis)
    opened = Some(connected)
    connected
  }
  @volatile private var opened = Option.empty[KafkaCluster]

  /** The partitions that are read, as the cluster has them now. */
  def partitions(): Seq[TopicPartition] = options.subscription match {
    case Subscription.Topics(names) => partitionsOf(names)
    case Subscription.Pattern(pattern) =>
      val topics = ask("topics")(_ => ()).elements().asScala.map(_.asText).toSeq
      partitionsOf(topics.filter(pattern.matcher(_).matches()))
    case Subscription.Partitions(wanted) =>
      val there = partitionsOf(wanted.map(_.topic).distinct).toSet
      wanted.find(!there(_)).foreach { missing =>
        throw new WrongSourceOption(
          s"assign: there is no partition $missing; topic ${missing.topic} has " +
            s"${there.filter(_.topic == missing.topic).map(_.partition).toSeq.sorted.mkString(", ")}"
        )
      }
      wanted.sorted
  }

  private def partitionsOf(topics: Seq[String]): Seq[TopicPartition] =
    if (topics.isEmpty) Seq.empty
    else {
      val answer = ask("partitions") { node =>
        topics.foreach(node.withArray("/topics").add(_))
      }
      answer.properties().asScala.toSeq.flatMap { entry =>
        entry.getValue.elements().asScala.map(p => TopicPartition(entry.getKey, p.asInt))
      }.sorted
    }

  def earliest(of: Seq[TopicPartition]): Map[TopicPartition, Long] =
    offsets(of.map(_ -> Bound.Earliest).toMap).map { case (tp, offset) => tp -> offset.getOrElse(0L) }

  /**
   * The ends of all partitions now. A broker that has not heard yet may tell an end before what was read already;
   * then it is asked again.
   */
  def latest(known: Map[TopicPartition, Long]): Map[TopicPartition, Long] = {
    def ask() = offsets(partitions().map(_ -> Bound.Latest).toMap).map { case (tp, o) => tp -> o.getOrElse(0L) }
    def behind(found: Map[TopicPartition, Long]) = known.exists { case (tp, at) => found.get(tp).exists(_ < at) }
    var found = ask()
    var tries = 0
    while (behind(found) && tries < options.retries) {
      Thread.sleep(options.retryMillis)
      found = ask()
      tries += 1
    }
    found
  }

  /** The offsets that a bound means now, for the partitions that are read. */
  def resolve(bound: Bound, side: String): Map[TopicPartition, Long] = {
    val all = partitions()
    bound match {
      case Bound.AtEarliest => earliest(all)
      case Bound.AtLatest => latest(Map.empty)
      case Bound.AtOffsets(wanted) => atOffsets(all, wanted, side)
      case Bound.AtTime(time) => atTimes(all.map(_ -> time).toMap, side)
      case Bound.AtTimes(times) =>
        same(all, times.keySet, s"${side}OffsetsByTimestamp")
        atTimes(times, side)
    }
  }

  /** The first records at or after times, in milliseconds; where there is none, the ends of before the question. */
  def atOrAfter(times: Map[TopicPartition, Long]): Map[TopicPartition, Long] = {
    // Asked first: a record that comes between the questions is behind the end.
    val ends = offsets(times.map { case (tp, _) => tp -> Bound.Latest })
    offsets(times).map { case (tp, offset) => tp -> offset.orElse(ends.get(tp).flatten).getOrElse(0L) }
  }

  /** Copies offsets to a consumer group, for tools that show a group's lag. */
  def mirror(group: String, offsets: Map[TopicPartition, Long]): Unit = {
    val _ = ask("mirror") { node =>
      node.put("group", group)
      node.set[JsonNode]("offsets", mapper.readTree(Offsets.write(offsets)))
    }
  }

  private def atOffsets(all: Seq[TopicPartition], wanted: Map[TopicPartition, Long], side: String) = {
    same(all, wanted.keySet, s"${side}Offsets")
    val special = wanted.filter { case (_, offset) => offset < 0 }
    special.values.find(o => o != Bound.Latest && o != Bound.Earliest).foreach { wrong =>
      throw new WrongSourceOption(s"${side}Offsets: $wrong is no offset; -2 stands for earliest and -1 for latest")
    }
    wanted ++ offsets(special).map { case (tp, offset) => tp -> offset.getOrElse(0L) }
  }

  private def atTimes(times: Map[TopicPartition, Long], side: String): Map[TopicPartition, Long] = {
    val found = offsets(times)
    val ends = found.collect { case (tp, None) => tp }.toSeq
    if (ends.nonEmpty && side == "starting" && !options.startingByTimestampLatest) {
      throw new WrongSourceOption(
        s"startingTimestamp: ${ends.sorted.mkString(", ")} ${if (ends.size == 1) "has" else "have"} no record at or " +
          "after that time. To start such partitions at their end, set startingOffsetsByTimestampStrategy to latest"
      )
    }
    val latest = offsets(ends.map(_ -> Bound.Latest).toMap)
    found.map { case (tp, offset) => tp -> offset.orElse(latest.get(tp).flatten).getOrElse(0L) }
  }

  private def same(all: Seq[TopicPartition], entries: Set[TopicPartition], option: String): Unit = {
    val missing = all.toSet -- entries
    val unknown = entries -- all
    def list(partitions: Set[TopicPartition]) = partitions.toSeq.sorted.mkString(", ")
    if (missing.nonEmpty) {
      throw new WrongSourceOption(
        s"$option: ${list(missing)} are read, but have no entry. Use -2 for earliest and -1 for latest"
      )
    }
    if (unknown.nonEmpty) throw new WrongSourceOption(s"$option: ${list(unknown)} are not among what is read")
  }

  /** Offsets at points, see `Question::Offsets` of the native side. None: no record is at or after the time. */
  private def offsets(points: Map[TopicPartition, Long]): Map[TopicPartition, Option[Long]] =
    if (points.isEmpty) Map.empty
    else {
      val answer = ask("offsets") { node =>
        node.set[JsonNode]("points", mapper.readTree(Offsets.write(points)))
      }
      answer.properties().asScala.flatMap { topic =>
        topic.getValue.properties().asScala.map { entry =>
          val offset = if (entry.getValue.isNull) None else Some(entry.getValue.asLong)
          TopicPartition(topic.getKey, entry.getKey.toInt) -> offset
        }
      }.toMap
    }

  /** See `Question` of the native side. */
  private def ask(what: String)(fill: ObjectNode => Any): JsonNode = {
    val question = mapper.createObjectNode()
    val _ = fill(question.putObject(what))
    mapper.readTree(cluster.ask(mapper.writeValueAsString(question)))
  }

  override def close(): Unit = opened.foreach(_.close())
}

private object OffsetReader {
  private val mapper = new ObjectMapper()
}
