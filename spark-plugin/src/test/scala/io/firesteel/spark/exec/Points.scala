package io.firesteel.spark.exec

import io.firesteel.spark.{functions => firesteel, SparkSuite}
import org.apache.spark.sql.functions.{col, lit, sin}
import org.apache.spark.sql.{Column, DataFrame}

/** A view `points` (id, grp, f0 … f15) and models that take all of f0 … f15. */
trait Points { this: SparkSuite =>
  protected val Rows = 1000L
  protected val Features: Seq[String] = (0 until 16).map(i => s"f$i")
  protected val Lr = "tests/models/lr.onnx"
  protected val Gbdt = "tests/models/gbdt.onnx"

  /** Made by an expression from a range: nothing that an optimizer could hold as local data. */
  protected def points(rows: Long = Rows): DataFrame = {
    val base = spark.range(0, rows, 1, 3).withColumn("grp", (col("id") % 5).cast("int"))
    Features.zipWithIndex.foldLeft(base: DataFrame) { case (df, (name, i)) =>
      df.withColumn(name, sin(col("id") * lit(0.37) + lit(i * 1.3)) * lit(2.5))
    }
  }

  protected def call(model: String, columns: Seq[String] = Features): String =
    s"firesteel_predict('$model', ${columns.mkString(", ")})"

  protected def predict(model: String): Column = firesteel.predict(model, Features.map(col): _*)

  /** A number from the model: `probabilities` is an array of two. */
  protected def score(model: String): String = s"${call(model)}.probabilities[1]"
}
