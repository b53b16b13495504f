package io.firesteel.spark.resolve

import scala.collection.concurrent.TrieMap

import io.firesteel.spark.FiresteelAnalysisException
import io.firesteel.spark.bridge.{FiresteelException, NativeModels}
import io.firesteel.spark.exec.ModelRef
import io.firesteel.spark.models.{FoundModel, LiveModels, ModelStoreException, ModelUri, NamedUri}
import org.apache.spark.SparkContext
import org.apache.spark.broadcast.Broadcast

/**
 * Driver side: a model is read and loaded here, so that a wrong one fails before the job, and broadcast once per
 * content and application, whatever files and queries name it.
 */
private[spark] object ModelStore {
  private val broadcasts = TrieMap.empty[(String, String), Broadcast[Array[Byte]]]

  /** More models than an application has in use at once. */
  private val Kept = 64

  /** The model that a uri means now: a file, or one of a store. */
  def load(uri: String, sc: SparkContext): ModelRef =
    try {
      val found = FoundModel.of(uri, sc.hadoopConfiguration)
      val sha256 = NativeModels.load(found.bytes)
      ModelRef(sha256, broadcast(sha256, found.bytes, sc), found.version, found.uri)
    } catch {
      case e: FiresteelException => throw new FiresteelAnalysisException(s"$uri: ${e.getMessage}", Some(e))
      case e: ModelStoreException => throw new FiresteelAnalysisException(e.getMessage, Some(e))
    }

  /** What may change of some models while a query runs; none if nothing may. */
  def live(key: String, uris: Seq[NamedUri], models: Seq[ModelRef], sc: SparkContext): Option[LiveModels] =
    if (uris.exists(named => ModelUri.parse(named.uri).moves))
      Some(new LiveModels(key, uris, models, load(_, sc), FoundModel.pinned(_, sc.hadoopConfiguration)))
    else None

  private def broadcast(sha256: String, bytes: Array[Byte], sc: SparkContext): Broadcast[Array[Byte]] =
    synchronized {
      val application = sc.applicationId
      // A stopped application's broadcasts are gone with it.
      broadcasts.keys.filter(_._1 != application).foreach(broadcasts.remove)
      // Spark frees one when no plan holds it any more: a stream that swaps models for months must not keep them all.
      if (broadcasts.size >= Kept) broadcasts.keys.filter(_._2 != sha256).take(1).foreach(broadcasts.remove)
      broadcasts.getOrElseUpdate((application, sha256), sc.broadcast(bytes))
    }
}
