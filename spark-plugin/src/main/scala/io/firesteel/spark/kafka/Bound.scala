package io.firesteel.spark.kafka

/** Where a query starts, or a batch read ends: one of Spark's ways to say it. */
private[kafka] sealed trait Bound

private[kafka] object Bound {

  /** Numbers that stand for a place in offset JSON. */
  val Latest = -1L
  val Earliest = -2L

  case object AtEarliest extends Bound
  case object AtLatest extends Bound

  /** By partition; [[Earliest]] and [[Latest]] may stand among the offsets. */
  final case class AtOffsets(offsets: Map[TopicPartition, Long]) extends Bound

  /** The first record at or after a time, in milliseconds; by partition, or the same for all. */
  final case class AtTimes(times: Map[TopicPartition, Long]) extends Bound
  final case class AtTime(time: Long) extends Bound

  /**
   * Reads the options of one end, in Spark's order of precedence: one time, times by partition, offsets.
   *
   * @param side `starting` or `ending`
   */
  def of(options: SourceText, side: String, default: Bound): Bound = {
    val offsets = s"${side}Offsets"
    options.get(s"${side}Timestamp").map { text =>
      AtTime(time(s"${side}Timestamp", text))
    }.orElse(options.get(s"${side}OffsetsByTimestamp").map { text =>
      AtTimes(Offsets.read(text, s"${side}OffsetsByTimestamp"))
    }).orElse(options.get(offsets).map { text =>
      text.trim.toLowerCase match {
        case "latest" => AtLatest
        case "earliest" => AtEarliest
        case json if json.startsWith("{") => AtOffsets(Offsets.read(text.trim, offsets))
        case _ =>
          throw new WrongSourceOption(
            s"""$offsets: wanted earliest, latest or {"topic": {"0": 23, "1": -2}}, but it is: $text"""
          )
      }
    }).getOrElse(default)
  }

  private def time(option: String, text: String): Long =
    text.trim.toLongOption.filter(_ >= 0).getOrElse {
      throw new WrongSourceOption(s"$option: wanted milliseconds since 1970-01-01 UTC, but it is: $text")
    }
}

/** Which topics and partitions are read. */
private[kafka] sealed trait Subscription

private[kafka] object Subscription {
  final case class Topics(names: Seq[String]) extends Subscription {
    override def toString: String = s"subscribe ${names.mkString(", ")}"
  }
  final case class Pattern(pattern: java.util.regex.Pattern) extends Subscription {
    override def toString: String = s"subscribePattern $pattern"
  }
  final case class Partitions(partitions: Seq[TopicPartition]) extends Subscription {
    override def toString: String = s"assign ${partitions.mkString(", ")}"
  }

  /** The options that say it; one of them is given. */
  val options: Seq[String] = Seq("subscribe", "subscribePattern", "assign")

  def of(text: SourceText): Subscription = {
    val ways = options
    ways.flatMap(way => text.get(way).map(way -> _)) match {
      case Seq(("subscribe", topics)) =>
        topics.split(',').map(_.trim).filter(_.nonEmpty).toSeq match {
          case Seq() => throw new WrongSourceOption("subscribe names no topic")
          case names => Topics(names.distinct)
        }
      case Seq(("subscribePattern", pattern)) =>
        try Pattern(java.util.regex.Pattern.compile(pattern.trim))
        catch {
          case e: java.util.regex.PatternSyntaxException =>
            throw new WrongSourceOption(s"subscribePattern: ${e.getMessage}")
        }
      case Seq((_, partitions)) => Partitions(Offsets.readPartitions(partitions, "assign"))
      case Seq() => throw new WrongSourceOption(s"what to read is missing: give one of ${ways.mkString(", ")}")
      case several => throw new WrongSourceOption(s"${several.map(_._1).mkString(" and ")}: give only one of them")
    }
  }
}
