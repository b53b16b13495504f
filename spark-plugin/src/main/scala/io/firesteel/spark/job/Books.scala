package io.firesteel.spark.job

import java.util.UUID
import java.util.concurrent.{ConcurrentHashMap, CountDownLatch, TimeUnit}

import org.apache.spark.sql.streaming.StreamingQueryListener
import org.apache.spark.sql.streaming.StreamingQueryListener._

/**
 * Joins the counts of a batch, known inside it, with Spark's report of it, known after its commit, and writes the
 * progress file. Also knows whether a batch is in progress, so that a stop can wait for its commit.
 *
 * [[during]] runs in the query's thread, the listener's methods in Spark's listener thread, [[stopAfterBatch]] in a
 * shutdown hook.
 */
private[job] final class Books(file: Option[ProgressFile]) extends StreamingQueryListener {
  private val counts = new ConcurrentHashMap[Long, BatchCounts]
  private val over = new ConcurrentHashMap[UUID, CountDownLatch]
  private val lock = new Object
  private var inProgress = false
  private var stopping = false

  def started(queryId: String, guarantees: Seq[String]): Unit = file.foreach(_.started(queryId, guarantees))

  /** True once a stop was asked for. */
  def isStopping: Boolean = lock.synchronized(stopping)

  /** Runs the body of a batch. Once a stop is asked for no batch begins: it waits to be interrupted. */
  def during(batchId: Long)(body: => BatchCounts): Unit = {
    lock.synchronized {
      while (stopping) lock.wait()
      inProgress = true
    }
    val _ = counts.put(batchId, body)
  }

  /** Lets no batch begin any more and waits until the one in progress is committed, at most so long. */
  def stopAfterBatch(timeoutMs: Long): Unit = lock.synchronized {
    stopping = true
    val deadline = System.nanoTime + TimeUnit.MILLISECONDS.toNanos(timeoutMs)
    var left = timeoutMs
    while (inProgress && left > 0) {
      lock.wait(left)
      left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime)
    }
  }

  /** Waits until Spark has reported everything about a query that has ended. */
  def awaitEnd(runId: UUID): Unit = {
    val _ = latch(runId).await(10, TimeUnit.SECONDS)
  }

  override def onQueryStarted(event: QueryStartedEvent): Unit = ()

  override def onQueryProgress(event: QueryProgressEvent): Unit = {
    // A report without counts is of a trigger that found no data.
    Option(counts.remove(event.progress.batchId)).foreach { batch =>
      file.foreach(_.batch(event.progress, batch))
      lock.synchronized {
        inProgress = false
        lock.notifyAll()
      }
    }
  }

  override def onQueryTerminated(event: QueryTerminatedEvent): Unit = {
    file.foreach(_.ended(event.exception.map(_.linesIterator.nextOption().getOrElse(""))))
    lock.synchronized {
      inProgress = false
      lock.notifyAll()
    }
    latch(event.runId).countDown()
  }

  private def latch(runId: UUID): CountDownLatch = over.computeIfAbsent(runId, _ => new CountDownLatch(1))
}
