package io.firesteel.spark

import io.firesteel.spark.exec.FiresteelPredict
import org.apache.spark.sql.Column
import org.apache.spark.sql.functions.{call_function, lit}

/** Functions on columns; they work in every session that has Firesteel installed, also over Connect. */
object functions {

  /** All outputs of an ONNX model as a struct, null where a column is null. `model` is a path on the driver. */
  def predict(model: String, columns: Column*): Column =
    call_function(FiresteelPredict.Name, lit(model) +: columns: _*)
}
