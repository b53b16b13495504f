package io.firesteel.spark.resolve

import scala.collection.concurrent.TrieMap

import io.firesteel.spark.FiresteelAnalysisException
import io.firesteel.spark.bridge.{FiresteelException, NativeModels}
import io.firesteel.spark.exec.ModelRef
import org.apache.spark.SparkContext
import org.apache.spark.broadcast.Broadcast

/**
 * Driver side: a model is read and loaded here, so that a wrong one fails before the job, and broadcast once per
 * content and application, whatever files and queries name it.
 */
private[resolve] object ModelStore {
  private val broadcasts = TrieMap.empty[(String, String), Broadcast[Array[Byte]]]

  def load(path: String, sc: SparkContext): ModelRef = {
    val bytes = Files.read(path, "model", sc.hadoopConfiguration)
    val sha256 =
      try NativeModels.load(bytes)
      catch {
        case e: FiresteelException => throw new FiresteelAnalysisException(s"$path: ${e.getMessage}", Some(e))
      }
    ModelRef(sha256, broadcast(sha256, bytes, sc))
  }

  private def broadcast(sha256: String, bytes: Array[Byte], sc: SparkContext): Broadcast[Array[Byte]] =
    synchronized {
      val application = sc.applicationId
      // A stopped application's broadcasts are gone with it.
      broadcasts.keys.filter(_._1 != application).foreach(broadcasts.remove)
      broadcasts.getOrElseUpdate((application, sha256), sc.broadcast(bytes))
    }
}
