package io.firesteel.spark.exec

import java.nio.file.{Files, Path, Paths}

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import io.firesteel.spark.{functions => firesteel, SparkSuite}
import org.apache.spark.sql.functions.{col, from_json, lit}
import org.apache.spark.sql.types.StructType
import org.apache.spark.sql.{DataFrame, Row}

import scala.jdk.CollectionConverters._

/** Models of `tests/models/zoo` through the Scala API, batched and row by row: the bits of Python's onnxruntime. */
class ZooSuite extends SparkSuite {
  private val zoo = Paths.get("tests/models/zoo").toAbsolutePath
  private val mapper = new ObjectMapper()

  private case class Model(path: Path, golden: JsonNode) {
    val columns: Seq[(String, String)] =
      golden.get("columns").elements().asScala.map(c => c.get("name").asText() -> c.get("type").asText()).toSeq

    /** Each row as a JSON object, parsed by Spark into the columns' types. */
    def frame: DataFrame = {
      val lines = golden.get("rows").elements().asScala.toSeq.zipWithIndex.map { case (row, number) =>
        val line = mapper.createObjectNode().put("row_id", number)
        columns.zip(row.elements().asScala.toSeq).foreach { case ((name, _), value) => line.set[JsonNode](name, value) }
        Row(mapper.writeValueAsString(line))
      }
      val schema = StructType.fromDDL(("row_id INT" +: columns.map { case (name, kind) => s"$name $kind" }).mkString(", "))
      spark
        .createDataFrame(lines.asJava, StructType.fromDDL("line STRING"))
        .select(from_json(col("line"), schema).as("r"))
        .select("r.*")
        .coalesce(1)
    }

    def outputs: Map[String, Seq[Any]] =
      golden.get("outputs").properties().asScala.map(e => e.getKey -> e.getValue.elements().asScala.map(stored).toSeq).toMap
  }

  private def load(name: String): Model =
    Model(zoo.resolve(s"$name.onnx"), mapper.readTree(Files.readString(zoo.resolve(s"$name.json"))))

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

  private def check(model: Model): Unit = {
    def answers(): Map[String, Seq[Any]] = {
      val p = firesteel.predict(model.path.toString, model.columns.map { case (name, _) => col(name) }: _*)
      val rows = model.frame.select(col("row_id"), p.as("p")).collect().sortBy(_.getInt(0)).map(_.getStruct(1))
      model.outputs.keys.map(name => name -> rows.toSeq.map(row => shown(row.get(row.fieldIndex(name))))).toMap
    }
    assertEquals(answers(), model.outputs)
    assertEquals(rowByRow(answers()), model.outputs)
  }

  Seq("sk_named_columns", "sk_lr_zipmap_text", "lgbm_three", "torch_transformer", "torch_fixed_1", "torch_sequence",
    "keras_conv2d", "whole_numbers", "half_precision", "booleans").foreach { name =>
    test(s"$name gives the bits of onnxruntime, batched and row by row")(check(load(name)))
  }

  test("an array of another length fails the query with its name, length and what the model takes") {
    val model = load("lgbm_three")
    val df = spark.range(1).select(firesteel.predict(model.path.toString, lit(Array(1.0, 2.0)).as("v")))
    val error = intercept[Exception](df.collect())
    val words = Iterator.iterate[Throwable](error)(_.getCause).takeWhile(_ != null).map(_.getMessage).mkString("\n")
    assert(words.contains("column `v` has the shape [2]; input input takes [4]"), words)
  }
}
