package io.firesteel.spark.kafka.transaction

import java.time.Duration
import java.util.concurrent.ConcurrentHashMap

import io.firesteel.shaded.kafka.clients.admin.{Admin, FenceProducersOptions}
import io.firesteel.shaded.kafka.clients.producer.{KafkaProducer, ProducerRecord}
import io.firesteel.spark.kafka.transaction.MarkerTopic.Place

import scala.collection.mutable
import scala.jdk.CollectionConverters._

/**
 * The driver's part of exactly-once writing: one per run of a query.
 *
 * Before the first batch of a run it checks the brokers, shuts every writer of an earlier run out, and reads what they
 * have committed. From then on a batch costs it nothing, unless the number of tasks changes: that is written down, in
 * a transaction of its own, before the tasks of the batch start, so that a restart knows which writers there may be.
 * Used by the query's thread.
 */
private[kafka] final class BatchPlans(settings: TransactionSettings, query: String, sink: String) {
  private val markers = new MarkerTopic(settings)
  private val planId = TransactionId.ofPlan(settings, query, sink)
  private var state: Option[State] = None

  private final class State(val markerPartitions: Int, var tasks: Int, val offsets: mutable.Map[String, Long])

  /**
   * What the tasks of a batch need to know: partitions of the marker topic, and by task where its last marker may be.
   * Throws if the batch must not be written. `topic` is the one of all rows, if there is one.
   */
  def prepare(epoch: Long, tasks: Int, topic: Option[String]): (Int, Array[Long]) = {
    val ready = state match {
      case Some(known) =>
        if (known.tasks != tasks) writePlan(epoch, tasks, known.markerPartitions)
        known.tasks = tasks
        known
      case None =>
        val fresh = start(epoch, tasks, topic)
        state = Some(fresh)
        fresh
    }
    (ready.markerPartitions, Array.tabulate(tasks)(task => ready.offsets.getOrElse(task.toString, 0L)))
  }

  /** Remembers where the markers of a batch stand, so that a task that reads its own back reads little. */
  def committed(messages: Seq[TransactionalTopic.Committed]): Unit =
    state.foreach(known => messages.foreach(message => known.offsets.update(message.writer, message.offset)))

  private def start(epoch: Long, tasks: Int, topic: Option[String]): State = {
    val admin = KafkaFailure.explained(settings, "connect")(Admin.create(settings.admin))
    try {
      BrokerChecks.all(admin, settings, topic)
      val partitions = markers.ensure(admin)
      // None of an earlier run's writers may commit after this, nor hide a marker behind what it has left open.
      val writers = math.max(writersBefore(admin, partitions), tasks)
      fence(admin, writers)
      val before = readPlan(admin, partitions)
      before.filter(_.epoch > epoch).foreach { plan =>
        throw TransactionalTopic.epochPassed(planId, epoch, plan.epoch)
      }
      val known = readMarkers(admin, partitions, writers)
      known.foreach { case (writer, (marker, _)) =>
        val id = planId.copy(partition = writer)
        if (marker.epoch > epoch) throw TransactionalTopic.epochPassed(id, epoch, marker.epoch)
        if (marker.epoch == epoch && marker.tasks != tasks)
          throw TransactionalTopic.tasksChanged(id, epoch, marker.tasks, tasks)
      }
      if (!before.exists(_.tasks == tasks)) writePlan(epoch, tasks, partitions)
      new State(partitions, tasks, mutable.Map.from(known.map { case (writer, (_, place)) => writer -> place.offset }))
    } finally admin.close(Duration.ofSeconds(5))
  }

  /** Ends what the planner and the tasks of an earlier run have left open. */
  private def fence(admin: Admin, writers: Int): Unit =
    KafkaFailure.explained(settings, "shut out the writers of an earlier run") {
      val ids = planId.text +: (0 until writers).map(TransactionId.ofTask(settings, query, sink, _).text)
      // All at once, and the answers waited for together.
      val _ = admin.fenceProducers(ids.asJava, new FenceProducersOptions().timeoutMs(TransactionSettings.LimitMs.toInt))
        .all().get()
    }

  /**
   * How many writers an earlier run may have had: the most of any plan that is there. One that was never committed
   * counts as well; its tasks never began, but to read it costs no waiting for whoever wrote it.
   */
  private def writersBefore(admin: Admin, partitions: Int): Int = {
    var most = 0
    markers.readUndecided(admin, markers.partitionOf(planId, partitions)) { (key, value, place) =>
      if (key == planId.key) most = math.max(most, plan(value, place).tasks)
    }
    most
  }

  private def readPlan(admin: Admin, partitions: Int): Option[Marker] = {
    var last: Option[Marker] = None
    markers.read(admin, Map(markers.partitionOf(planId, partitions) -> 0L)) { (key, value, place) =>
      if (key == planId.key) last = Some(plan(value, place))
    }
    last
  }

  private def plan(value: Array[Byte], place: Place): Marker =
    Marker.of(value, s"${markers.name}-${place.partition}@${place.offset}")

  /** The last marker of each of this query's writers. */
  private def readMarkers(admin: Admin, partitions: Int, writers: Int): Map[String, (Marker, Place)] = {
    val found = mutable.Map.empty[String, (Marker, Place)]
    val start = s"$query/$sink/"
    // Only where they may stand: in the others, other queries' transactions may be open.
    val places =
      (0 until writers).map(writer => markers.partitionOf(planId.copy(partition = writer.toString), partitions))
    markers.read(admin, places.map(_ -> 0L).toMap) { (key, value, place) =>
      val writer = key.stripPrefix(start)
      if (key.startsWith(start) && writer.toIntOption.isDefined) {
        found(writer) = (Marker.of(value, s"${markers.name}-${place.partition}@${place.offset}"), place)
      }
    }
    found.toMap
  }

  private def writePlan(epoch: Long, tasks: Int, partitions: Int): Unit =
    KafkaFailure.explained(settings, s"write down that batch $epoch has $tasks tasks") {
      val producer = new KafkaProducer[Array[Byte], Array[Byte]](settings.producer(planId))
      try {
        producer.initTransactions()
        producer.beginTransaction()
        val partition = Int.box(markers.partitionOf(planId, partitions))
        val plan = Marker(epoch, tasks, Content.Empty).toBytes
        val sent = producer.send(new ProducerRecord(markers.name, partition, planId.key.getBytes("UTF-8"), plan))
        producer.commitTransaction()
        val _ = sent.get()
      } finally Producers.close(producer)
    }
}

private[kafka] object BatchPlans {
  private val running = new ConcurrentHashMap[(String, TransactionSettings, String, String), BatchPlans]()
  private val MaxRuns = 1000

  /** The plans of a run of a query; Spark makes its writes anew for every batch. */
  def of(run: String, settings: TransactionSettings, query: String, sink: String): BatchPlans = {
    if (running.size > MaxRuns) running.clear()
    running.computeIfAbsent((run, settings, query, sink), _ => new BatchPlans(settings, query, sink))
  }

  /** After a failure nothing is known for sure: the next batch of this run asks again. */
  def forget(run: String, settings: TransactionSettings, query: String, sink: String): Unit = {
    val _ = running.remove((run, settings, query, sink))
  }

  /** The run is over. */
  def forget(run: String): Unit = {
    val _ = running.keySet.removeIf(_._1 == run)
  }
}
