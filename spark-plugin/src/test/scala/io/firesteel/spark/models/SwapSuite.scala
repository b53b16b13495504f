package io.firesteel.spark.models

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path, Paths}
import java.util.concurrent.ConcurrentLinkedQueue

import io.firesteel.spark.{FiresteelConf, Pipeline, SparkSuite}
import org.apache.hadoop.conf.Configuration
import org.apache.spark.sql.{DataFrame, Row}
import org.apache.spark.sql.execution.streaming.runtime.MemoryStream
import org.apache.spark.sql.functions.expr
import org.apache.spark.sql.streaming.StreamingQuery

import scala.jdk.CollectionConverters._

/** An alias moves while a stream runs: the next micro-batch has the new version, a repeated one the old. */
class SwapSuite extends SparkSuite {
  private val models = Paths.get("tests/models").toAbsolutePath
  private val hadoop = new Configuration()

  override def beforeAll(): Unit = spark.conf.set(FiresteelConf.ModelsRefresh, "0")

  /** A store with two models that fit, and a pipeline on its alias. */
  private final class Place {
    val folder: Path = temporaryFolder()
    val store: String = folder.resolve("fraud").toString
    command("add", store, s"$models/lr.onnx", "--alias", "champion")
    command("add", store, s"$models/gbdt.onnx")

    def move(version: Int): Unit = command("move", store, "champion", version.toString)

    val pipeline: Pipeline = {
      val features = (0 until 16).map(i => s"  f$i: x * ${i + 1}").mkString("\n")
      val yaml = s"""name: scoring
        |input: {format: json, schema: "id BIGINT, x DOUBLE"}
        |features:
        |$features
        |models:
        |  - name: fraud
        |    uri: fraud@champion
        |    outputs: {score: "probabilities[1]"}
        |output: [id, score]
        |""".stripMargin
      Pipeline.load(Files.write(folder.resolve("p.yaml"), yaml.getBytes(UTF_8)).toString)
    }

    /** Id and version of every row, by micro-batch; a batch that was repeated is there as often. */
    val batches = new ConcurrentLinkedQueue[(Long, Seq[Row])]

    def start(input: DataFrame, transform: DataFrame => DataFrame = pipeline.transform): StreamingQuery =
      transform(input).writeStream
        .option("checkpointLocation", folder.resolve("checkpoint").toString)
        .foreachBatch((rows: DataFrame, id: Long) => { batches.add(id -> rows.collect().toSeq); () })
        .start()

    def versions(id: Long): Seq[Long] =
      batches.asScala.toSeq.filter(_._1 == id).flatMap(_._2.map(_.getAs[Long]("fraud_version"))).distinct

    def recorded(id: Long): String =
      Files.readString(folder.resolve(s"checkpoint/firesteel-models/scoring/$id.json"))

    /** What happens if the driver dies between the last batch's tasks and its commit. */
    def forgetLastCommit(): Long = {
      val commits = folder.resolve("checkpoint/commits")
      val names = commits.toFile.list().toSeq
      val last = names.flatMap(_.toLongOption).max
      names.filter(_.contains(last.toString)).foreach(name => Files.delete(commits.resolve(name)))
      last
    }
  }

  private def command(arguments: String*): Unit = { val _ = StoreCommand.run(arguments, hadoop) }

  private def json(ids: Range): Seq[String] = ids.map(i => s"""{"id": $i, "x": ${i % 40 / 40.0}}""")

  private def scores(version: Int, place: Place, ids: Range): Map[Long, Float] = {
    import spark.implicits._
    val yaml = Files.readString(Path.of(place.pipeline.path)).replace("@champion", s"@$version")
    val file = Files.write(place.folder.resolve(s"v$version.yaml"), yaml.getBytes(UTF_8))
    val rows = Pipeline.load(file.toString).transform(json(ids).toDF("value")).collect()
    rows.map(row => row.getAs[Long]("id") -> row.getAs[Float]("score")).toMap
  }

