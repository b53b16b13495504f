package io.firesteel.spark.kafka.sink

import java.nio.charset.StandardCharsets.UTF_8

import io.firesteel.spark.SparkSuite
import org.apache.spark.sql.DataFrame
import org.apache.spark.sql.classic.Dataset
import org.apache.spark.sql.functions.{col, struct, to_json}
import org.apache.spark.sql.util.CaseInsensitiveStringMap

import scala.jdk.CollectionConverters._
import scala.collection.mutable

/** Our JSON beside Spark's `to_json` in UTC, text by text. */
class JsonSuite extends SparkSuite {
  private def ours(df: DataFrame, ignoreNullFields: Boolean): Seq[String] = {
    val options = SinkOptions.of(new CaseInsensitiveStringMap(Map(
      "kafka.bootstrap.servers" -> "127.0.0.1:1",
      "topic" -> "t",
      "valueFormat" -> "json",
      "ignoreNullFields" -> ignoreNullFields.toString
    ).asJava))
    val columns = RecordColumns.of(df.schema, options, isStreaming = false)
    val rows = df.asInstanceOf[Dataset[_]].queryExecution.executedPlan.executeCollect()
    val project = columns.projection
    val fields = new RecordFields(columns)
    val encoder = new ValueEncoder(columns)
    val written = mutable.ArrayBuffer.empty[String]
    def keep(record: io.firesteel.spark.kafka.transaction.OutgoingRecord): Unit =
      written += new String(record.value, UTF_8)
    try {
      rows.foreach { row =>
        val parts = project(row)
        encoder.append(parts, fields.record(parts, null))(keep)
      }
      encoder.flush(keep)
    } finally encoder.close()
    written.toSeq
  }

  private def assertSame(df: DataFrame): Unit = for (ignore <- Seq(true, false)) {
    val options = java.util.Map.of("ignoreNullFields", ignore.toString)
    val theirs = df.select(to_json(struct(df.columns.toIndexedSeq.map(name => col(s"`$name`")): _*), options))
    assertEquals(ours(df, ignore), theirs.collect().map(_.getString(0)).toSeq)
  }

  test("numbers, booleans and text") {
    assertSame(spark.sql("""
      SELECT * FROM VALUES
        (true, 1Y, 2S, 3, 4L, 1.5F, 2.25D, 'plain'),
        (false, -128Y, -32768S, -2147483648, -9223372036854775808L, CAST('NaN' AS FLOAT), CAST('Infinity' AS DOUBLE), ''),
        (null, null, null, null, null, CAST('-Infinity' AS FLOAT), CAST('NaN' AS DOUBLE), null),
        (true, 0Y, 0S, 0, 0L, -0.0F, 1.0E7D, CONCAT('ä€😀 "q" \\ /', CHR(1), CHR(31), CHR(8), CHR(9), CHR(10), CHR(12), CHR(13), CHR(127))),
        (true, 0Y, 0S, 0, 0L, CAST('1.0E10' AS FLOAT), 9.9E-4D, 'x'),
        (true, 0Y, 0S, 0, 0L, CAST('3.4028235E38' AS FLOAT), 123456.789D, 'x')
      AS t(a, b, c, d, e, f, g, `h "i"`)"""))
  }

  test("decimals") {
    assertSame(spark.sql("""
      SELECT CAST(x AS DECIMAL(10, 2)) AS a, CAST(x AS DECIMAL(38, 18)) AS b, CAST(x AS DECIMAL(20, 0)) AS c,
        CAST(y AS DECIMAL(38, 10)) AS d
      FROM VALUES ('0', '0.0000000001'), ('-12345.67', '-0.0000012345'), ('1', null), (null, '9999999999999999999999999999')
      AS t(x, y)"""))
  }

  test("dates and timestamps, with and without zone, before 1970 and beyond 9999") {
    assertSame(spark.sql("""
      SELECT CAST(x AS DATE) AS d, CAST(x AS TIMESTAMP) AS t, CAST(x AS TIMESTAMP_NTZ) AS n
      FROM VALUES ('1970-01-01 00:00:00'), ('1969-12-31 23:59:59.999999'), ('2024-02-29 12:34:56.789012'),
        ('0001-01-01 00:00:00.001'), ('9999-12-31 23:59:59'), ('+10000-01-01 00:00:00'), (null), ('1582-10-15 01:02:03') AS s(x)
      """))
  }

  test("binary, and types that do not cross as they are") {
    assertSame(spark.sql("""
      SELECT id, CAST(CONCAT('x', id) AS BINARY) AS b, IF(id = 1, null, array(id, null)) AS a,
        map('k', id) AS m, named_struct('x', id, 'y', IF(id = 2, null, 'z')) AS s, X'ff00fe' AS c
      FROM range(3)"""))
  }

  test("many rows, in several batches") {
    assertSame(spark.range(20000).selectExpr("id", "CAST(id % 97 AS DOUBLE) / 4 AS x", "CONCAT('t', id) AS t"))
  }
}
