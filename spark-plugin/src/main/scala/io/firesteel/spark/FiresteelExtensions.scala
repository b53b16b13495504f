package io.firesteel.spark

import io.firesteel.spark.exec.{BatchModels, ColumnsIn, ExtractFiresteel, FiresteelStrategy}
import io.firesteel.spark.kafka.NarrowStreams
import io.firesteel.spark.resolve.Functions
import org.apache.spark.sql.SparkSessionExtensions

/**
 * `spark.sql.extensions=io.firesteel.spark.FiresteelExtensions`: the functions, the rule and the strategy for every
 * session of the application, Connect sessions included.
 */
final class FiresteelExtensions extends (SparkSessionExtensions => Unit) {
  override def apply(extensions: SparkSessionExtensions): Unit = {
    Functions.all.foreach(extensions.injectFunction)
    // After the operators' own optimization, so that what it doubled by pushing down is found again.
    extensions.injectPreCBORule(_ => BatchModels)
    extensions.injectPreCBORule(_ => ExtractFiresteel)
    extensions.injectPlannerStrategy(_ => FiresteelStrategy)
    extensions.injectPlannerStrategy(_ => NarrowStreams)
    extensions.injectColumnar(_ => ColumnsIn)
  }
}
