package io.firesteel.spark.resolve

import com.fasterxml.jackson.databind.{JsonNode, ObjectMapper}
import org.apache.spark.sql.types.StructType

import scala.jdk.CollectionConverters._

/** The engine's answer to a checked call, see `Prepared` in the engine. */
private[spark] final case class Prepared(
    call: String,
    input: StructType,
    optional: Set[String],
    output: StructType,
    plan: String,
    windows: Seq[PreparedWindow] = Seq.empty,
    comparisons: Seq[PreparedComparison] = Seq.empty)

/** A window block: the columns of its key, and those that it adds. */
private[spark] final case class PreparedWindow(key: Seq[String], columns: Seq[String])

/** A challenger beside its champion: columns of the result, the champion's and the challenger's. */
private[spark] final case class PreparedComparison(challenger: String, champion: String, columns: Seq[(String, String)])

/** A pipeline with windows in its parts; `blocks` are the calls of its window blocks. */
private[spark] final case class PreparedParts(front: Prepared, blocks: Seq[String], back: Prepared)

private[spark] object Prepared {
  private val mapper = new ObjectMapper()

  def parse(json: String): Prepared = {
    val node = read(json)
    of(node, node.get("plan").asText())
  }

  def parseParts(json: String): PreparedParts = {
    val node = read(json)
    def side(name: String) = of(node.get(name), node.get(name).get("plan").asText())
    PreparedParts(side("front"), texts(node.get("blocks")), side("back"))
  }

  private def of(node: JsonNode, plan: String): Prepared = Prepared(
    node.get("call").asText(),
    StructType.fromDDL(node.get("input").asText()),
    texts(node.get("optional")).toSet,
    StructType.fromDDL(node.get("output").asText()),
    plan,
    node.path("windows").elements().asScala.map(w =>
      PreparedWindow(texts(w.get("key")), texts(w.get("columns")))
    ).toSeq,
    node.path("comparisons").elements().asScala.map(comparison).toSeq
  )

  private def comparison(node: JsonNode) = PreparedComparison(
    node.get("challenger").asText(),
    node.get("champion").asText(),
    node.get("columns").elements().asScala.map(pair => (pair.get(0).asText(), pair.get(1).asText())).toSeq
  )

  private def texts(node: JsonNode): Seq[String] = node.elements().asScala.map(_.asText()).toSeq

  def read(json: String): JsonNode = mapper.readTree(json)
}
