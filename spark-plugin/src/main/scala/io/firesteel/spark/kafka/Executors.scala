package io.firesteel.spark.kafka

import org.apache.spark.SparkEnv

/**
 * Where a task finds the consumers of the batch before: a group of partitions prefers the same executor, batch after
 * batch.
 */
private[kafka] object Executors {

  /** Executors as task locations, in an order that stays while they do; none in local mode. */
  def locations(): Seq[String] = {
    // The block managers are the executors that Spark can name without a listener of our own. If Spark offers task
    // locations by public API, this is what changes.
    val manager = SparkEnv.get.blockManager
    val peers = manager.master.getPeers(manager.blockManagerId)
    peers.map(id => (id.host, id.executorId)).sorted.map { case (host, id) => s"executor_${host}_$id" }
  }

  def preferred(group: Int, locations: Seq[String]): Seq[String] =
    if (locations.isEmpty) Seq.empty else Seq(locations(group % locations.size))
}
