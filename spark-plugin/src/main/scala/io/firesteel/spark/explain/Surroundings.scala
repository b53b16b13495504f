package io.firesteel.spark.explain

import io.firesteel.spark.FiresteelConf
import io.firesteel.spark.models.LoadedModels
import org.apache.spark.sql.classic.SparkSession
import org.apache.spark.sql.internal.SQLConf

/** How a query's tasks run: how many, with how many threads, in which batches, with which state. */
private[explain] object Surroundings {

  /** `plan` is what stands above: its models are shown as they are in this process. */
  def lines(spark: SparkSession, conf: SQLConf, hasState: Boolean, plan: String): Seq[String] = {
    val sc = spark.sparkContext
    val tasks = sc.defaultParallelism / sc.getConf.getInt("spark.task.cpus", 1)
    val cores = Runtime.getRuntime.availableProcessors()
    val where = if (sc.isLocal) s" on $cores cores" else " on the executors' cores"
    val batch =
      if (FiresteelConf.batchEnabled(conf))
        s"${FiresteelConf.batchSize(conf)} rows, or ${FiresteelConf.batchBytes(conf) >> 20} MiB of text, whichever comes first"
      else s"a row, as ${FiresteelConf.BatchEnabled} is false"
    Seq(
      s"tasks     $tasks at a time$where; 1 thread each, in ONNX Runtime too",
      s"batch     $batch",
      "device    the CPU, unless a model above says otherwise",
      "memory    " + (
        if (sc.getConf.getBoolean("spark.memory.offHeap.enabled", false))
          s"batches are charged to Spark's off-heap budget of ${sc.getConf.get("spark.memory.offHeap.size", "0")}"
        else "batches are outside the heap and of Spark's budget: memoryOverhead must hold them"
      )
    ) ++ LoadedModels.sentences(sha256 => plan.contains(sha256.take(12))).map("model     " + _) ++ Option.when(
      hasState
    )(
      s"state     by key; behind our own source beside its partitions, else in Spark's state store in ${FiresteelConf.windowBuckets(conf)} buckets"
    )
  }
}
