package io.firesteel.spark.exec

import io.firesteel.spark.SparkSuite
import org.apache.spark.sql.{DataFrame, Row}

/** `firesteel_predict` wherever SQL lets it stand: one operator, each row once, the bits of row-by-row evaluation. */
class OperatorSuite extends SparkSuite with Points {
  override def beforeAll(): Unit = points().createOrReplaceTempView("points")

  /** Runs a query both ways; the batched plan has so many operators, each of which saw so many rows. */
  private def check(
      query: String,
      rows: Seq[Long] = Seq(Rows),
      compare: Array[Row] => Seq[Any] = SparkSuite.bits(_)): Array[Row] = {
    val batched = spark.sql(query)
    val answer = batched.collect()
    assert(isFinal(batched))
    assertEquals(rowsEvaluated(batched), rows, batched.queryExecution.executedPlan.toString)
    val single = rowByRow {
      val df = spark.sql(query)
      val answer = df.collect()
      assertEquals(operators(df), Nil)
      answer
    }
    assertEquals(compare(answer), compare(single))
    answer
  }

  private def unordered(rows: Array[Row]): Seq[Any] = SparkSuite.bits(rows).sortBy(_.toString)

  test("SELECT gives the struct of all outputs") {
    val rows = check(s"SELECT id, ${call(Lr)} AS p FROM points ORDER BY id")
    assertEquals(rows.length.toLong, Rows)
    assert(rows.map(_.getStruct(1).getSeq[Float](1)(1)).distinct.length > 100, "scores differ between rows")
  }

  test("several uses in one query are one evaluation") {
    check(
      s"SELECT id, ${call(Lr)}.label AS l, ${score(Lr)} AS p FROM points " +
        s"WHERE ${call(Lr)}.label = 1 ORDER BY ${score(Lr)} DESC, id"
    )
  }

  test("WHERE alone") {
    check(s"SELECT id FROM points WHERE ${score(Lr)} > 0.6", compare = unordered)
  }

  test("WHERE evaluates only what the cheap predicates leave, wherever they stand") {
    val few = Rows / 5
    check(s"SELECT id FROM points WHERE ${score(Lr)} > 0.3 AND grp = 2", Seq(few), unordered)
    check(s"SELECT id FROM (SELECT *, ${score(Lr)} AS p FROM points) WHERE p > 0.3 AND grp = 2", Seq(few), unordered)
  }

  test("OR with a call keeps the whole input") {
    check(s"SELECT id FROM points WHERE grp = 2 OR ${score(Lr)} > 0.6", compare = unordered)
  }

  test("ORDER BY alone, also with LIMIT") {
    check(s"SELECT id FROM points ORDER BY ${score(Lr)}, id")
    check(s"SELECT id FROM points ORDER BY ${score(Lr)}, id LIMIT 7")
  }

  test("aggregate functions and grouping keys") {
    check(
      s"SELECT ${call(Lr)}.label AS l, count(*), max(${score(Lr)}), sum(${score(Lr)} * 2) FROM points " +
        s"GROUP BY ${call(Lr)}.label ORDER BY l"
    )
    check(s"SELECT grp, max(${score(Lr)}) FILTER (WHERE id > 10) FROM points GROUP BY grp ORDER BY grp")
    check(s"SELECT count(DISTINCT ${score(Lr)}), count(DISTINCT grp) FROM points")
  }

  test("HAVING") {
    check(s"SELECT grp FROM points GROUP BY grp HAVING max(${score(Lr)}) > 2 OR grp = 1")
  }

  test("a call on an aggregate's results is right, row by row") {
    val query = "SELECT grp, " + call(Lr, Features.map(f => s"avg($f)")) + " FROM points GROUP BY grp ORDER BY grp"
    val df = spark.sql(query)
    assertEquals(df.collect().length, 5)
  }

