package io.firesteel.spark

import io.firesteel.spark.exec.Points

/** A living session that knew nothing of Firesteel. */
class RegisterSuite extends SparkSuite with Points {
  override protected def settings: Map[String, String] = Map.empty

  test("register installs functions, rule and strategy; doing so again changes nothing") {
    intercept[org.apache.spark.sql.AnalysisException](points().selectExpr(score(Lr)))
    Firesteel.register(spark)
    Firesteel.register(spark)
    val df = points().where(s"${score(Lr)} > 0.5").selectExpr("id", score(Lr))
    assert(df.collect().nonEmpty)
    assertEquals(rowsEvaluated(df), Seq(Rows))
    assertEquals(spark.experimental.extraStrategies.length, 2, "scoring, and narrow streams")
    assertEquals(spark.experimental.extraOptimizations.length, 2, "a batch's models, and whole batches")
  }

  test("a call in a subquery's join is found by the late rule") {
    points().createOrReplaceTempView("points")
    val df = spark.sql(s"SELECT id FROM points WHERE ${call(Lr)}.label IN (SELECT max(grp) - 3 FROM points)")
    assert(df.collect().nonEmpty)
    assertEquals(rowsEvaluated(df), Seq(Rows))
  }
}

/** `spark.plugins` instead of `spark.sql.extensions`. */
class PluginSuite extends SparkSuite with Points {
  override protected def settings: Map[String, String] = Map("spark.plugins" -> classOf[FiresteelPlugin].getName)

  test("the plugin installs the extensions and publishes the version") {
    val df = points().selectExpr("id", score(Lr))
    assertEquals(df.collect().length.toLong, Rows)
    assertEquals(rowsEvaluated(df), Seq(Rows))
    assertEquals(spark.sparkContext.getConf.get("spark.firesteel.version"), "0.1.0")
    assertEquals(
      spark.sparkContext.getConf.get("spark.sql.extensions"),
      "io.firesteel.spark.FiresteelExtensions"
    )
  }

  test("the functions describe themselves") {
    val text = spark.sql("DESCRIBE FUNCTION firesteel_predict").collect().map(_.getString(0)).mkString("\n")
    assert(text.contains("ONNX model"), text)
  }

  test("a wrong setting is refused by its name") {
    withConf("spark.firesteel.batchSize" -> "many") {
      val e = intercept[IllegalArgumentException](points().selectExpr(score(Lr)).collect())
      assert(e.getMessage.contains("spark.firesteel.batchSize is 'many'"), e.getMessage)
    }
  }
}
