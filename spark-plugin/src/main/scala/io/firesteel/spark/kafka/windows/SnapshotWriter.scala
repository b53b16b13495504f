package io.firesteel.spark.kafka.windows

import java.util.concurrent.{ConcurrentHashMap, Executors}

import io.firesteel.spark.bridge.KafkaState
import org.slf4j.LoggerFactory

import scala.util.control.NonFatal

/**
 * Writes snapshots in a thread of its own, so that no micro-batch waits for a file system. A task that wants a state
 * while it becomes bytes waits for that, not for the writing.
 */
private[windows] object SnapshotWriter {
  private val log = LoggerFactory.getLogger(getClass)
  private val waiting = ConcurrentHashMap.newKeySet[String]()
  private lazy val thread = Executors.newSingleThreadExecutor { work =>
    val made = new Thread(work, "firesteel-snapshots")
    made.setDaemon(true)
    made
  }

  /** Looks soon for states that have seen so many events since their last snapshot. */
  def wake(home: String, snapshots: Snapshots, events: Long): Unit =
    if (waiting.add(home)) {
      thread.execute { () =>
        val _ = waiting.remove(home)
        // A snapshot that fails costs a longer replay later, and nothing now.
        try KafkaState.save(home, events, snapshots)
        catch { case NonFatal(e) => log.warn("no snapshot of windows in {}: {}", snapshots.folder, e.getMessage: Any) }
      }
    }
}
