package io.firesteel.spark.job

import java.nio.file.Paths
import java.util.concurrent.TimeUnit

import io.firesteel.spark.state.{Windowed, WindowedStream}
import io.firesteel.spark.resolve.{Functions, PipelineSource, PreparedComparison}
import io.firesteel.spark.{Firesteel, FiresteelExtensions}
import org.apache.hadoop.util.ShutdownHookManager
import org.apache.spark.SparkConf
import org.apache.spark.sql.functions.{count, lit}
import org.apache.spark.sql.streaming.{StreamingQuery, StreamingQueryException, Trigger}
import org.apache.spark.sql.{DataFrame, Observation, SparkSession}
import org.apache.spark.storage.StorageLevel

import scala.util.control.NonFatal

/**
 * The streaming query of a job: source, one transformation per micro-batch, sinks, books.
 *
 * A batch is transformed once and kept until all sinks have it. Lives on the driver; `foreachBatch` runs in the
 * query's thread, the listener in Spark's listener thread, the stop in a shutdown hook.
 */
private[spark] object ScoringQuery {
  private val ExtensionsKey = "spark.sql.extensions"
  private val Extensions = classOf[FiresteelExtensions].getName

  /** How long a SIGTERM waits for the batch in progress before it interrupts it, in seconds. */
  private val StopSeconds = 60L

  /** Before Spark's own hook (priority 50), which stops the context. */
  private val HookPriority = 100

  /**
   * Spark's reader asks for the end of its partition after each poll, over the connection on which the broker may hold
   * a fetch back for Kafka's default of 500 ms because there is nothing new. So each task that reads to the end of the
   * topic would take half a second. Consumers poll only while a task runs, so a short wait costs the broker nothing.
   */
  private val FetchWait = Map("kafka.fetch.max.wait.ms" -> "1")

  /** Runs to the end of the query; gives the failure that ended it, if any. Throws [[WrongOption]] before the start. */
  def run(options: JobOptions): Option[Throwable] = {
    val spark = session()
    PipelineSource.pin(options.pipeline, spark.sparkContext)
    val hadoop = spark.sparkContext.hadoopConfiguration
    def folder(path: String) = new OwnedFolder(path, hadoop, () => currentQueryId(spark))
    val existing = OwnedFolder.queryOf(options.checkpoint, hadoop)
    val folders = Seq(options.outputParquet, options.rejectedParquet).map(_.map(folder))
    folders.flatten.foreach(_.check(existing))

    val kafka = options.kafka + ("kafka.bootstrap.servers" -> options.bootstrapServers)
    val scores = folders(0).map(new ParquetSink("scores", _)).toSeq ++
      options.outputTopic.map(TopicSink.scores(_, options.outputKey, options.sink, kafka))
    val rejected = folders(1).map(new ParquetSink("rejected rows", _)).toSeq ++
      options.rejectedTopic.map(TopicSink.rejected(_, options.sink, kafka))
    (scores ++ rejected).foreach(sink => println(sink.guarantee))

    val books = new Books(options.progressFile.map(file => new ProgressFile(Paths.get(file))))
    spark.streams.addListener(books)
    val work = Work.of(options, Windowed.keys(options.pipeline, spark))
    work.home.foreach(home => println(s"windows: $home"))
    val query = start(
      spark,
      options,
      kafka,
      work,
      new BatchWork(work.perBatch, Functions.comparisonsOf(options.pipeline), scores, rejected, books)
    )
    books.started(query.id.toString, (scores ++ rejected).map(_.guarantee))
    stopOnSignal(query, books)
    val failure = awaitEnd(query)
    books.awaitEnd(query.runId)
    if (!books.isStopping) spark.stop()
    failure
  }

  private def session(): SparkSession = {
    val extensions = new SparkConf().getOption(ExtensionsKey).toSeq.flatMap(_.split(',')).map(_.trim)
    val store = WindowedStream.StateStore.filterNot { case (key, _) => new SparkConf().contains(key) }
    SparkSession.builder()
      .config(store)
      .config(ExtensionsKey, (extensions.filter(_.nonEmpty) :+ Extensions).distinct.mkString(","))
      .config("spark.sql.session.timeZone", "UTC")
      .getOrCreate()
  }

  private def start(
      spark: SparkSession,
      options: JobOptions,
      kafka: Map[String, String],
      work: Work,
      batches: BatchWork): StreamingQuery = {
    val reader = (options.source match {
      case SourceChoice.Native => spark.readStream.format("firesteel").options(work.inSource)
      case SourceChoice.Spark => spark.readStream.format("kafka").options(FetchWait)
    })
      .options(kafka)
      .option("subscribe", options.topic)
      .option("startingOffsets", options.startingOffsets)
      .option("failOnDataLoss", options.failOnDataLoss)
    val source = options.maxOffsetsPerTrigger.fold(reader)(reader.option("maxOffsetsPerTrigger", _)).load()
    val trigger = options.trigger match {
      case TriggerChoice.AvailableNow => Trigger.AvailableNow()
      case TriggerChoice.ProcessingTime(interval) => Trigger.ProcessingTime(interval)
    }
    val writer = work.perQuery(source).writeStream
      .option("checkpointLocation", options.checkpoint)
      .trigger(trigger)
      .foreachBatch((batch: DataFrame, id: Long) => batches.run(batch, id))
    options.queryName.fold(writer)(writer.queryName).start()
  }

  /** None when the query ended by itself or was stopped. */
  private def awaitEnd(query: StreamingQuery): Option[Throwable] =
    try {
      query.awaitTermination()
      None
    } catch { case failed: StreamingQueryException => Some(failed) }

  /** The query that runs in this thread; Spark sets the property for every micro-batch. */
  private def currentQueryId(spark: SparkSession): String = spark.sparkContext.getLocalProperty("sql.streaming.queryId")

  private def stopOnSignal(query: StreamingQuery, books: Books): Unit =
    ShutdownHookManager.get().addShutdownHook(
      () =>
        if (query.isActive) {
          books.stopAfterBatch(TimeUnit.SECONDS.toMillis(StopSeconds))
          query.stop()
        },
      HookPriority,
      StopSeconds + 30,
      TimeUnit.SECONDS
    )
}

