package io.firesteel.spark.kafka.pushdown

import java.sql.Timestamp
import java.time.Instant

import io.firesteel.spark.SparkSuite
import io.firesteel.spark.kafka.{FiresteelScan, OffsetRange, TopicPartition}
import org.apache.spark.sql.DataFrame
import org.apache.spark.sql.classic.Dataset
import org.apache.spark.sql.execution.datasources.v2.DataSourceV2ScanRelation

import scala.util.Random

/** Filters as Spark's optimizer hands them to the source; no broker is asked. */
class RecordFilterSuite extends SparkSuite {
  import RecordFilterSuite._

  private def read(options: (String, String)*): DataFrame =
    spark.read.format("firesteel").option("kafka.bootstrap.servers", "127.0.0.1:1").option("subscribe", "a,b")
      .options(options.toMap).load()

  private def scan(df: DataFrame): FiresteelScan = scans(df).head

  /** None if the optimizer sees that there is nothing to read. */
  private def scans(df: DataFrame): Seq[FiresteelScan] =
    df.asInstanceOf[Dataset[_]].queryExecution.optimizedPlan.collect {
      case relation: DataSourceV2ScanRelation => relation.scan.asInstanceOf[FiresteelScan]
    }

  private def filter(condition: String): RecordFilter = scan(read().where(condition)).filter

  /** What is left of 100 offsets in each of four partitions, in which offset n has the time of second n. */
  private def left(condition: String): Seq[String] = {
    val ranges = for (topic <- Seq("a", "b"); partition <- 0 to 1)
      yield OffsetRange(TopicPartition(topic, partition), 0, 100)
    filter(condition).narrow(ranges, times => times.map { case (tp, t) => tp -> math.min((t + 999) / 1000, 100L) })
      .map(_.toString)
  }

  private val everything = Seq("a-0[0..100)", "a-1[0..100)", "b-0[0..100)", "b-1[0..100)")

  test("partitions and topics are dropped, offsets are clipped") {
    assertEquals(left("partition = 1"), Seq("a-1[0..100)", "b-1[0..100)"))
    assertEquals(left("partition < 1 AND topic = 'b'"), Seq("b-0[0..100)"))
    assertEquals(left("partition <= 0 AND 'a' = topic"), Seq("a-0[0..100)"))
    assertEquals(left("partition > 0 AND topic IN ('b', 'c')"), Seq("b-1[0..100)"))
    assertEquals(left("partition >= 2"), Seq.empty)
    assertEquals(left("topic <=> 'a' AND partition IN (1, 7)"), Seq("a-1[0..100)"))
    assertEquals(left("topic = 'a' OR partition = 1"), Seq("a-0[0..100)", "a-1[0..100)", "b-1[0..100)"))
    val one = "topic = 'a' AND partition = 0 AND "
    assertEquals(left(s"$one offset >= 10 AND offset < 20"), Seq("a-0[10..20)"))
    assertEquals(left(s"$one offset > 10 AND 20 >= offset"), Seq("a-0[11..21)"))
    assertEquals(left(s"$one offset = 7"), Seq("a-0[7..8)"))
    assertEquals(left(s"$one offset IN (40, 7, 9)"), Seq("a-0[7..41)"))
    assertEquals(left(s"$one offset BETWEEN 90 AND 200"), Seq("a-0[90..100)"))
    assertEquals(left(s"$one offset > ${Long.MaxValue}"), Seq.empty)
    assertEquals(left(s"$one offset <= ${Long.MaxValue} AND offset >= ${Long.MinValue}"), Seq("a-0[0..100)"))
    assertEquals(
      left("topic = 'a' AND (partition = 0 AND offset >= 90 OR partition = 1 AND offset < 5)"),
      Seq("a-0[90..100)", "a-1[0..5)")
    )
    val many = (0 to 5000).map(_ * 2).mkString("partition IN (", ", ", ")")
    assertEquals(left(many), Seq("a-0[0..100)", "b-0[0..100)"))
  }

