package io.firesteel.spark.kafka

import io.firesteel.spark.bridge.NativeProducer
import io.firesteel.spark.explain.Explained
import io.firesteel.spark.kafka.pushdown.RecordFilter
import io.firesteel.spark.kafka.windows.QueryStates
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.connector.expressions.filter.Predicate
import org.apache.spark.sql.connector.metric.CustomMetric
import org.apache.spark.sql.connector.read._
import org.apache.spark.sql.connector.read.streaming.MicroBatchStream
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.util.CaseInsensitiveStringMap

/** Takes what the query wants of the table's columns and, in a batch read, of its records. Spark asks no stream. */
private[kafka] final class FiresteelScanBuilder(content: Content, options: CaseInsensitiveStringMap)
    extends ScanBuilder
    with SupportsPushDownV2Filters
    with SupportsPushDownRequiredColumns {
  private var wanted = content.schema
  private var filter = RecordFilter.none

  /** All of them are left to Spark too: they narrow what is read and are not promised. */
  override def pushPredicates(predicates: Array[Predicate]): Array[Predicate] = {
    if (content.isOfRecords) filter = RecordFilter.of(predicates)
    predicates
  }

  override def pushedPredicates(): Array[Predicate] = filter.pushed

  override def pruneColumns(required: StructType): Unit = {
    wanted = content.only(required.fieldNames.toSet)
  }

  override def build(): Scan = new FiresteelScan(content, wanted, options, filter)
}

/** A read of the table, batch or streaming. What it prints names no option that could hold a secret. */
private[kafka] final class FiresteelScan(
    content: Content,
    wanted: StructType,
    options: CaseInsensitiveStringMap,
    val filter: RecordFilter)
    extends Scan
    with Explained {
  lazy val plan: ReadPlan = content.plan(wanted)

  /** The same scan with some of its columns. */
  def narrowed(names: Set[String]): FiresteelScan = new FiresteelScan(content, content.only(names), options, filter)

  private def spark = SparkSession.active

  /** As many tasks as run at once. */
  private def tasks = math.max(1, spark.sparkContext.defaultParallelism)

  override def readSchema(): StructType = wanted

  override def description(): String = {
    val narrowed = if (filter.pushed.isEmpty) "" else s", $filter"
    s"firesteel ${Subscription.of(new SourceText(options))}: ${plan.description}$narrowed"
  }

  override def explained: String = plan.description

  override def toString: String = description()

  override def columnarSupportMode(): Scan.ColumnarSupportMode = Scan.ColumnarSupportMode.SUPPORTED

  override def supportedCustomMetrics(): Array[CustomMetric] = ReadMetrics.supported

  override def toBatch: Batch = new FiresteelBatch(SourceOptions.of(options, streaming = false), plan, filter, tasks)

  override def toMicroBatchStream(checkpoint: String): MicroBatchStream =
    new FiresteelMicroBatchStream(
      SourceOptions.of(options, streaming = true),
      plan,
      checkpoint,
      spark.sessionState.newHadoopConf(),
      tasks
    )
}

/** Everything between two places that the filter may let through, once. */
private[kafka] final class FiresteelBatch(options: SourceOptions, plan: ReadPlan, filter: RecordFilter, tasks: Int)
    extends Batch {

  /** Resolved once, so that planning twice reads the same. */
  private lazy val partitions: Array[RangesPartition] = {
    val reader = new OffsetReader(options)
    try {
      val from = reader.resolve(options.starting, "starting")
      val until = reader.resolve(options.ending, "ending")
      from.foreach { case (tp, start) =>
        until.get(tp).filter(_ < start).foreach { end =>
          throw new WrongSourceOption(
            s"startingOffsets: $tp starts at $start, but is to end at $end, which is before. If endingOffsets is not set, " +
              "the partition has no record there yet"
          )
        }
      }
      val all = OffsetRange.between(from, until, reader.earliest, options.limits.failOnDataLoss)
      val ranges = filter.narrow(all, reader.atOrAfter)
      // No batch comes after this one, so the tasks share what there is to read.
      val planned = Planning.partitions(ranges, ranges.map(_.tp), options, tasks)
      if (plan.windows)
        planned.map(part => part.copy(state = Some(QueryStates.once(part.ranges, until.keySet, options))))
      else planned
    } finally reader.close()
  }

  override def planInputPartitions(): Array[InputPartition] = partitions.map(identity[InputPartition])

  /** No source: the consumers close with their tasks. */
  override def createReaderFactory(): PartitionReaderFactory = {
    options.deadLetters.foreach { letters =>
      // Once here, so that a wrong topic is not first met by the first rejected row.
      val _ = NativeProducer.check(letters.client(options.kafka), letters.topic, FiresteelBatch.TopicMillis)
    }
    new RangeReaderFactory("", options.kafka, plan, options.limits, options.deadLetters)
  }
}

private[kafka] object FiresteelBatch {

  /** How long the brokers may take to say whether a topic is there. */
  private val TopicMillis = 30000L
}
