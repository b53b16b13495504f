package io.firesteel.spark.kafka.sink

import io.firesteel.spark.FiresteelAnalysisException
import org.apache.spark.sql.types._
import org.apache.spark.sql.util.CaseInsensitiveStringMap

import scala.jdk.CollectionConverters._

class SinkOptionsSuite extends munit.FunSuite {
  private val servers = "kafka.bootstrap.servers" -> "localhost:9092"

  private def options(pairs: (String, String)*): SinkOptions =
    SinkOptions.of(new CaseInsensitiveStringMap(pairs.toMap.asJava))

  private def refusal(work: => Any): String = intercept[FiresteelAnalysisException](work).getMessage

  test("wrong options are named, with what to write instead") {
    assert(refusal(options()).contains("MISSING_OPTION: kafka.bootstrap.servers"))
    assert(refusal(options(
      servers,
      "topik" -> "t"
    )).contains("topik is no option of the firesteel sink (did you mean topic?)"))
    assert(refusal(options(servers, "valueFormat" -> "xml")).contains("BAD_OPTION: valueFormat is xml"))
    assert(refusal(options(servers, "exactlyOnce" -> "yes")).contains("wanted true or false"))
    assert(refusal(options(servers, "markerTopic" -> "m")).contains("belongs to exactlyOnce = true"))
    assert(refusal(options(servers, "kafka.transactional.id" -> "x")).contains("kafka.transactional.id can't be set"))
  }

  test("no secret is in the text of the options") {
    val text = options(servers, "kafka.sasl.jaas.config" -> "canary-secret", "topic" -> "t").toString
    assert(!text.contains("canary-secret"), text)
  }

  private def columns(schema: String, pairs: (String, String)*): RecordColumns =
    RecordColumns.of(StructType.fromDDL(schema), options(servers +: pairs: _*), isStreaming = false)

  test("columns of wrong types, and those that are missing, are named") {
    assert(refusal(columns("value STRING")).contains("topic is not set"))
    assert(refusal(columns("key STRING", "topic" -> "t")).contains("MISSING_COLUMN: the frame has no column value"))
    assert(refusal(columns(
      "value INT",
      "topic" -> "t"
    )).contains("WRONG_TYPE: column value is INT: wanted STRING or BINARY"))
    assert(refusal(columns("value STRING, key INT", "topic" -> "t")).contains("column key is INT"))
    assert(refusal(columns("value STRING, topic INT")).contains("column topic is INT: wanted STRING"))
    assert(refusal(columns("value STRING, partition BIGINT", "topic" -> "t")).contains("column partition is BIGINT"))
    assert(refusal(columns("value STRING, headers STRING", "topic" -> "t")).contains("column headers is STRING"))
    assert(refusal(columns("value STRING", "topic" -> "t", "idHeader" -> "id")).contains("needs idColumns"))
    assert(refusal(columns("value STRING", "topic" -> "t", "idHeader" -> "id", "idColumns" -> "x")).contains("names x"))
  }

  test("columns that go as they are need no projection") {
    val plain = columns("key BINARY, x INT, value BINARY", "topic" -> "t")
    assertEquals(plain.ordinals.map(_.toSeq), Some(Seq(0, 2)))
    assertEquals(plain.indexOf("value"), Some(1))
    val withId = columns("value BINARY, p INT, o BIGINT", "topic" -> "t", "idHeader" -> "id", "idColumns" -> "p, o")
    assertEquals(withId.ordinals, None)
  }

  test("headers come out of their bytes as they went in") {
    val bytes = new HeaderBytes
    bytes.add("a".getBytes, Array[Byte](1, 2))
    bytes.add("ü".getBytes("UTF-8"), null)
    bytes.add("a".getBytes, Array.emptyByteArray)
    val read = HeaderBytes.read(bytes.bytes).map { case (key, value) => key -> Option(value).map(_.toSeq) }
    assertEquals(read, Seq("a" -> Some(Seq[Byte](1, 2)), "ü" -> None, "a" -> Some(Seq.empty[Byte])))
  }
}