  test("a grouping column's call outside of every function is right") {
    val columns = "grp" +: Features.drop(1).map(_ => "grp")
    val casted = columns.map(c => s"CAST($c AS DOUBLE)")
    val df = spark.sql(
      s"SELECT grp, ${call(Lr, casted)}.label, sum(${call(Lr, casted)}.label) FROM points GROUP BY grp ORDER BY grp"
    )
    df.collect().foreach(row => assertEquals(row.getLong(2), row.getLong(1) * (Rows / 5)))
  }

  test("join keys and conditions on one side") {
    check(
      s"SELECT p.id FROM points p JOIN VALUES (0L), (1L) AS t(w) ON ${call(Lr)}.label = t.w WHERE t.w = 1",
      compare = unordered
    )
    check(
      s"SELECT p.id, t.w FROM points p LEFT JOIN VALUES (1L) AS t(w) ON ${call(Lr)}.label = t.w",
      compare = unordered
    )
  }

  test("a join condition that needs both sides stays row by row, and right") {
    val columns = Features.map(f => if (f == "f0") "b.f0" else s"a.$f").mkString(", ")
    val df = spark.sql(
      s"SELECT a.id, b.id FROM (SELECT * FROM points WHERE id < 30) a JOIN (SELECT * FROM points WHERE id < 30) b " +
        s"ON a.grp = b.grp AND firesteel_predict('$Lr', $columns).label = 1"
    )
    val answer = unordered(df.collect())
    assertEquals(rowByRow(unordered(df.select("*").collect())), answer)
    assert(answer.nonEmpty && answer.length < 180)
  }

  test("window functions") {
    check(
      s"SELECT id, rank() OVER (PARTITION BY grp ORDER BY ${score(Lr)} DESC, id) AS place FROM points",
      compare = unordered
    )
    check(
      s"SELECT id, avg(${score(Lr)}) OVER (PARTITION BY grp ORDER BY id ROWS 3 PRECEDING) AS a FROM points",
      compare = unordered
    )
  }

  test("lateral view and subqueries") {
    check(s"SELECT id, e FROM points LATERAL VIEW explode(${call(Lr)}.probabilities) AS e", compare = unordered)
    check(s"SELECT id FROM points WHERE ${call(Lr)}.label IN (SELECT max(grp) - 3 FROM points)", compare = unordered)
    val df = spark.sql(s"SELECT id FROM points WHERE id = (SELECT count(*) - 1 FROM points WHERE ${score(Lr)} > -1)")
    assertEquals(df.collect().map(_.getLong(0)).toSeq, Seq(Rows - 1))
    assertEquals(rowsEvaluated(df), Seq(Rows))
  }

  test("two models in one query are two calls of one operator") {
    check(s"SELECT id, ${score(Lr)}, ${score(Gbdt)} FROM points", Seq(2 * Rows), unordered)
  }

  test("a model behind another one's filter sees only what is left") {
    val df = spark.sql(s"SELECT id, ${score(Lr)} FROM points WHERE ${score(Gbdt)} > 0.2")
    val left = df.collect().length.toLong
    assert(left > 0 && left < Rows, left)
    assertEquals(rowsEvaluated(df), Seq(left, Rows))
  }

  test("a model on a model's output") {
    val inner = s"CAST(${score(Lr)} AS DOUBLE)"
    val outer = call(Gbdt, inner +: Features.drop(1))
    check(s"SELECT id, $outer.probabilities[1] FROM points", Seq(Rows, Rows), unordered)
  }

  test("a null argument gives a null struct") {
    val columns = "IF(grp = 0, NULL, f0)" +: Features.drop(1)
    val rows = check(s"SELECT grp, ${call(Lr, columns)} AS p FROM points ORDER BY id")
    rows.foreach(row => assertEquals(row.isNullAt(1), row.getInt(0) == 0))
    check(s"SELECT id FROM points WHERE ${call(Lr, columns)} IS NULL", compare = unordered)
    check(s"SELECT id FROM points WHERE ${call(Lr, columns)}.label IS NULL", compare = unordered)
  }

