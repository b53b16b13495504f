package io.firesteel.spark

import org.apache.spark.sql.internal.SQLConf

/**
 * The session settings of this plugin: key, default, unit, meaning. Read on the driver when a query is planned.
 *
 * {{{
 * spark.firesteel.batch.enabled   true    evaluate batches of rows; false evaluates row by row, with the same bits
 * spark.firesteel.batchSize       8192    most rows in a batch
 * spark.firesteel.batchBytes      32 MiB  a batch is cut when its strings and binary reach this many bytes
 * spark.firesteel.windows.buckets 64      parts of the keys of a window block in Spark's state store; fixed with a checkpoint
 * spark.firesteel.models.refresh  1000    how old a look at the aliases of models may be when a micro-batch begins, in ms
 * spark.firesteel.python          –       a Python with firesteel and mlflow, for models:/ and runs:/; else PYSPARK_PYTHON
 * spark.firesteel.native.path     –       folder with the native libraries, instead of those in the jar
 * }}}
 */
object FiresteelConf {
  val BatchEnabled = "spark.firesteel.batch.enabled"
  val BatchSize = "spark.firesteel.batchSize"
  val BatchBytes = "spark.firesteel.batchBytes"

  val WindowBuckets = "spark.firesteel.windows.buckets"

  val ModelsRefresh = "spark.firesteel.models.refresh"

  private val DefaultBatchSize = 8192
  private val DefaultBatchBytes = 32L << 20

  def batchEnabled(conf: SQLConf): Boolean = conf.getConfString(BatchEnabled, "true").trim.toLowerCase match {
    case "true" => true
    case "false" => false
    case other => throw wrong(BatchEnabled, other, "true or false")
  }

  def batchSize(conf: SQLConf): Int =
    positive(conf, BatchSize, DefaultBatchSize.toLong, (1 << 20).toLong).toInt

  def batchBytes(conf: SQLConf): Long =
    positive(conf, BatchBytes, DefaultBatchBytes, 1L << 30)

  def windowBuckets(conf: SQLConf): Int = positive(conf, WindowBuckets, 64L, 1L << 16).toInt

  /** Milliseconds; 0 looks before every micro-batch. */
  def modelsRefresh(conf: SQLConf): Long =
    if (conf.getConfString(ModelsRefresh, "").trim == "0") 0L else positive(conf, ModelsRefresh, 1000L, 86400000L)

  private def positive(conf: SQLConf, key: String, default: Long, max: Long): Long =
    Option(conf.getConfString(key, null)) match {
      case None => default
      case Some(text) =>
        text.trim.toLongOption
          .filter(v => v >= 1 && v <= max)
          .getOrElse(throw wrong(key, text, s"a whole number from 1 to $max"))
    }

  private def wrong(key: String, value: String, range: String): IllegalArgumentException =
    new IllegalArgumentException(s"BAD_SETTING: $key is '$value', but must be $range")
}
