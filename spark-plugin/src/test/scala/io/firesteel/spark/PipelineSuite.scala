package io.firesteel.spark

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}

import org.apache.spark.sql.functions.col
import org.apache.spark.sql.types._
import org.apache.spark.sql.{AnalysisException, DataFrame, Row}

/** `Pipeline.transform` on records and on typed columns, and what it says to what can't work. */
class PipelineSuite extends SparkSuite {
  private val model = Paths.get("tests/models/lr.onnx").toAbsolutePath

  private def file(yaml: String, name: String = "pipeline.yaml"): Path =
    Files.write(temporaryFolder().resolve(name), yaml.getBytes(UTF_8))

  private val features = (0 until 16).map(i => s"  f$i: x * ${i + 1}").mkString("\n")

  private lazy val scoring = file(s"""name: scoring
    |input:
    |  format: json
    |  schema: id BIGINT, x DOUBLE
    |clean:
    |  - require: [id]
    |features:
    |$features
    |models:
    |  - name: lr
    |    uri: $model
    |    outputs: {score: "probabilities[1]"}
    |output: [id, score]
    |""".stripMargin)

  private def records(rows: Long): DataFrame = {
    val json = "CASE WHEN id % 10 = 3 THEN '{broken' WHEN id % 10 = 4 THEN '{\"x\": 1.5}' " +
      "WHEN id % 10 = 5 THEN CAST(NULL AS STRING) " +
      "ELSE concat('{\"id\": ', id, ', \"x\": ', CAST(id AS DOUBLE) / 1000, '}') END"
    spark.range(0, rows, 1, 2).selectExpr(
      s"CAST($json AS BINARY) AS value",
      "'cards' AS topic",
      "CAST(id % 2 AS INT) AS partition",
      "id AS offset",
      "current_timestamp() AS timestamp"
    )
  }

  test("records become scores, and what is not taken says where it came from") {
    val result = Pipeline.load(scoring.toString).transform(records(1000))
    assertEquals(result.columns.toSeq, Seq("id", "score", "_rejected"))
    val taken = Firesteel.accepted(result).collect()
    val rejected = Firesteel.rejected(result).orderBy("offset").collect()
    assertEquals(taken.length, 700)
    assertEquals(rejected.length, 300)
    val first = rejected.take(3).map(row =>
      (
        row.getAs[String]("topic"),
        row.getAs[Int]("partition"),
        row.getAs[Long]("offset"),
        row.getAs[String]("code")
      )
    )
    assertEquals(
      first.toSeq,
      Seq(
        ("cards", 1, 3L, "MALFORMED"),
        ("cards", 0, 4L, "REQUIRED_MISSING"),
        ("cards", 1, 5L, "TOMBSTONE")
      )
    )
    assertEquals(new String(rejected(0).getAs[Array[Byte]]("raw"), UTF_8), "{broken")
    assert(rejected(2).isNullAt(rejected(2).fieldIndex("raw")))
  }

  test("one evaluation serves accepted columns and filters, and its counters add up") {
    val result = Pipeline.load(scoring.toString).transform(records(1000))
    val df = Firesteel.accepted(result).where("score > 0").orderBy("id")
    assertEquals(df.collect().length, 700)
    assertEquals(operators(df).map(o => (o.metrics("rows").value, o.metrics("rejected").value)), Seq((1000L, 300L)))
    assert(operators(df).head.metrics("decode").value > 0)
    assert(operators(df).head.metrics("inference").value > 0)
  }

  test("row by row, batched, text instead of bytes, and typed columns give the same bits") {
    val good = records(1000).where("offset % 10 NOT IN (3, 4, 5)")
    def scores(df: DataFrame) = SparkSuite.bits(df.select("id", "score").orderBy("id").collect())
    val pipeline = Pipeline.load(scoring.toString)
    val expected = scores(pipeline.transform(good))
    assertEquals(expected.length, 700)
    assertEquals(rowByRow(scores(pipeline.transform(good))), expected)
    assertEquals(scores(pipeline.transform(good.select(col("value").cast("string")))), expected)
    val typed = spark.range(0, 1000, 1, 3).where("id % 10 NOT IN (3, 4, 5)")
      .selectExpr("id", "CAST(id AS DOUBLE) / 1000 AS x", "'ballast' AS more")
    assertEquals(scores(pipeline.transform(typed)), expected)
  }

