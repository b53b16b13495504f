package io.firesteel.spark.kafka.sink

import java.util.concurrent.ConcurrentHashMap

import io.firesteel.spark.bridge.{FiresteelException, NativeProducer}
import io.firesteel.spark.kafka.sink.SinkOptions.refuse
import org.apache.spark.sql.SparkSession
import org.apache.spark.sql.connector.metric.CustomMetric
import org.apache.spark.sql.connector.write._
import org.apache.spark.sql.connector.write.streaming.{StreamingDataWriterFactory, StreamingWrite}
import org.apache.spark.sql.internal.connector.SupportsStreamingUpdateAsAppend

/**
 * The write side of `format("firesteel")`, on the driver: options and columns are checked here, before any task.
 *
 * Rows are appended in every output mode, as by Spark's Kafka sink.
 */
object SinkBuilder {
  def apply(info: LogicalWriteInfo): WriteBuilder = new Builder(info)

  private final class Builder(info: LogicalWriteInfo)
      extends WriteBuilder
      with SupportsTruncate
      with SupportsStreamingUpdateAsAppend {
    override def truncate(): WriteBuilder = this

    override def build(): Write = new KafkaWrite(info, SinkOptions.of(info.options()))
  }
}

private[sink] final class KafkaWrite(info: LogicalWriteInfo, options: SinkOptions) extends Write {
  override def description(): String =
    s"firesteel(topic = ${options.topic.getOrElse("per row")}, ${if (options.exactlyOnce.isDefined) "exactly"
      else "at least"} once)"

  override def supportedCustomMetrics(): Array[CustomMetric] = SinkMetrics.supported

  override def toBatch: BatchWrite = {
    if (options.exactlyOnce.isDefined) {
      refuse(
        "BAD_OPTION: exactlyOnce belongs to streaming queries: a batch write, also one in foreachBatch, has no epoch by " +
          "which Kafka could know it again. Use writeStream.format(\"firesteel\"), or leave the option out"
      )
    }
    val columns = RecordColumns.of(info.schema(), options, isStreaming = false)
    new AtLeastOnceBatch(new NativeWriterFactory(columns, options, info.queryId()), options)
  }

  override def toStreaming: StreamingWrite = {
    val columns = RecordColumns.of(info.schema(), options, isStreaming = true)
    options.exactlyOnce match {
      case Some(exactly) => new ExactlyOnceStream(columns, options, exactly, info.queryId())
      case None => new AtLeastOnceStream(new NativeWriterFactory(columns, options, info.queryId()), options)
    }
  }
}

private[sink] final class AtLeastOnceBatch(factory: NativeWriterFactory, options: SinkOptions) extends BatchWrite {
  override def createBatchWriterFactory(info: PhysicalWriteInfo): DataWriterFactory = {
    TopicCheck.now(options)
    factory
  }

  override def useCommitCoordinator(): Boolean = false

  override def commit(messages: Array[WriterCommitMessage]): Unit = ()

  override def abort(messages: Array[WriterCommitMessage]): Unit = ()
}

private[sink] final class AtLeastOnceStream(factory: NativeWriterFactory, options: SinkOptions) extends StreamingWrite {
  override def createStreamingWriterFactory(info: PhysicalWriteInfo): StreamingDataWriterFactory = {
    TopicCheck.oncePerRun(options)
    factory
  }

  override def useCommitCoordinator(): Boolean = false

  override def commit(epoch: Long, messages: Array[WriterCommitMessage]): Unit = ()

  override def abort(epoch: Long, messages: Array[WriterCommitMessage]): Unit = ()
}

/** Asks the brokers for the topic before tasks do, so that what is wrong is said once, and soon. */
private[kafka] object TopicCheck {

  /** A query that can't reach its brokers says so after this time. */
  private[kafka] val LimitMillis = 30000L
  private val checkedRuns = ConcurrentHashMap.newKeySet[String]()

  def now(options: SinkOptions): Unit = options.topic.foreach { topic =>
    val _ = NativeProducer.check(options.client, topic, LimitMillis)
  }

  /** Once per run of a query; Spark keeps the run's id in the thread that plans its batches. */
  def oncePerRun(options: SinkOptions): Unit = {
    val run = currentRun
    if (checkedRuns.size > 10000) checkedRuns.clear()
    if (run.forall(!checkedRuns.contains(_))) {
      now(options)
      run.foreach(checkedRuns.add)
    }
  }

  private[kafka] def currentRun: Option[String] = property("spark.jobGroup.id")

  /** The batch that is being planned in this thread. */
  private[kafka] def currentEpoch: Long = property("streaming.sql.batchId").flatMap(_.toLongOption).getOrElse {
    throw new FiresteelException("INTERNAL: Spark does not say which batch it plans; exactlyOnce needs micro-batches")
  }

  private def property(name: String): Option[String] =
    Option(SparkSession.active.sparkContext.getLocalProperty(name))
}