  test("a time moves the beginning, and only that") {
    val one = "topic = 'a' AND partition = 0 AND "
    assertEquals(left(s"$one timestamp >= TIMESTAMP '1970-01-01 00:00:50'"), Seq("a-0[50..100)"))
    assertEquals(left(s"$one timestamp > TIMESTAMP '1970-01-01 00:00:50'"), Seq("a-0[51..100)"))
    assertEquals(left(s"$one timestamp >= TIMESTAMP '1970-01-01 00:00:50.000001'"), Seq("a-0[51..100)"))
    assertEquals(left(s"$one timestamp = TIMESTAMP '1970-01-01 00:00:50'"), Seq("a-0[50..100)"))
    assertEquals(left(s"$one timestamp >= TIMESTAMP '2020-01-01 00:00:00'"), Seq.empty)
    assertEquals(
      left(s"$one timestamp IN (TIMESTAMP '1970-01-01 00:00:50', TIMESTAMP '1970-01-01 00:00:30')"),
      Seq("a-0[30..100)")
    )
    assertEquals(
      left(s"$one offset >= 60 AND timestamp >= TIMESTAMP '1970-01-01 00:00:50'"),
      Seq("a-0[60..100)")
    )
    for (upper <- Seq("timestamp < TIMESTAMP '1970-01-01 00:00:50'", "timestamp <= TIMESTAMP '1970-01-01 00:00:50'"))
      assertEquals((left(upper), filter(upper).pushed.toSeq), (everything, Seq.empty))
    // Numbers below 0 are other questions to Kafka, and the lowest timestamp is no trap.
    for (early <- Seq("1969-12-31 23:59:59.998", "-290308-12-21 19:59:05.224192", "1970-01-01 00:00:00"))
      assertEquals(left(s"timestamp >= TIMESTAMP '$early'"), everything)
  }

  test("what is compared in another type, or with more than a literal, narrows nothing") {
    for (
      condition <- Seq(
        "offset > 10.5D",
        "offset + 1 > 50",
        "partition + offset = 3",
        "offset = partition",
        "offset != 7",
        "NOT (partition = 0)",
        "topic LIKE 'a%'",
        "topic > 'a'",
        "topic = 'A' COLLATE UTF8_LCASE",
        "upper(topic) = 'A'",
        "timestamp > current_timestamp() - make_interval(0, 0, 0, offset)",
        "timestampType = 1",
        "key = X'61'",
        "partition IS NOT NULL",
        "partition = 0 OR key IS NULL",
        "topic = 'a' OR rand() < 0.5"
      )
    ) assertEquals((left(condition), filter(condition).pushed.toSeq), (everything, Seq.empty), condition)
  }

  test("a literal of another type narrows only where Spark made it one of the column's") {
    assertEquals(left("partition = 1L").head, "a-1[0..100)")
    assertEquals(left("offset >= CAST(5 AS SMALLINT)").head, "a-0[5..100)")
    assertEquals(left("offset > 10.5").head, "a-0[11..100)")
    assertEquals(left("offset > '10'").head, "a-0[11..100)")
    assertEquals(left("offset >= 10.5").head, "a-0[11..100)")
    assertEquals(left("offset < 10.5").head, "a-0[0..11)")
    assertEquals(left("timestamp >= DATE '1970-01-02'"), Seq.empty)
  }

  test("every filter stays Spark's, and explain shows what narrowed the ranges") {
    val df = read().where("offset >= 5 AND topic = 'a' AND key IS NULL").select("value")
    val plan = df.asInstanceOf[Dataset[_]].queryExecution
    val text = plan.executedPlan.toString
    assert(text.contains("PushedFilters: [offset >= 5, topic = 'a']"), text)
    assert(text.linesIterator.exists(line => line.contains("Filter") && line.contains("(offset#")), text)
    assertEquals(scan(df).readSchema().fieldNames.toSet, Set("key", "value", "topic", "offset"))
    assert(!scan(read()).description().contains("Pushed"))
  }

