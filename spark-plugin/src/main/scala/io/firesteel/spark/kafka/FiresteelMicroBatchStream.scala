package io.firesteel.spark.kafka

import java.util.{Map => JMap, Optional, UUID}

import io.firesteel.spark.bridge.KafkaReader
import io.firesteel.spark.kafka.deadletter.BatchTurns
import io.firesteel.spark.kafka.windows.QueryStates
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.Path
import org.apache.spark.sql.connector.read.streaming._
import org.apache.spark.sql.connector.read.{InputPartition, PartitionReaderFactory}
import org.slf4j.LoggerFactory

import scala.jdk.CollectionConverters._

/**
 * A streaming query's source. Spark's checkpoint owns the offsets: this only says what there is, and plans what is
 * between two offsets, the same way each time it is asked.
 *
 * @param tasks how many tasks a batch has at most, unless options say otherwise
 */
private[kafka] final class FiresteelMicroBatchStream(
    options: SourceOptions,
    plan: ReadPlan,
    checkpoint: String,
    hadoop: Configuration,
    tasks: Int)
    extends MicroBatchStream
    with SupportsAdmissionControl
    with SupportsTriggerAvailableNow
    with ReportsSourceMetrics {
  private val log = LoggerFactory.getLogger(getClass)
  private val reader = new OffsetReader(options)
  private val source = s"stream-${UUID.randomUUID()}"
  private val lag = new Lag
  private lazy val states =
    if (plan.windows) Some(new QueryStates(source, checkpoint, hadoop, options)) else None
  private val turns = options.deadLetters.map { letters =>
    new BatchTurns(letters, letters.transactions(options.kafka), source, checkpoint)
  }

  // The source's own folder is sources/N in the query's.
  private lazy val root = new Path(checkpoint).getParent.getParent.toString

  private var latest: Map[TopicPartition, Long] = Map.empty
  private var last: Option[Map[TopicPartition, Long]] = None
  private var availableNow = false
  private var lastTrigger = 0L

  override def initialOffset(): Offset = {
    val kept = new InitialOffsets(checkpoint, hadoop)
    SourceOffset(kept.get.getOrElse {
      val offsets = reader.resolve(options.starting, "starting")
      kept.put(offsets)
      log.info("starts at {}", Offsets.write(offsets))
      offsets
    })
  }

  override def deserializeOffset(json: String): Offset = SourceOffset(Offsets.read(json, "the checkpoint's offsets"))

  override def getDefaultReadLimit: ReadLimit =
    (options.minOffsetsPerTrigger, options.maxOffsetsPerTrigger) match {
      case (Some(min), Some(max)) =>
        ReadLimit.compositeLimit(Array(ReadLimit.minRows(min, options.maxTriggerDelayMillis), ReadLimit.maxRows(max)))
      case (Some(min), None) => ReadLimit.minRows(min, options.maxTriggerDelayMillis)
      case (None, Some(max)) => ReadLimit.maxRows(max)
      case (None, None) => ReadLimit.allAvailable()
    }

  override def prepareForTriggerAvailableNow(): Unit = availableNow = true

  override def latestOffset(): Offset =
    throw new UnsupportedOperationException("latestOffset(Offset, ReadLimit) is called instead")

  override def latestOffset(start: Offset, limit: ReadLimit): Offset = {
    val from = offsetsOf(start)
    latest = last.getOrElse(reader.latest(from))
    if (availableNow && last.isEmpty) last = Some(latest)
    lag.saw(latest, System.currentTimeMillis())
    val limits = limit match {
      case several: CompositeReadLimit => several.getReadLimits.toSeq
      case one => Seq(one)
    }
    val end =
      if (limits.exists(_.isInstanceOf[ReadAllAvailable])) latest
      else {
        limits.collectFirst { case min: ReadMinRows if tooFew(min, from) => from }.orElse {
          limits.collectFirst { case max: ReadMaxRows => RateLimit.limited(max.maxRows(), started(from), latest) }
        }.getOrElse(latest)
      }
    if (end.isEmpty) null else SourceOffset(end)
  }

  override def reportLatestOffset(): Offset = if (latest.isEmpty) null else SourceOffset(latest)

  /** The places to read from: new partitions begin at their first record. */
  private def started(from: Map[TopicPartition, Long]): Map[TopicPartition, Long] = {
    val added = (latest.keySet -- from.keySet).toSeq
    if (added.isEmpty) from else from ++ reader.earliest(added)
  }

  private def tooFew(min: ReadMinRows, from: Map[TopicPartition, Long]): Boolean = {
    val now = System.currentTimeMillis()
    val rows = latest.map { case (tp, end) => end - from.getOrElse(tp, 0L) }.sum
    val wait = now - lastTrigger < min.maxTriggerDelayMs && rows < min.minRows
    if (!wait) lastTrigger = now
    wait
  }

  override def planInputPartitions(start: Offset, end: Offset): Array[InputPartition] = {
    val (from, until) = (offsetsOf(start), offsetsOf(end))
    val ranges = OffsetRange.between(from, until, reader.earliest, options.limits.failOnDataLoss)
    val planned = Planning.partitions(ranges, until.keys.toSeq, options, tasks)
    val partitions = states.fold(planned) { of =>
      planned.map(part => part.copy(state = Some(of.at(part.ranges, until.keySet))))
    }
    val turned = (turns, partitions.headOption) match {
      case (Some(batches), Some(first)) =>
        val turn = batches.of(first.groups)
        partitions.map(partition => partition.copy(turn = Some(turn(partition.group))))
      case _ => partitions
    }
    turned.map(identity[InputPartition])
  }

  override def createReaderFactory(): PartitionReaderFactory = readerFactory(plan)

  /** The batch that ends here is done for good. */
  override def commit(end: Offset): Unit =
    options.mirrorGroup.foreach { group =>
      // The group is a copy for people and tools. That it can't be written must not stop the query.
      try reader.mirror(group, offsetsOf(end))
      catch { case e: Exception => log.warn("mirrorGroup {}: {}", group, e.getMessage: Any) }
    }

  override def metrics(consumed: Optional[Offset]): JMap[String, String] =
    if (consumed.isPresent && latest.nonEmpty) {
      val now = System.currentTimeMillis()
      (lag.metrics(
        latest,
        offsetsOf(consumed.get),
        now
      ) ++ states.map(_.sizes.metrics(now)).getOrElse(Map.empty) ++ plan.swap.map(
        _.live.metrics
      ).getOrElse(Map.empty)).asJava
    } else JMap.of()

  override def stop(): Unit = {
    reader.close()
    turns.foreach(_.close())
    // In local mode the tasks' consumers are in this process; those of other executors close when they were idle long.
    KafkaReader.forget(source)
    states.foreach(_.forget())
  }

  private def offsetsOf(offset: Offset): Map[TopicPartition, Long] = offset match {
    case SourceOffset(offsets) => offsets
    case other => Offsets.read(other.json, "the checkpoint's offsets")
  }

  /** The same stream with other columns; equal to this one, so that Spark's progress counts its rows here. */
  def narrowed(plan: ReadPlan): MicroBatchStream = new NarrowStream(this, plan)

  private[kafka] def readerFactory(plan: ReadPlan): PartitionReaderFactory =
    new RangeReaderFactory(
      source,
      options.kafka,
      plan.inBatch(root),
      options.limits,
      options.deadLetters,
      states.filter(_ => plan.windows).map(_.sizes)
    )

  override def equals(other: Any): Boolean = other match {
    case narrow: NarrowStream => narrow.of eq this
    case that: AnyRef => this eq that
    case _ => false
  }

  override def hashCode: Int = System.identityHashCode(this)

  override def toString: String = s"firesteel[${options.subscription}]"
}

/** A stream read with fewer columns, see [[NarrowStreams]]. Spark plans and runs one micro-batch with it. */
private[kafka] final class NarrowStream(val of: FiresteelMicroBatchStream, plan: ReadPlan) extends MicroBatchStream {
  override def initialOffset(): Offset = of.initialOffset()
  override def latestOffset(): Offset = of.latestOffset()
  override def deserializeOffset(json: String): Offset = of.deserializeOffset(json)
  override def planInputPartitions(start: Offset, end: Offset): Array[InputPartition] =
    of.planInputPartitions(start, end)
  override def createReaderFactory(): PartitionReaderFactory = of.readerFactory(plan)
  override def commit(end: Offset): Unit = of.commit(end)
  override def stop(): Unit = of.stop()

  override def equals(other: Any): Boolean = other match {
    case narrow: NarrowStream => narrow.of eq of
    case that: AnyRef => that eq of
    case _ => false
  }

  override def hashCode: Int = of.hashCode

  override def toString: String = of.toString
}
