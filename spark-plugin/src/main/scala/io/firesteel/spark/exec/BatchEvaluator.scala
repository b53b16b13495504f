package io.firesteel.spark.exec

import io.firesteel.spark.bridge.NativeRunner
import org.apache.spark.{TaskContext, TaskKilledException}
import org.apache.spark.sql.catalyst.InternalRow
import org.apache.spark.sql.catalyst.expressions.{JoinedRow, Predicate, UnsafeProjection, UnsafeRow}
import org.apache.spark.sql.vectorized.{ColumnVector, ColumnarBatch}

/**
 * One task of [[FiresteelEvalExec]]: takes a batch of rows from its input, evaluates it, gives its rows, and so on.
 *
 * Native memory is bounded by one batch and freed when the input ends or the task does, however it ends. Rows that
 * `next` gives are valid until the one after, as everywhere in Spark.
 */
private[exec] final class BatchEvaluator(
    layout: EvalLayout,
    input: EvalInput,
    partition: Int,
    maxRows: Int,
    maxBytes: Long,
    metrics: EvalMetrics,
    task: TaskContext)
    extends Iterator[InternalRow] {

  private val budget = TaskBudget.of(task)
  private val runners: Array[NativeRunner] = layout.programs.map { case (program, places) =>
    val runner = program.open(places, budget)
    TaskRunners.closeWith(task, runner)
    runner
  }.toArray
  private val tallies = runners.map(new RunnerTally(_, metrics))

  private val keep =
    if (layout.kept.isEmpty) None else Some(UnsafeProjection.create(layout.kept, layout.childOutput))
  private val keptRows = new RowArena(layout.kept.length)
  private val condition = layout.condition.map(Predicate.create(_, layout.rowSchema))
  private val project = UnsafeProjection.create(layout.projectList, layout.rowSchema)
  condition.foreach(_.initialize(partition))
  project.initialize(partition)
  keep.foreach(_.initialize(partition))

  private val joined = new JoinedRow()
  private var results: ColumnarBatch = null
  private var rows = 0
  private var position = 0
  private var ready: UnsafeRow = null

  override def hasNext: Boolean = {
    while (ready == null && (position < rows || nextBatch())) {
      val row = current()
      position += 1
      if (condition.forall(_.eval(row))) {
        ready = project(row)
      }
    }
    ready != null
  }

  override def next(): InternalRow = {
    if (!hasNext) {
      throw new NoSuchElementException("no more rows")
    }
    val row = ready
    ready = null
    row
  }

  private def current(): InternalRow = {
    val result = results.getRow(position)
    if (keep.isEmpty) result else joined(keptRows.row(position), result)
  }

  /** Evaluates the next batch; false at the end of the input. */
  private def nextBatch(): Boolean = {
    release()
    if (task.isInterrupted()) {
      throw new TaskKilledException("killed between two batches")
    }
    if (!input.hasNext) {
      tallies.foreach(_.close())
      runners.foreach(_.close())
      false
    } else {
      fill()
      evaluate()
      true
    }
  }

  private def release(): Unit =
    if (rows > 0) {
      runners.foreach(_.clear())
      keptRows.clear()
      rows = 0
      position = 0
    }

  private def fill(): Unit = rows = input match {
    case of: RowInput => fillRows(of.rows)
    case of: ColumnInput => fillColumns(of)
  }

  private def isFull(count: Int): Boolean = count >= maxRows || runners(0).varyingBytes() >= maxBytes

  private def fillRows(from: Iterator[InternalRow]): Int = {
    var count = 0
    while (!isFull(count) && from.hasNext) {
      val row = from.next()
      var i = 0
      while (i < runners.length) {
        runners(i).append(row)
        i += 1
      }
      keep.foreach(projection => keptRows.append(projection(row)))
      count += 1
    }
    count
  }

  /** Only where no row is kept beside the results, see [[ColumnsIn]]. */
  private def fillColumns(from: ColumnInput): Int = {
    // Between two looks at how large the batch is.
    val most = if (runners.exists(_.hasVarying())) BatchEvaluator.VaryingTogether else maxRows
    var count = 0
    while (!isFull(count) && from.hasNext) {
      count += from.take(math.min(most, maxRows - count)) { (batch, first, length) =>
        runners.foreach(_.append(batch, first, length))
      }
    }
    count
  }

  private def evaluate(): Unit = {
    val columns: Array[ColumnVector] =
      TaskRunners.stoppable(task) {
        runners.zip(tallies).map { case (runner, tally) => tally.timed(runner.run()) }
      }
    if (results == null) {
      results = new ColumnarBatch(resultColumns(columns))
    }
    results.setNumRows(rows)
  }

  /** The results, then their fields. The same objects serve every batch: a runner points them at new memory. */
  private def resultColumns(columns: Array[ColumnVector]): Array[ColumnVector] = {
    val structs = columns.zip(layout.programs).map { case (column, (program, _)) =>
      if (program.isStruct) column.getChild(0) else column
    }
    val fields = structs.zip(layout.programs).flatMap { case (struct, (program, _)) =>
      program.resultType.indices.map(struct.getChild)
    }
    structs ++ fields
  }
}

private object BatchEvaluator {
  val VaryingTogether = 256
}
