package io.firesteel.spark.kafka

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import io.firesteel.spark.bridge.{KafkaReader, NativeLibrary, NativeModels, ReaderMetrics}
import io.firesteel.spark.exec.{TaskBudget, TaskRunners}
import io.firesteel.spark.kafka.deadletter.{DeadLetterOptions, DeadLetters, Sieve, SievedReader, Turn}
import io.firesteel.spark.kafka.windows.{StateAt, StateSizes}
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.connector.metric.CustomTaskMetric
import org.apache.spark.sql.connector.read.{InputPartition, PartitionReader, PartitionReaderFactory}
import org.apache.spark.sql.vectorized.ColumnarBatch
import org.apache.spark.{TaskContext, TaskKilledException}

import scala.jdk.CollectionConverters._

/**
 * What one task reads.
 *
 * @param group its number among the groups of partitions that are read together, and `groups` how many there are
 * @param turn in a micro-batch, its right to write dead letters, if they are wanted
 * @param state where windows find what they know, if there are any
 */
private[kafka] final case class RangesPartition(
    ranges: Seq[OffsetRange],
    locations: Seq[String],
    group: Int,
    groups: Int,
    turn: Option[Turn] = None,
    state: Option[StateAt] = None)
    extends InputPartition {
  override def preferredLocations(): Array[String] = locations.toArray
}

/**
 * Makes the readers of a scan's tasks.
 *
 * @param source who reads: consumers are used again by tasks of the same source; none are kept if it is empty
 * @param letters where rejected rows go, if the plan takes them out
 * @param sizes told what the windows' states take, if there are any that stay
 */
private[kafka] final class RangeReaderFactory(
    source: String,
    kafka: KafkaOptions,
    plan: ReadPlan,
    limits: Limits,
    letters: Option[DeadLetterOptions],
    sizes: Option[StateSizes] = None)
    extends PartitionReaderFactory {
  override def supportColumnarReads(partition: InputPartition): Boolean = true

  override def createColumnarReader(partition: InputPartition): PartitionReader[ColumnarBatch] = {
    val part = partition.asInstanceOf[RangesPartition]
    NativeLibrary.load()
    plan.models.foreach(_.load())
    val task = TaskContext.get()
    val state = part.state.filter(_ => plan.windows)
    val windows = state.map(_.request(part.ranges)).getOrElse("")
    val reader = new KafkaReader(
      request(part.ranges),
      plan.call,
      windows,
      state.flatMap(_.snapshots).orNull,
      plan.native,
      plan.fields,
      TaskBudget.of(task)
    )
    if (task != null) TaskRunners.closeWith(task, reader)
    val batches = new BatchReader(reader, task, () => state.foreach(left))
    val sieved = for (at <- plan.rejected; options <- letters)
      yield new SievedReader(batches, new Sieve(plan.native(at)), DeadLetters.of(options, kafka, part.turn))
    sieved.getOrElse(batches)
  }

  /** A task is done with its states. */
  private def left(state: StateAt): Unit = {
    sizes.foreach(_.measure(state.home))
    state.save()
  }

  override def createReader(partition: InputPartition): PartitionReader[InternalRow] =
    new RowReader(createColumnarReader(partition))

  /** `ReadRequest` of the native side. */
  private def request(ranges: Seq[OffsetRange]): String = {
    val mapper = RangeReaderFactory.mapper
    val root = mapper.createObjectNode()
    root.put("source", source)
    root.set[JsonNode]("settings", mapper.readTree(ClientConfig.settings(kafka.values)))
    val list = root.putArray("ranges")
    ranges.foreach { range =>
      list.addObject()
        .put("topic", range.tp.topic)
        .put("partition", range.tp.partition)
        .put("from", range.from)
        .put("until", range.until)
    }
    val columns = root.putArray("columns")
    plan.records.foreach(columns.add)
    root
      .put("batchRows", limits.batchRows)
      .put("batchBytes", limits.batchBytes)
      .put("maxWaitMs", limits.maxWaitMillis)
      .put("patienceMs", limits.patienceMillis)
      .put("prefetchBytes", limits.prefetchBytes)
      .put("failOnDataLoss", limits.failOnDataLoss)
    mapper.writeValueAsString(root)
  }
}

private object RangeReaderFactory {
  private val mapper = new ObjectMapper()
}

/** A task's batches. */
private[kafka] final class BatchReader(reader: KafkaReader, task: TaskContext, closed: () => Unit)
    extends PartitionReader[ColumnarBatch] {
  private var batch: ColumnarBatch = null
  private var metrics = ReaderMetrics.ZERO
  private var modelBytes = 0L

  override def next(): Boolean = {
    if (task != null && task.isInterrupted()) throw new TaskKilledException("killed between two batches")
    batch = TaskRunners.stoppable(task)(reader.next())
    metrics = reader.metrics()
    if (batch == null) modelBytes = NativeModels.bytes()
    batch != null
  }

  override def get(): ColumnarBatch = batch

  /** What was read so far, all of it given to the query. */
  def read: TaskRead = TaskRead(metrics, metrics.rows, 0, modelBytes)

  override def currentMetricsValues(): Array[CustomTaskMetric] = ReadMetrics.values(read)

  override def close(): Unit = {
    reader.close()
    closed()
  }
}

/** The same rows one by one, for operators that take no batches. */
private final class RowReader(batches: PartitionReader[ColumnarBatch]) extends PartitionReader[InternalRow] {
  private var rows: Iterator[InternalRow] = Iterator.empty

  override def next(): Boolean = {
    while (!rows.hasNext && batches.next()) rows = batches.get().rowIterator().asScala
    rows.hasNext
  }

  override def get(): InternalRow = rows.next()

  override def currentMetricsValues(): Array[CustomTaskMetric] = batches.currentMetricsValues()

  override def close(): Unit = batches.close()
}