  test("a hundred moves under load: no batch fails, none has two versions, each score is its version's") {
    import spark.implicits._
    val place = new Place
    val input = MemoryStream[String](spark)
    val query = place.start(input.toDF())
    @volatile var moving = true
    val chance = new scala.util.Random(7)
    // A move for every micro-batch, at any moment of it.
    val mover = new Thread(() => {
      (1 to 100).foreach { i =>
        val done = place.batches.size
        while (place.batches.size == done && query.isActive) Thread.sleep(1)
        Thread.sleep(chance.nextInt(40).toLong)
        place.move(1 + i % 2)
      }
      moving = false
    })
    var next = 0
    try {
      mover.start()
      while (moving) {
        input.addData(json(next until next + 50))
        next += 50
        query.processAllAvailable()
      }
      mover.join()
    } finally query.stop()
    assertEquals(query.exception, None)
    val batches = place.batches.asScala.toSeq
    val rows = batches.flatMap(_._2)
    assertEquals(rows.map(_.getAs[Long]("id")).sorted, (0L until next.toLong))
    batches.foreach { case (id, of) =>
      assertEquals(of.map(_.getAs[Long]("fraud_version")).distinct.length, 1, s"batch $id")
      val sha256 = of.map(_.getAs[String]("fraud_sha256")).distinct
      assert(place.recorded(id).contains(sha256.head) && sha256.length == 1, place.recorded(id))
    }
    val used = batches.map(_._2.head.getAs[Long]("fraud_version"))
    val swaps = used.zip(used.drop(1)).count { case (a, b) => a != b }
    val right = Seq(1, 2).map(v => v.toLong -> scores(v, place, 0 until next)).toMap
    rows.foreach { row =>
      val (id, version) = (row.getAs[Long]("id"), row.getAs[Long]("fraud_version"))
      assertEquals(row.getAs[Float]("score"), right(version)(id))
    }
    println(s"100 moves: ${batches.length} micro-batches, $swaps swaps between them")
    assert(swaps >= 50, s"$swaps swaps")
  }

  test("a swap takes less than a micro-batch, and the batch after the move has the new version") {
    import spark.implicits._
    val place = new Place
    val input = MemoryStream[String](spark)
    val query = place.start(input.toDF())
    def timed(): Double = {
      val start = System.nanoTime()
      input.addData(json(0 until 200))
      query.processAllAvailable()
      (System.nanoTime() - start) / 1e6
    }
    try {
      (1 to 10).foreach(_ => timed())
      val (still, swapped) = (1 to 15).map { i =>
        val without = timed()
        place.move(1 + i % 2)
        (without, timed())
      }.unzip
      def median(of: Seq[Double]) = of.sorted.apply(of.length / 2)
      println(f"a micro-batch takes ${median(still)}%.0f ms, with a swap ${median(swapped)}%.0f ms")
      assert(median(swapped) < 2 * median(still), s"$swapped against $still")
      val last = place.batches.asScala.toSeq.takeRight(30).map(_._2.head.getAs[Long]("fraud_version"))
      assertEquals(last.drop(1).zip(last).count { case (a, b) => a != b }, 15)
    } finally query.stop()
  }

  test("a repeated batch has the version that was recorded, also when the alias stands elsewhere") {
    import spark.implicits._
    val place = new Place
    val input = MemoryStream[String](spark)
    val first = place.start(input.toDF())
    input.addData(json(0 until 10))
    first.processAllAvailable()
    first.stop()
    val last = place.forgetLastCommit()
    place.move(2)
    val second = place.start(input.toDF())
    input.addData(json(10 until 20))
    second.processAllAvailable()
    second.stop()
    assertEquals(place.versions(last), Seq(1L))
    assertEquals(place.versions(last + 1), Seq(2L))
    val again = place.batches.asScala.toSeq.filter(_._1 == last).map(_._2.map(_.toString))
    assertEquals(again.length, 2)
    assertEquals(again(0), again(1))
    // Without the version there is no replay, and no other model in its place.
    val gone = place.forgetLastCommit()
    Files.delete(place.folder.resolve("fraud/versions/000002/model.json"))
    place.move(1)
    val third = place.start(input.toDF())
    val error = intercept[Exception](third.processAllAvailable())
    assert(error.getMessage.contains(s"MODEL_REPLAY: micro-batch $gone is scored with"), error.getMessage)
    third.stop()
  }