  test("fields of a value that are named like a record's columns are not the record's") {
    val df = read("schema" -> "offset BIGINT, partition INT, topic STRING, timestamp TIMESTAMP")
      .where("offset >= 5 AND partition = 1 AND topic = 'a' AND timestamp > TIMESTAMP '2020-01-01 00:00:00'")
    assertEquals(scan(df).filter.pushed.toSeq, Seq.empty)
    assert(!scan(df).description().contains("Pushed"))
  }

  /** Random logs whose times go up and down, and random conditions: Spark says which records are wanted. */
  test("no record that a condition lets through is left out, whatever the order of times") {
    val random = new Random(20261123)
    val session = spark
    import session.implicits._
    val records = for {
      topic <- Seq("a", "b")
      partition <- 0 to 2
      offset <- 0L until 60L
    } yield Record(topic, partition, offset, at(offset * 100 + random.nextInt(3000)))
    val log = records.toDF().cache()
    val ranges = records.groupBy(_.tp).keys.toSeq.sorted.map(OffsetRange(_, 0, 60))
    def atOrAfter(times: Map[TopicPartition, Long]) = times.map { case (tp, time) =>
      val first = records.filter(r => r.tp == tp && !r.timestamp.toInstant.isBefore(Instant.ofEpochMilli(time)))
      tp -> first.map(_.offset).minOption.getOrElse(60L)
    }
    var narrowed = 0
    for (_ <- 0 until 120) {
      val condition = Conditions.any(random, depth = 3)
      val kept = scans(read().where(condition)).flatMap(_.filter.narrow(ranges, atOrAfter))
      for (record <- log.where(condition).as[Record].collect())
        assert(
          kept.exists(r => r.tp == record.tp && record.offset >= r.from && record.offset < r.until),
          s"$condition: $record is not in $kept"
        )
      if (kept.map(_.size).sum < records.size) narrowed += 1
    }
    assert(narrowed > 40, s"only $narrowed conditions narrowed anything")
  }
}

object RecordFilterSuite {
  final case class Record(topic: String, partition: Int, offset: Long, timestamp: Timestamp) {
    def tp: TopicPartition = TopicPartition(topic, partition)
  }

  def at(millis: Long): Timestamp = Timestamp.from(Instant.ofEpochMilli(millis))

  private object Conditions {
    private def of[A](random: Random, choices: A*): A = choices(random.nextInt(choices.size))

    def any(random: Random, depth: Int): String = random.nextInt(if (depth == 0) 1 else 3) match {
      case 1 => s"(${any(random, depth - 1)} AND ${any(random, depth - 1)})"
      case 2 => s"(${any(random, depth - 1)} OR ${any(random, depth - 1)})"
      case _ => one(random)
    }

    private def one(random: Random): String = {
      val operator = of(random, "=", "<", "<=", ">", ">=", "<=>", "!=")
      random.nextInt(7) match {
        case 0 => s"topic ${of(random, "=", "<=>", "!=")} '${of(random, "a", "b", "c")}'"
        case 1 => s"topic IN ('${of(random, "a", "b")}', '${of(random, "b", "c")}', NULL)"
        case 2 => s"partition $operator ${random.nextInt(4)}${of(random, "", "L", ".5", "D")}"
        case 3 => s"offset $operator ${random.nextInt(70)}${of(random, "", "L", ".5", ".5D")}"
        case 4 => s"offset IN (${Seq.fill(3)(random.nextInt(70)).mkString(", ")})"
        case 5 => s"NOT (partition IN (${random.nextInt(3)}, ${random.nextInt(3)}))"
        case _ => s"timestamp $operator timestamp_micros(${random.nextInt(9000) * 1000L + of(random, 0, 1, 999)})"
      }
    }
  }
}
