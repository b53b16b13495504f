package io.firesteel.spark

import java.util.{Collections, Map => JMap}

import io.firesteel.spark.bridge.NativeLibrary
import org.apache.spark.SparkContext
import org.apache.spark.api.plugin.{DriverPlugin, ExecutorPlugin, PluginContext, SparkPlugin}

/**
 * `spark.plugins=io.firesteel.spark.FiresteelPlugin`: installs [[FiresteelExtensions]] before the first session is
 * built, and publishes the library's version as `spark.firesteel.version`.
 */
final class FiresteelPlugin extends SparkPlugin {
  override def driverPlugin(): DriverPlugin = new DriverPlugin {
    override def init(sc: SparkContext, context: PluginContext): JMap[String, String] = {
      val key = FiresteelPlugin.ExtensionsKey
      val ours = classOf[FiresteelExtensions].getName
      // This is the configuration that sessions read when they are built; a SparkContext gives away copies only.
      val conf = context.conf()
      val installed = conf.get(key, "").split(',').map(_.trim).filter(_.nonEmpty)
      if (!installed.contains(ours)) {
        val _ = conf.set(key, (installed :+ ours).mkString(","))
      }
      val _ = conf.set("spark.firesteel.version", NativeLibrary.version())
      Collections.emptyMap()
    }
  }

  // An executor loads what it needs with its first task; one that never scores loads nothing.
  override def executorPlugin(): ExecutorPlugin = null
}

private object FiresteelPlugin {
  val ExtensionsKey = "spark.sql.extensions"
}