  test("a model that can't serve is refused, and the old one goes on until a good one comes") {
    import spark.implicits._
    val place = new Place
    command("add", place.store, s"$models/regression.onnx")
    command("add", place.store, s"$models/lr.onnx")
    val damaged = place.folder.resolve("fraud/versions/000004")
    val input = MemoryStream[String](spark)
    val query = place.start(input.toDF())
    def version(ids: Range): Seq[Long] = {
      input.addData(json(ids))
      query.processAllAvailable()
      place.versions(query.lastProgress.batchId)
    }
    try {
      assertEquals(version(0 until 5), Seq(1L))
      place.move(3)
      assertEquals(version(5 until 10), Seq(1L), "other outputs")
      place.move(4)
      Files.deleteIfExists(damaged.resolve(".model.onnx.crc"))
      Files.write(damaged.resolve("model.onnx"), Array[Byte](8, 8))
      assertEquals(version(10 until 15), Seq(1L), "another content")
      val aliases = place.folder.resolve("fraud/aliases/champion")
      Files.write(aliases.resolve("000009.json"), "{".getBytes(UTF_8))
      assertEquals(version(15 until 20), Seq(1L), "a torn move")
      Files.write(aliases.resolve("000010.json"), """{"version": 77}""".getBytes(UTF_8))
      assertEquals(version(20 until 25), Seq(1L), "no such version")
      place.move(2)
      assertEquals(version(25 until 30), Seq(2L))
    } finally query.stop()
    assertEquals(query.exception, None)
  }

  test("firesteel_predict, calls row by row, and transform inside foreachBatch swap as well") {
    import spark.implicits._
    val place = new Place
    val columns = (0 until 16).map(i => s"CAST(id AS DOUBLE) * ${i + 1} / 10 AS f$i")
    val arguments = (0 until 16).map(i => s"f$i").mkString(", ")
    def predicted(df: DataFrame) = df
      .selectExpr("CAST(get_json_object(value, '$.id') AS BIGINT) AS id")
      .selectExpr("id" +: columns: _*)
      .select($"id", expr(s"firesteel_predict('${place.store}@champion', $arguments).probabilities").as("p"))
    for (batched <- Seq("true", "false")) withConf(FiresteelConf.BatchEnabled -> batched) {
      val input = MemoryStream[String](spark)
      val found = new ConcurrentLinkedQueue[String]
      val query = predicted(input.toDF()).writeStream
        .foreachBatch((rows: DataFrame, _: Long) => { found.add(rows.collect().mkString); () }).start()
      try Seq(1, 2, 1).foreach { version =>
          place.move(version)
          input.addData(json(0 until 3))
          query.processAllAvailable()
        }
      finally query.stop()
      val Seq(a, b, c) = found.asScala.toSeq: @unchecked
      assert(a != b && a == c, s"$batched: $a $b $c")
    }
    place.move(1)
    val input = MemoryStream[String](spark)
    val seen = new ConcurrentLinkedQueue[Long]
    val query = input.toDF().writeStream.foreachBatch { (rows: DataFrame, _: Long) =>
      place.pipeline.transform(rows).collect().foreach(row => seen.add(row.getAs[Long]("fraud_version")))
    }.start()
    // Version 3 does not fit, and is refused in a batch that analyzes the pipeline anew.
    command("add", place.store, s"$models/regression.onnx")
    try Seq(1, 2, 3, 1).foreach { version =>
        place.move(version)
        input.addData(json(0 until 1))
        query.processAllAvailable()
      }
    finally query.stop()
    assertEquals(seen.asScala.toSeq, Seq(1L, 2L, 2L, 1L))
  }
}
