package io.firesteel.spark

import io.firesteel.spark.bridge.NativeLibrary
import io.firesteel.spark.exec.{BatchModels, ExtractFiresteel, FiresteelStrategy}
import io.firesteel.spark.kafka.NarrowStreams
import io.firesteel.spark.resolve.Functions
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.classic.{SparkSession => ClassicSession}
import org.apache.spark.sql.functions.col

/** Entry points beside [[Pipeline]] and [[functions]]. */
object Firesteel {

  /** Column of a pipeline's result: null where the row was taken, else where it came from and why it was not. */
  val RejectedColumn = "_rejected"

  /** Version of the native library. */
  def version: String = NativeLibrary.version()

  /**
   * Installs functions, rule and strategy into a living session. Not needed with [[FiresteelExtensions]] or
   * [[FiresteelPlugin]]; harmless if repeated. A Connect client has nothing to install: its server must have.
   */
  def register(spark: SparkSession): Unit = spark match {
    case classic: ClassicSession =>
      val registry = classic.sessionState.functionRegistry
      val known = registry.listFunction().map(_.funcName).toSet
      Functions.all.foreach { case (name, _, builder) =>
        if (!known(name.funcName)) {
          registry.createOrReplaceTempFunction(name.funcName, builder, "scala_udf")
        }
      }
      val methods = classic.experimental
      val strategies = Seq(FiresteelStrategy, NarrowStreams).filterNot(methods.extraStrategies.contains)
      if (strategies.nonEmpty) methods.extraStrategies = methods.extraStrategies ++ strategies
      val rules = Seq(BatchModels, ExtractFiresteel).filterNot(methods.extraOptimizations.contains)
      if (rules.nonEmpty) methods.extraOptimizations = methods.extraOptimizations ++ rules
    case _ =>
  }

  /** The rows that a pipeline took, without `_rejected`. */
  def accepted(result: DataFrame): DataFrame =
    result.where(col(RejectedColumn).isNull).drop(RejectedColumn)

  /** The rows that it did not: topic, partition, offset, stage, code, message, raw. */
  def rejected(result: DataFrame): DataFrame =
    result.where(col(RejectedColumn).isNotNull).select(s"$RejectedColumn.*")
}
