package io.firesteel.spark.training

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.Files
import java.time.{Duration, Instant}

import io.firesteel.spark.{FiresteelAnalysisException, Pipeline, SparkSuite}
import org.apache.spark.sql.{DataFrame, Row}

/** `trainingSet` as Scala calls it; tests/test_training_set.py has what it means. */
class TrainingSetSuite extends SparkSuite {
  private lazy val pipeline = {
    val yaml = """name: payments
      |input: {schema: "id BIGINT, ts TIMESTAMP, card BIGINT, amount DOUBLE, bad INT"}
      |clean: [{check: amount > 0}]
      |windows:
      |  - {key: card, time: ts, over: 2 days, compute: {nb: count(*)}}
      |  - {key: card, prefix: late, time: ts, over: 2 days, delay: 1 day, compute: {bad: sum(bad)}, default: {bad: 0}}
      |output: [id, card_nb_2d, late_bad_2d]
      |""".stripMargin
    Pipeline.load(Files.write(temporaryFolder().resolve("payments.yaml"), yaml.getBytes(UTF_8)).toString)
  }

  private def events: DataFrame = spark.range(0, 8, 1, 2).selectExpr(
    "id",
    "timestamp'2026-01-01 00:00:00 UTC' + make_dt_interval(CAST(id AS INT)) AS ts",
    "1L AS card",
    "IF(id = 1, -1D, 5D) AS amount"
  )

  private def labels: DataFrame = spark.range(0, 8, 2, 1).selectExpr("id", "CAST(id % 4 AS INT) AS bad")

  test("features, labels, and what became of each event") {
    val made = pipeline.trainingSet(events, labels, "1 day", "id")
    assertEquals(made.features, Seq("card_nb_2d", "late_bad_2d"))
    assertEquals((made.time, made.labels, made.asOf), ("ts", Seq("bad"), Instant.parse("2026-01-08T00:00:00Z")))
    assertEquals(
      made.rows.drop("ts").orderBy("id").collect().toSeq,
      Seq(Row(0L, 1L, 0L, 0), Row(2L, 1L, 0L, 2), Row(4L, 2L, 2L, 0), Row(6L, 2L, 0L, 2))
    )
    assertEquals(made.rejected.count(), 1L)
    val expected = Map("rows" -> 4L, "rejected" -> 1L, "undated" -> 0L, "too_recent" -> 1L, "unlabelled" -> 2L)
    assertEquals(made.counts(), expected)
  }

  test("options: a moment, a default, some features") {
    val options = TrainingOptions(
      Duration.ofDays(1),
      on = Seq("id"),
      asOf = Some(Instant.parse("2026-01-05T00:00:00Z")),
      features = Seq("amount"),
      default = Map("bad" -> 7)
    )
    val rows = pipeline.trainingSet(events, labels, options).rows.select("id", "amount", "bad").orderBy("id").collect()
    assertEquals(rows.toSeq, Seq(Row(0L, 5.0, 0), Row(2L, 5.0, 2), Row(3L, 5.0, 7)))
  }

  test("what can't be is refused") {
    def refused(make: => TrainingSet): String = intercept[FiresteelAnalysisException](make).getMessage
    val leak = refused(pipeline.trainingSet(events, labels, "3 days", "id"))
    assert(leak.contains("LABEL_LEAK") && leak.contains("windows[1].compute.bad"), leak)
    assert(refused(pipeline.trainingSet(events, labels, "3 moons", "id")).contains("BAD_TRAINING_SET: delay 3 moons"))
    assert(refused(pipeline.trainingSet(events, labels.union(labels), "1 day", "id")).contains("DUPLICATE_LABELS"))
  }

  test("durations are those of a pipeline file") {
    Seq(
      "7 days" -> 604800L,
      "1 Week" -> 604800L,
      "90 seconds" -> 90L,
      "0 hours" -> 0L,
      "3m" -> 180L,
      "2000 ms" -> 2L
    ).foreach {
      case (text, seconds) =>
        assertEquals(TrainingOptions.duration(text), Duration.ofSeconds(seconds))
    }
  }
}
