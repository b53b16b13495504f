package io.firesteel.spark.exec

import io.firesteel.spark.bridge.NativeHistory
import org.apache.spark.TaskContext
import org.apache.spark.rdd.RDD
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions._
import org.apache.spark.sql.catalyst.plans.physical.{ClusteredDistribution, Distribution}
import org.apache.spark.sql.execution.{SparkPlan, UnaryExecNode}
import org.apache.spark.sql.execution.metric.{SQLMetric, SQLMetrics}
import org.apache.spark.sql.vectorized.ColumnarBatch

/**
 * Pieces of packed rows in, bucket by bucket; the pipeline's rows out, as columns in native memory.
 *
 * Neither is a result packed, nor do its rows become Spark's before somebody needs them so. What a task holds is one
 * bucket: Spark's sort brings its pieces together, and spills them if they are too many.
 */
case class WindowedRowsExec(windows: WindowedRows, output: Seq[Attribute], child: SparkPlan) extends UnaryExecNode {
  private def bucket: Expression = windows.children.head

  override def supportsColumnar: Boolean = true

  override def producedAttributes: AttributeSet = AttributeSet(output)

  override def nodeName: String = "FiresteelWindows"

  override def verboseStringWithOperatorId(): String = s"$formattedNodeName\n${windows.program.plan}\n"

  override def requiredChildDistribution: Seq[Distribution] = Seq(ClusteredDistribution(Seq(bucket)))

  override def requiredChildOrdering: Seq[Seq[SortOrder]] =
    Seq(windows.children.take(2).map(SortOrder(_, Ascending)))

  override lazy val metrics: Map[String, SQLMetric] = Map(
    "rows" -> SQLMetrics.createMetric(sparkContext, "rows"),
    "buckets" -> SQLMetrics.createMetric(sparkContext, "buckets"),
    "engine" -> SQLMetrics.createNanoTimingMetric(sparkContext, "time in windows")
  )

  override protected def doExecuteColumnar(): RDD[ColumnarBatch] = {
    val (call, inputs) = (windows, child.output)
    val (rows, buckets, engine) = (longMetric("rows"), longMetric("buckets"), longMetric("engine"))
    child.execute().mapPartitions { pieces =>
      if (pieces.isEmpty) Iterator.empty
      else new WindowedBatches(call, inputs, pieces, rows, buckets, engine, TaskContext.get())
    }
  }

  override protected def doExecute(): RDD[InternalRow] =
    throw new IllegalStateException(s"INTERNAL: $nodeName gives columns")

  override protected def withNewChildInternal(newChild: SparkPlan): WindowedRowsExec = copy(child = newChild)
}

/** One task of [[WindowedRowsExec]]. */
private final class WindowedBatches(
    windows: WindowedRows,
    inputs: Seq[Attribute],
    pieces: Iterator[InternalRow],
    rows: SQLMetric,
    buckets: SQLMetric,
    engine: SQLMetric,
    task: TaskContext)
    extends Iterator[ColumnarBatch] {
  private val bound = windows.children.map(BindReferences.bindReference(_, inputs)).toArray
  private val history = {
    windows.program.models.foreach(_.load())
    val opened = new NativeHistory(windows.block, windows.buckets, windows.program.output, TaskBudget.of(task))
    TaskRunners.closeWith(task, opened)
    opened
  }
  private val batch = new ColumnarBatch(windows.program.output.indices.map(history.column).toArray)
  private val waiting = pieces.buffered
  private var count = -1
  private var asked = false

  override def hasNext: Boolean = {
    if (!asked) {
      count = timed(history.next())
      while (count < 0 && waiting.hasNext) {
        nextBucket()
        count = timed(history.next())
      }
      if (count < 0) history.close()
      asked = true
    }
    count >= 0
  }

  override def next(): ColumnarBatch = {
    if (!hasNext) {
      throw new NoSuchElementException("no more rows")
    }
    asked = false
    batch.setNumRows(count)
    rows += count
    batch
  }

  private def bucketOf(piece: InternalRow): Int = bound(0).eval(piece).asInstanceOf[Int]

  private def nextBucket(): Unit = {
    val bucket = bucketOf(waiting.head)
    while (waiting.hasNext && bucketOf(waiting.head) == bucket) {
      history.add(bound(2).eval(waiting.next()).asInstanceOf[Array[Byte]])
    }
    timed(history.run())
    buckets += 1
  }

  private def timed[T](work: => T): T = {
    val start = System.nanoTime()
    try TaskRunners.stoppable(task)(work)
    finally engine += System.nanoTime() - start
  }
}
