package io.firesteel.spark.exec

import java.util.concurrent.{ConcurrentHashMap, Executors, TimeUnit}

import io.firesteel.spark.bridge.{Cancellable, FiresteelCancelledException}
import org.apache.spark.{TaskContext, TaskKilledException}

/**
 * Ties native work to its task: closed when it completes, fails or is killed; told to stop when it is killed.
 *
 * Spark calls completion listeners only once the task's own thread comes back, and a thread inside native code does
 * not notice an interrupt. So a daemon looks at the tasks that run natively, and cancels.
 */
private[spark] object TaskRunners {
  private val LookMillis = 50L
  private val watched = ConcurrentHashMap.newKeySet[(TaskContext, Cancellable)]()

  private lazy val watch = {
    val pool = Executors.newSingleThreadScheduledExecutor { work =>
      val thread = new Thread(work, "firesteel-cancel-watch")
      thread.setDaemon(true)
      thread
    }
    pool.scheduleWithFixedDelay(() => cancelKilled(), LookMillis, LookMillis, TimeUnit.MILLISECONDS)
  }

  def closeWith(task: TaskContext, runner: Cancellable): Unit = {
    val pair = (task, runner)
    val _ = (watch, watched.add(pair))
    task.addTaskCompletionListener[Unit] { _ =>
      val _ = watched.remove(pair)
      // What was stopped half-way is not kept for later.
      if (task.isInterrupted()) runner.cancel()
      runner.close()
    }: Unit
  }

  /** Runs native work of a task (null outside of one): what was cancelled because the task was killed says so to Spark. */
  def stoppable[T](task: TaskContext)(work: => T): T =
    try work
    catch {
      case e: FiresteelCancelledException if task != null && task.isInterrupted() =>
        throw new TaskKilledException(e.getMessage)
    }

  private def cancelKilled(): Unit =
    watched.forEach { case (task, runner) => if (task.isInterrupted()) runner.cancel() }
}