  test("a branch that guards its call's arguments still does") {
    val columns = "f0 / (grp - 1)" +: Features.drop(1)
    val rows = check(
      s"SELECT grp, CASE WHEN grp <> 1 THEN ${call(Lr, columns)}.label END AS l FROM points",
      rows = Nil,
      compare = unordered
    )
    rows.foreach(row => assertEquals(row.isNullAt(1), row.getInt(0) == 1))
  }

  test("random arguments are drawn once for each call") {
    def random(seed: Int) = call(Lr, s"rand($seed) * 4" +: Features.drop(1))
    val df = spark.sql(s"SELECT p.label AS a, p.label AS b FROM (SELECT ${random(3)} AS p FROM points)")
    df.collect().foreach(row => assertEquals(row.getLong(0), row.getLong(1)))
    assertEquals(rowsEvaluated(df), Seq(Rows))
    val two = spark.sql(s"SELECT ${random(3)} AS a, ${random(4)} AS b FROM points")
    assertEquals(two.collect().length.toLong, Rows)
    assertEquals(rowsEvaluated(two), Seq(2 * Rows))
  }

  test("the bits do not depend on the batch size, on partitions, or on AQE") {
    def answer(df: DataFrame) = SparkSuite.bits(df.selectExpr("id", call(Gbdt)).orderBy("id").collect())
    val expected = answer(points())
    Seq("1", "2", "7", "4096").foreach { size =>
      withConf("spark.firesteel.batchSize" -> size)(assertEquals(answer(points()), expected, s"batch size $size"))
    }
    assertEquals(answer(points().repartition(7)), expected)
    withConf("spark.sql.adaptive.enabled" -> "false")(assertEquals(answer(points()), expected))
    withConf("spark.sql.codegen.wholeStage" -> "false")(assertEquals(answer(points()), expected))
    withConf("spark.firesteel.batchBytes" -> "1")(assertEquals(answer(points()), expected))
  }

  test("a cached DataFrame is evaluated once for all its queries") {
    val cached = points().selectExpr("id", s"${call(Lr)} AS p").cache()
    try {
      assertEquals(cached.where("p.label = 1").count() + cached.where("p.label = 0").count(), Rows)
      val again = cached.where("p.label = 1")
      val _ = again.collect()
      assertEquals(operators(again), Nil)
    } finally {
      val _ = cached.unpersist(blocking = true)
    }
  }

  test("a self-join of scored rows") {
    val scored = points().selectExpr("id", s"${score(Lr)} AS p")
    val joined = scored.as("a").join(scored.as("b"), "id").selectExpr("id", "a.p = b.p AS same")
    val rows = joined.collect()
    assertEquals(rows.length.toLong, Rows)
    assert(rows.forall(_.getBoolean(1)))
  }

  test("empty inputs, unions and limits") {
    check(s"SELECT ${call(Lr)} FROM points WHERE id < 0", Seq(0L))
    check(
      s"SELECT id, ${score(Lr)} FROM (SELECT * FROM points UNION ALL SELECT * FROM points)",
      Seq(Rows, Rows),
      unordered
    )
    assertEquals(spark.sql(s"SELECT ${call(Lr)} FROM points LIMIT 3").collect().length, 3)
    assertEquals(spark.sql(s"SELECT ${call(Lr, Features.map(_ => "0.5D"))} AS p").collect().length, 1)
  }

  test("views and Python-free DataFrames of local data are batched too") {
    import spark.implicits._
    val local = (0 until 10).map(_.toDouble).toDF("x")
    val df = local.selectExpr(call(Lr, Features.map(_ => "x")) + " AS p")
    assertEquals(df.collect().length, 10)
    assertEquals(rowsEvaluated(df), Seq(10L))
  }

  test("only the columns that are needed are read") {
    val folder = temporaryFolder().resolve("wide").toString
    points(100).selectExpr("*", "repeat('x', 50) AS ballast").write.parquet(folder)
    val df = spark.read.parquet(folder).selectExpr("id", score(Lr))
    val _ = df.collect()
    val text = df.queryExecution.executedPlan.toString
    assert(!text.contains("ballast"), text)
  }
}