  test("every type crosses both ways, nulls included") {
    val ddl =
      "b BOOLEAN, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, f32 FLOAT, f64 DOUBLE, s STRING, bin BINARY, " +
        "d DATE, ts TIMESTAMP, ntz TIMESTAMP_NTZ, small DECIMAL(9,2), large DECIMAL(38,10)"
    val names = StructType.fromDDL(ddl).fieldNames
    val pipeline = file(s"""name: types
      |input: {format: json, schema: "$ddl"}
      |output: [${names.mkString(", ")}]
      |""".stripMargin)
    val typed = spark.range(0, 1000, 1, 2).selectExpr(
      "id",
      "id % 3 = 0 AS b",
      "CAST(id % 256 - 128 AS TINYINT) AS i8",
      "CAST(id * 37 - 30000 AS SMALLINT) AS i16",
      "CAST(id * 7777777 % 2147483647 AS INT) AS i32",
      "id * 9007199254740993 AS i64",
      "CAST(sin(id) AS FLOAT) AS f32",
      "CASE WHEN id = 5 THEN double('NaN') WHEN id = 6 THEN double('-Infinity') ELSE cos(id) END AS f64",
      "CASE WHEN id = 7 THEN '' ELSE concat('ünï', repeat(chr(CAST(65 + id % 26 AS INT)), CAST(id % 40 AS INT))) END AS s",
      "CASE WHEN id = 8 THEN X'' ELSE CAST(repeat(CAST(id AS STRING), 3) AS BINARY) END AS bin",
      "date_add(DATE'1950-01-01', CAST(id * 40 AS INT)) AS d",
      "timestamp_micros(id * 123456789012 - 99999999) AS ts",
      "CAST(timestamp_micros(id * 98765432109) AS TIMESTAMP_NTZ) AS ntz",
      "CAST((id - 500) * 1.07 AS DECIMAL(9,2)) AS small",
      "CAST(id - 500 AS DECIMAL(38,10)) * 123456789012345678.0123 AS large0"
    )
      .withColumn("large", col("large0").cast("decimal(38,10)")).drop("large0")
    val withNulls = typed.selectExpr("id" +: names.zipWithIndex.map { case (n, i) =>
      s"CASE WHEN id % 17 = $i THEN NULL ELSE $n END AS $n"
    }.toIndexedSeq: _*)
    val expected = SparkSuite.bits(withNulls.orderBy("id").drop("id").collect())
    val result = Pipeline.load(pipeline.toString).transform(withNulls.coalesce(1).sortWithinPartitions("id"))
    assertEquals(SparkSuite.bits(result.drop("_rejected").collect()), expected)
    assertEquals(rowByRow(SparkSuite.bits(result.drop("_rejected").select("*").collect())), expected)
  }

  test("nested columns are found by their path") {
    val pipeline = file("""name: nested
      |input: {format: json, schema: "id BIGINT, merchant STRUCT<geo: STRUCT<lat: DOUBLE, lon: DOUBLE>>"}
      |features: {north: merchant.geo.lat > 0}
      |output: [id, north]
      |""".stripMargin)
    val nested = spark.range(10).selectExpr(
      "id",
      "named_struct('name', 'm', 'geo', named_struct('lon', 1D, 'lat', CAST(id AS DOUBLE) - 5)) AS merchant"
    )
    val rows = Pipeline.load(pipeline.toString).transform(nested).select("id", "north").collect()
    assertEquals(rows.toSeq, (0L until 10L).map(i => Row(i, i > 5)))
  }

  test("columns beside the pipeline pass through untouched") {
    val df = records(500).selectExpr("*", s"firesteel_pipeline('$scoring', struct(value, offset)) AS r")
      .selectExpr("offset", "upper(topic) AS t", "r.score", "r._rejected.code")
    val rows = df.orderBy("offset").collect()
    assertEquals(rows.length, 500)
    rows.foreach { row =>
      assertEquals(row.getString(1), "CARDS")
      assertEquals(row.isNullAt(2), Seq(3L, 4L, 5L).contains(row.getLong(0) % 10))
    }
    assertEquals(rowsEvaluated(df.select("*")), Seq(0L))
  }

  private def refused(work: => Any): String = {
    val e = intercept[AnalysisException](work)
    e.getMessage
  }

  test("a wrong file is refused before any job, with its place") {
    val wrong = file("name: x\ninput: {format: json, schema: id BIGINT}\nouput: [id]\n", "wrong.yaml")
    val message = refused(Pipeline.load(wrong.toString).transform(records(1)))
    assert(message.contains("wrong.yaml:3:"), message)
    assert(message.contains("output"), message)
    assert(refused(Pipeline.load("no/such.yaml").transform(records(1))).contains("FILE_NOT_FOUND"))
    val noModel = file("name: x\ninput: {format: json, schema: x DOUBLE}\nmodels: [{name: m, uri: none.onnx, " +
      "outputs: {s: \"y[0]\"}}]\noutput: [s]\n")
    val missing = refused(Pipeline.load(noModel.toString).transform(records(1)))
    assert(missing.contains("none.onnx"), missing)
  }

  test("columns that do not fit are refused, by name") {
    val missing = refused(Pipeline.load(scoring.toString).transform(spark.range(3).toDF("id")))
    assert(missing.contains("MISSING_COLUMNS") && missing.contains("`x`"), missing)
    val wrong = refused(Pipeline.load(scoring.toString).transform(spark.range(3).selectExpr("id", "'a' AS x")))
    assert(wrong.contains("WRONG_TYPE") && wrong.contains("column x"), wrong)
    val few = refused(spark.sql(s"SELECT firesteel_predict('$model', id) FROM range(3)"))
    assert(few.contains("16"), few)
    assert(refused(spark.sql("SELECT firesteel_predict('gone.onnx', id) FROM range(3)")).contains("gone.onnx"))
    assert(refused(spark.sql(s"SELECT firesteel_predict('$model', map(id, id)) FROM range(3)")).contains("WRONG_TYPE"))
    assert(refused(spark.sql("SELECT firesteel_predict(string(id), id) FROM range(3)")).contains("constant"))
    assert(refused(spark.sql(s"SELECT firesteel_pipeline('$scoring', id) FROM range(3)")).contains("struct"))
  }
}
