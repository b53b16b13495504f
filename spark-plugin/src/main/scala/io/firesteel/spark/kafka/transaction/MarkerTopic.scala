package io.firesteel.spark.kafka.transaction

import java.time.Duration
import java.util.{Collections, Optional}
import java.util.concurrent.ExecutionException

import io.firesteel.shaded.kafka.clients.admin._
import io.firesteel.shaded.kafka.clients.consumer.{CloseOptions, KafkaConsumer}
import io.firesteel.shaded.kafka.common.config.ConfigResource
import io.firesteel.shaded.kafka.common.errors.{TopicExistsException, UnknownTopicOrPartitionException}
import io.firesteel.shaded.kafka.common.{IsolationLevel, TopicPartition}
import io.firesteel.spark.bridge.FiresteelException

import scala.jdk.CollectionConverters._

/**
 * The compacted topic that holds the last marker of every writer.
 *
 * A marker is read back only where its writer is new: by the driver at a query's start, by a task whose producer was
 * not the last one. Both read to the high watermark, not to the last stable offset: an open transaction of another
 * writer could hide our marker behind it, so reading waits until that one has ended. A query's own dead writers must
 * be shut out before it reads, or it waits for them until the brokers give them up.
 */
private[kafka] final class MarkerTopic(settings: TransactionSettings) {
  import MarkerTopic._

  def name: String = settings.markerTopic

  /** Makes the topic if it is not there; refuses one that is not compacted. Gives its number of partitions. */
  def ensure(admin: Admin): Int = KafkaFailure.explained(settings, s"prepare the marker topic $name") {
    val found =
      try Some(describe(admin))
      catch { case e: ExecutionException if e.getCause.isInstanceOf[UnknownTopicOrPartitionException] => None }
    found match {
      case Some(partitions) =>
        val resource = new ConfigResource(ConfigResource.Type.TOPIC, name)
        val config = admin.describeConfigs(Collections.singleton(resource)).all().get().get(resource)
        val policy = Option(config.get("cleanup.policy")).fold("")(_.value())
        if (policy != "compact") {
          throw new FiresteelException(
            s"MARKER_TOPIC: topic $name has cleanup.policy=$policy: markers would be deleted, and a repeated batch would " +
              "be written twice. Set it to compact, or name another topic in markerTopic"
          )
        }
        partitions
      case None =>
        create(admin)
        Partitions
    }
  }

  private def describe(admin: Admin): Int =
    admin.describeTopics(Collections.singleton(name)).allTopicNames().get().get(name).partitions().size()

  private def create(admin: Admin): Unit = {
    val topic = new NewTopic(name, Optional.of(Int.box(Partitions)), Optional.empty[java.lang.Short]())
      .configs(Config.asJava)
    try {
      val _ = admin.createTopics(Collections.singleton(topic)).all().get()
    } catch { case e: ExecutionException if e.getCause.isInstanceOf[TopicExistsException] => () }
    // Its partitions get leaders a moment after it is there.
    val deadline = System.nanoTime() + SettleNanos
    var ready = false
    while (!ready) {
      ready =
        try describe(admin) > 0
        catch { case _: ExecutionException if System.nanoTime() < deadline => Thread.sleep(50); false }
    }
  }

  /** Where the markers of a writer are. */
  def partitionOf(id: TransactionId, partitions: Int): Int = id.partition.toIntOption match {
    // Tasks of one query side by side, so that few of them wait for each other.
    case Some(task) => Math.floorMod(id.query.hashCode + id.sink.hashCode + task, partitions)
    case None => Math.floorMod(id.key.hashCode, partitions)
  }

  /**
   * Reads committed markers of some partitions, each from an offset to where it ends now; waits for transactions that
   * are still open there.
   */
  def read(admin: Admin, from: Map[Int, Long])(each: (String, Array[Byte], Place) => Unit): Unit =
    KafkaFailure.explained(settings, s"read the marker topic $name") {
      consume(admin, from, IsolationLevel.READ_COMMITTED)(each)
    }

  /** Reads all markers of a partition, committed or open or given up, and waits for nobody. */
  def readUndecided(admin: Admin, partition: Int)(each: (String, Array[Byte], Place) => Unit): Unit =
    KafkaFailure.explained(settings, s"read the marker topic $name") {
      consume(admin, Map(partition -> 0L), IsolationLevel.READ_UNCOMMITTED)(each)
    }

  private def consume(admin: Admin, from: Map[Int, Long], isolation: IsolationLevel)(
      each: (String, Array[Byte], Place) => Unit): Unit = {
    val ends = endOffsets(admin, from.keySet)
    val wanted = from.collect {
      case (partition, start) if ends(partition) > start => new TopicPartition(name, partition) -> start
    }
    if (wanted.nonEmpty) {
      val consumer = new KafkaConsumer[Array[Byte], Array[Byte]](settings.consumer(isolation))
      try {
        consumer.assign(wanted.keySet.asJava)
        wanted.foreach { case (partition, start) => consumer.seek(partition, start) }
        val patience = new Patience(admin, settings.transactionTimeoutMs)
        def behind = wanted.keys.find(p => consumer.position(p) < ends(p.partition()))
        while (behind.isDefined) {
          consumer.poll(Duration.ofMillis(200)).forEach { record =>
            each(new String(record.key, "UTF-8"), record.value, Place(record.partition, record.offset))
          }
          behind.foreach(patience.waitFor)
        }
      } finally consumer.close(CloseOptions.timeout(Duration.ofSeconds(5)))
    }
  }

  private def endOffsets(admin: Admin, partitions: Set[Int]): Map[Int, Long] = {
    val wanted = partitions.map(p => new TopicPartition(name, p) -> OffsetSpec.latest()).toMap
    val options = new ListOffsetsOptions(IsolationLevel.READ_UNCOMMITTED)
    admin.listOffsets(wanted.asJava, options).all().get().asScala
      .map { case (partition, found) => partition.partition() -> found.offset() }.toMap
  }
}

private[kafka] object MarkerTopic {

  /** Where a marker stands. */
  final case class Place(partition: Int, offset: Long)

  private val Partitions = 16
  private val SettleNanos = 15000000000L

  /** Small segments that are cleaned soon: one record per task and batch comes in, one per task is wanted. */
  private val Config = Map(
    "cleanup.policy" -> "compact",
    "segment.bytes" -> (8 << 20).toString,
    "segment.ms" -> "3600000",
    "min.cleanable.dirty.ratio" -> "0.1"
  )
}