/** What happens to one micro-batch. */
private[job] final class BatchWork(
    toScores: DataFrame => DataFrame,
    comparisons: Seq[PreparedComparison],
    scores: Seq[Sink],
    rejected: Seq[Sink],
    books: Books) {

  def run(batch: DataFrame, id: Long): Unit = books.during(id) {
    val seen = Observation()
    val rows = batch.observe(seen, count(lit(1)).as("rows"))
    val watched = new Challengers(comparisons)
    val transformed = watched.observe(toScores(rows)).persist(StorageLevel.MEMORY_AND_DISK)
    try {
      val counts = BatchCounts
        .of(transformed, () => seen.get("rows").asInstanceOf[Long])
        .copy(challengers = watched.found)
      counts.check(id)
      val accepted = inFewTasks(Firesteel.accepted(transformed), counts.rowsScored)
      scores.foreach(_.write(accepted, counts.rowsScored, id))
      val refused = inFewTasks(Firesteel.rejected(transformed), counts.rowsRejected)
      rejected.foreach(_.write(refused, counts.rowsRejected, id))
      counts
    } finally forget(transformed)
  }

  /** Few rows make one task and one file, not one per partition of the topic. */
  private def inFewTasks(rows: DataFrame, count: Long): DataFrame =
    rows.coalesce((count / BatchWork.RowsPerTask + 1).min(Int.MaxValue.toLong).toInt)

  private def forget(cached: DataFrame): Unit =
    try {
      val _ = cached.unpersist(blocking = false)
    } catch { case NonFatal(_) => () } // The context is gone, and the cache with it.
}

private[job] object BatchWork {

  /** Below this many rows a task costs more to start than to run. */
  private val RowsPerTask = 100000L
}
