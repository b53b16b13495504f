package io.firesteel.spark.models

import java.util.concurrent.{ExecutionException, Executors, Future, TimeUnit, TimeoutException}
import java.util.concurrent.atomic.AtomicLong

import scala.collection.concurrent.TrieMap

import io.firesteel.spark.exec.ModelRef
import org.slf4j.LoggerFactory

import scala.util.control.NonFatal

/** A model's name in the pipeline and its uri, as it can be looked up from anywhere. */
private[spark] final case class NamedUri(name: String, uri: String)

/**
 * The models of a pipeline as they stand now. Aliases are followed, and new models loaded and tried, in a thread of their
 * own; the thread that plans a micro-batch waits for it a moment, and not for a slow store or a large model: the next
 * batch will have it. A model that can't be loaded, or does not fit, is refused once, and the old one goes on.
 *
 * @param key names the pipeline in a query's checkpoint
 * @param load reads, checks and broadcasts the model of a uri
 * @param pin gives the uri of the version at which an alias stands
 */
private[spark] final class LiveModels(
    val key: String,
    val uris: Seq[NamedUri],
    first: Seq[ModelRef],
    load: String => ModelRef,
    pin: String => String) {
  import LiveModels._

  private var newest = first
  private var good = first
  // Uris of versions that were refused, so that they are not tried again and again.
  private var refused = Set.empty[String]
  private var looking: Option[Future[Looked]] = None
  private var lookedAt = Long.MinValue
  private var unreachable = false
  private val swapCount = new AtomicLong
  private val refusalCount = new AtomicLong

  /** Models that were swapped in, and refused, since the query began. */
  def swaps: Long = swapCount.get
  def refusals: Long = refusalCount.get

  /** What the source's progress shows of them. */
  def metrics: Map[String, String] = {
    val versions = uris.zip(current).flatMap { case (named, model) =>
      model.version.map(version => s"modelVersion.${named.name}" -> version.toString)
    }
    versions.toMap ++ Map("modelSwaps" -> swaps.toString, "modelRefusals" -> refusals.toString)
  }

  /** The models that serve. */
  def current: Seq[ModelRef] = synchronized(good)

  /** The models that aliases mean now, looked up if that was not done for so long. */
  def latest(refreshMillis: Long): Seq[ModelRef] = synchronized {
    val now = System.nanoTime()
    val isDue = lookedAt == Long.MinValue || now - lookedAt >= TimeUnit.MILLISECONDS.toNanos(interval(refreshMillis))
    if (looking.isEmpty && isDue) {
      lookedAt = now
      val (before, without) = (good, refused)
      looking = Some(thread.submit(() => look(before, without)))
    }
    looking.foreach { future =>
      try {
        val looked = future.get(PatienceMillis, TimeUnit.MILLISECONDS)
        looking = None
        newest = looked.models
        looked.refused.foreach { case (name, pinned, why) => refuse(name, pinned, why) }
        unreachable = false
      } catch {
        case _: TimeoutException => // Loading takes longer: a later batch will have it.
        case e: ExecutionException =>
          looking = None
          if (!unreachable) {
            log.warn("models of {} could not be looked up, the ones in use go on: {}", key, e.getCause.getMessage: Any)
          }
          unreachable = true
      }
    }
    newest
  }

  /** Python starts and asks a registry for each look at MLflow. */
  private def interval(refreshMillis: Long): Long =
    if (uris.exists(u => ModelUri.parse(u.uri).isInstanceOf[ModelUri.Mlflow])) math.max(refreshMillis, MlflowMillis)
    else refreshMillis

  /** In the other thread, without a lock: whoever waits for this holds it. */
  private def look(before: Seq[ModelRef], without: Set[String]): Looked = {
    val found = uris.zip(before).map { case (named, model) =>
      val pinned = if (ModelUri.parse(named.uri).moves) pin(named.uri) else model.uri
      if (pinned == model.uri || without(pinned)) Right(model)
      else {
        try Right(load(pinned))
        catch { case NonFatal(e) => Left((model, (named.name, pinned, e.getMessage))) }
      }
    }
    Looked(found.map(_.fold(_._1, identity)), found.flatMap(_.left.toOption.map(_._2)))
  }

  private def refuse(name: String, pinned: String, why: String): Unit = synchronized {
    if (!refused(pinned)) {
      refused += pinned
      val _ = refusalCount.incrementAndGet()
      log.warn("model {} of {}: {} is refused, the one in use goes on: {}", name, key, pinned, why)
    }
  }

  /** Together they do not fit the pipeline: the ones in use go on. */
  def refuse(models: Seq[ModelRef], why: String): Unit = synchronized {
    uris.zip(models).zip(good).foreach { case ((named, model), old) =>
      if (model.uri != old.uri) refuse(named.name, model.uri, why)
    }
    newest = good
  }

  /** From this micro-batch on these serve. */
  def serve(models: Seq[ModelRef], batch: Long): Unit = synchronized {
    uris.zip(models).zip(good).foreach { case ((named, model), old) =>
      if (model.uri != old.uri) {
        val _ = swapCount.incrementAndGet()
        log.info("model {} of {}: {} instead of {} from micro-batch {} on", named.name, key, model.uri, old.uri, batch)
      }
    }
    good = models
  }

  /** The model that was recorded for a batch, by its uri and content. */
  private[models] def recorded(model: RecordedModel, batch: Long): ModelRef = {
    val known = synchronized(good ++ newest ++ first).find(m => m.uri == model.uri && m.sha256 == model.sha256)
    known.getOrElse {
      def gone(why: String) = new ModelStoreException(
        s"MODEL_REPLAY: micro-batch $batch is scored with ${model.uri} (sha256 ${model.sha256}), and must be when it is " +
          s"repeated, but $why. Put the version back; or begin with a new checkpoint"
      )
      val loaded =
        try load(model.uri)
        catch { case NonFatal(e) => throw gone(e.getMessage) }
      if (loaded.sha256 != model.sha256) throw gone(s"that has sha256 ${loaded.sha256} now")
      loaded
    }
  }
}

private[spark] object LiveModels {
  private val log = LoggerFactory.getLogger(getClass)

  /** How long a micro-batch waits for aliases and models at most. */
  private val PatienceMillis = 500L

  /** MLflow's registry is asked no more often. */
  private val MlflowMillis = 30000L

  /** What a look has found, and the models that it refused: name, uri and why. */
  private final case class Looked(models: Seq[ModelRef], refused: Seq[(String, String, String)])

  private lazy val thread = Executors.newSingleThreadExecutor { work =>
    val made = new Thread(work, "firesteel-models")
    made.setDaemon(true)
    made
  }

  /** By application, query and place: what `foreachBatch` makes anew in every batch goes on with what it had. */
  private val ofQueries = TrieMap.empty[(String, String, String), (String, Any)]

  /** `make`, or what was made before in this query from the same text. */
  def inQuery[A](application: String, place: String, text: String)(make: => A): A = MicroBatch.current match {
    case None => make
    case Some(batch) =>
      val slot = (application, batch.query, place)
      ofQueries.get(slot) match {
        case Some((before, made)) if before == text => made.asInstanceOf[A]
        case _ =>
          // A stopped application's models are gone with it.
          ofQueries.keys.filter(_._1 != application).foreach(ofQueries.remove)
          val made = make
          ofQueries.update(slot, (text, made))
          made
      }
  }
}
