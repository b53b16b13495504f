package io.firesteel.spark.doctor

import io.firesteel.spark.FiresteelConf
import org.apache.spark.SparkConf
import org.apache.spark.sql.classic.SparkSession

/** What can be wrong with a session and its settings. Driver only. */
private[doctor] final class SparkChecks(spark: SparkSession) {
  import SparkChecks._

  private val conf: SparkConf = spark.sparkContext.getConf

  def all(): Seq[Finding] =
    Seq(version(spark.version), extensions(), tasks(), offHeap(), udfs(), stateStore()) ++ access()

  private def extensions(): Finding =
    if (spark.catalog.functionExists("firesteel_predict")) Finding.ok("SQL functions", "registered")
    else
      Finding.warn(
        "SQL functions",
        "not registered in this session",
        "set spark.sql.extensions=io.firesteel.spark.FiresteelExtensions, or call Firesteel.register(spark)"
      )

  /** Spark's tasks are the parallelism: a session of a model has one thread. */
  private def tasks(): Finding = {
    val perTask = conf.getInt("spark.task.cpus", 1)
    val parallel = spark.sparkContext.defaultParallelism
    val cores = Runtime.getRuntime.availableProcessors()
    if (spark.sparkContext.isLocal && parallel / perTask > cores)
      Finding.warn(
        "tasks",
        s"${parallel / perTask} at a time on $cores cores",
        s"local[$cores] is faster: each task runs native code on a core of its own"
      )
    else Finding.ok(
      "tasks",
      s"${parallel / perTask} at a time${if (spark.sparkContext.isLocal) s" on $cores cores" else ""}"
    )
  }

  private def offHeap(): Finding = {
    val needed = 3 * FiresteelConf.batchBytes(spark.sessionState.conf)
    if (!conf.getBoolean("spark.memory.offHeap.enabled", false))
      Finding.ok("off-heap memory", "not limited by Spark; batches count against memoryOverhead")
    else {
      val size = conf.getSizeAsBytes("spark.memory.offHeap.size", "0")
      val cores = conf.getInt("spark.executor.cores", Runtime.getRuntime.availableProcessors())
      if (size / math.max(1, cores) < needed)
        Finding.warn(
          "off-heap memory",
          s"spark.memory.offHeap.size is ${size >> 20} MiB for $cores tasks, and a full batch of strings takes up to ${needed >> 20} MiB",
          s"raise it to ${(needed * cores) >> 20}m, or lower ${FiresteelConf.BatchBytes}"
        )
      else Finding.ok("off-heap memory", s"${size >> 20} MiB, charged to Spark's own budget")
    }
  }

  private def udfs(): Finding =
    if (spark.version == HangingVersion && spark.conf.get(ColumnarUdf, "true") == "true")
      Finding.warn(
        "Python UDFs",
        s"Spark $HangingVersion hangs when a plain Python UDF reads a columnar source, ours or Parquet",
        s"set $ColumnarUdf=false, or build the session with firesteel.configure"
      )
    else Finding.ok("Python UDFs", "nothing known to hang")

  private def stateStore(): Finding = {
    val provider = spark.conf.get("spark.sql.streaming.stateStore.providerClass")
    if (provider.endsWith("RocksDBStateStoreProvider")) Finding.ok("state store", "RocksDB")
    else
      Finding.warn(
        "state store",
        s"${provider.split('.').last}: pipelines with windows behind a stream need RocksDB",
        s"set spark.sql.streaming.stateStore.providerClass=$RocksDb, or build the session with firesteel.configure"
      )
  }

  private def access(): Option[Finding] = conf.getOption(AccessMode).map {
    case "SINGLE_USER" | "NONE" | "LEGACY_SINGLE_USER_STANDARD" => Finding.ok("access mode", "dedicated")
    case other =>
      Finding.warn(
        "access mode",
        s"$other: Databricks may refuse native code there; it was not tested",
        "use compute with dedicated access mode"
      )
  }
}

private[doctor] object SparkChecks {
  private val HangingVersion = "4.2.0"
  private val ColumnarUdf = "spark.sql.execution.arrow.pythonUDF.columnarInput.enabled"
  private val RocksDb = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
  private val AccessMode = "spark.databricks.clusterUsageTags.dataSecurityMode"

  def version(version: String): Finding = version.split('.').take(2).mkString(".") match {
    case "4.2" => Finding.ok("Spark", version)
    case "4.0" | "4.1" =>
      Finding.warn("Spark", s"$version, and Firesteel is tested with 4.2", "use Spark 4.2 where you can choose")
    case _ => Finding.fail("Spark", s"$version, and Firesteel is for Spark 4", "use Spark 4.2")
  }
}
