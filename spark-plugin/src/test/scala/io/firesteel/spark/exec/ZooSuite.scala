package io.firesteel.spark.exec

import java.nio.file.{Files, Path, Paths}

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import io.firesteel.spark.{functions => firesteel, SparkSuite}
import org.apache.spark.sql.functions.{col, from_json, lit}
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.{Column, DataFrame, Row}

import scala.jdk.CollectionConverters._

/** All models of `tests/models/zoo` through the Scala API, batched and row by row: the bits of Python's onnxruntime. */
class ZooSuite extends SparkSuite {
  private val zoo = Paths.get("tests/models/zoo").toAbsolutePath
  private val mapper = new ObjectMapper()

  private case class Model(path: Path, golden: JsonNode) {
    val name: String = path.getFileName.toString.stripSuffix(".onnx")
    val columns: Seq[(String, String)] =
      golden.get("columns").elements().asScala.map(c => c.get("name").asText() -> c.get("type").asText()).toSeq
    val rows: Seq[JsonNode] = golden.get("rows").elements().asScala.toSeq

    /** Where a column stands in [[frame]]. */
    def place(column: String): String = s"${name}__$column"

    def prediction: Column =
      firesteel.predict(path.toString, columns.map { case (column, _) => col(place(column)).as(column) }: _*).as(name)

    def outputs: Map[String, Seq[Any]] =
      golden.get("outputs").properties().asScala.map(e =>
        e.getKey -> e.getValue.elements().asScala.map(stored).toSeq
      ).toMap
  }

  private def load(name: String): Model =
    Model(zoo.resolve(s"$name.onnx"), mapper.readTree(Files.readString(zoo.resolve(s"$name.json"))))

  private lazy val models: Seq[Model] = {
    val files = Files.list(zoo)
    try files.iterator().asScala.map(_.getFileName.toString).filter(_.endsWith(".onnx")).toSeq.sorted
        .map(file => load(file.stripSuffix(".onnx")))
    finally files.close()
  }

  /** All models' rows side by side, each a JSON object that Spark parses into the columns' types. */
  private lazy val frame: DataFrame = {
    val lines = models.head.rows.indices.map { number =>
      val line = mapper.createObjectNode().put("row_id", number)
      for {
        model <- models
        ((column, _), value) <- model.columns.zip(model.rows(number).elements().asScala)
      } line.set[JsonNode](model.place(column), value)
      Row(mapper.writeValueAsString(line))
    }
    val columns = for (model <- models; (column, kind) <- model.columns) yield s"${model.place(column)} $kind"
    val schema = StructType.fromDDL(("row_id INT" +: columns).mkString(", "))
    val parsed = spark
      .createDataFrame(lines.asJava, StructType.fromDDL("line STRING"))
      .select(from_json(col("line"), schema).as("r"))
      .select("r.*")
    spark.createDataFrame(parsed.collect().toSeq.asJava, schema).coalesce(1)
  }

  private def stored(node: JsonNode): Any =
    if (node.isArray) node.elements().asScala.map(stored).toSeq
    else if (node.isBoolean) node.asBoolean()
    else if (node.isNumber) BigDecimal(node.decimalValue())
    else node.asText()

  /** As `make_zoo.py` stores values: floats as bits. */
  private def shown(value: Any): Any = value match {
    case f: Float if f.isNaN => "nan"
    case f: Float => f"${java.lang.Float.floatToRawIntBits(f)}%08x"
    case d: Double => f"${java.lang.Double.doubleToRawLongBits(d)}%016x"
    case seq: scala.collection.Seq[_] => seq.map(shown).toSeq
    case decimal: java.math.BigDecimal => BigDecimal(decimal)
    case number @ (_: Byte | _: Short | _: Int | _: Long) => BigDecimal(number.asInstanceOf[Number].longValue())
    case other => other
  }

  private def check(rows: Seq[Row]): Unit = {
    val sorted = rows.sortBy(_.getAs[Int]("row_id"))
    models.foreach { model =>
      val scores = sorted.map(_.getAs[Row](model.name))
      val got = model.outputs.keys.map(name => name -> scores.map(row => shown(row.get(row.fieldIndex(name))))).toMap
      assertEquals(got, model.outputs, model.name)
    }
  }

  test("every model gives the bits of onnxruntime, batched and row by row") {
    assert(models.length >= 25)
    assertEquals(models.map(_.rows.length).distinct.length, 1)
    def scored = frame.select(col("row_id") +: models.map(_.prediction): _*)
    check(scored.collect().toSeq)
    check(rowByRow(scored.collect().toSeq))
  }

  test("an array of another length fails the query with its name, length and what the model takes") {
    val model = load("lgbm_three")
    val df = spark.range(1).select(firesteel.predict(model.path.toString, lit(Array(1.0, 2.0)).as("v")))
    val error = intercept[Exception](df.collect())
    val words = Iterator.iterate[Throwable](error)(_.getCause).takeWhile(_ != null).map(_.getMessage).mkString("\n")
    assert(words.contains("column `v` has the shape [2]; input input takes [4]"), words)
  }
}
