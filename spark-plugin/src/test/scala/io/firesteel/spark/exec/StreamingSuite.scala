package io.firesteel.spark.exec

import io.firesteel.spark.{Firesteel, Pipeline, SparkSuite}
import org.apache.spark.sql.DataFrame
import org.apache.spark.sql.execution.streaming.runtime.MemoryStream

/** Micro-batches: every record exactly once, in whatever batches it comes. */
class StreamingSuite extends SparkSuite with Points {
  import java.nio.charset.StandardCharsets.UTF_8
  import java.nio.file.Files

  private lazy val pipeline = {
    val yaml = """name: doubling
      |input: {format: json, schema: "id BIGINT, x DOUBLE"}
      |clean: [{check: x >= 0}]
      |features: {twice: x * 2}
      |output: [id, twice]
      |""".stripMargin
    Pipeline.load(Files.write(temporaryFolder().resolve("p.yaml"), yaml.getBytes(UTF_8)).toString)
  }

  private def run(name: String, transform: DataFrame => DataFrame)(batches: Seq[Seq[String]]): DataFrame = {
    import spark.implicits._
    val input = MemoryStream[String](spark)
    val query = transform(input.toDF()).writeStream.format("memory").queryName(name).start()
    try batches.foreach { batch =>
        input.addData(batch)
        query.processAllAvailable()
      }
    finally query.stop()
    spark.table(name)
  }

  private def json(ids: Range): Seq[String] = ids.map(i => s"""{"id": $i, "x": ${if (i % 7 == 0) -1 else i}.5}""")

  test("a pipeline on a stream gives each record once, taken or rejected") {
    val batches = Seq(json(0 until 100), json(100 until 101), json(101 until 1000))
    val all = run("all", pipeline.transform)(batches)
    assertEquals(all.count(), 1000L)
    val taken = Firesteel.accepted(all).selectExpr("id", "twice").orderBy("id").collect()
    assertEquals(taken.map(_.getLong(0)).toSeq, (0L until 1000L).filter(_ % 7 != 0))
    assert(taken.forall(row => row.getDouble(1) == row.getLong(0) * 2 + 1))
    assertEquals(Firesteel.rejected(all).where("code = 'CHECK_FAILED'").count(), 143L)
  }

  test("accepted and rejected of one stream, each with its own query") {
    val batches = Seq(json(0 until 300))
    assertEquals(run("good", df => Firesteel.accepted(pipeline.transform(df)))(batches).count(), 257L)
    assertEquals(run("bad", df => Firesteel.rejected(pipeline.transform(df)))(batches).count(), 43L)
  }

  test("a stateful query after the pipeline") {
    import spark.implicits._
    val input = MemoryStream[String](spark)
    val counts = Firesteel.accepted(pipeline.transform(input.toDF())).groupBy($"id" % 3).count()
    val query = counts.writeStream.format("memory").queryName("counts").outputMode("complete").start()
    try {
      input.addData(json(0 until 21))
      query.processAllAvailable()
      input.addData(json(21 until 42))
      query.processAllAvailable()
      assertEquals(spark.table("counts").selectExpr("sum(count)").head().getLong(0), 36L)
    } finally query.stop()
  }
}
