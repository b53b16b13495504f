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
    plan: String)

private[spark] object Prepared {
  private val mapper = new ObjectMapper()

  def parse(json: String): Prepared = {
    val node = read(json)
    Prepared(
      node.get("call").asText(),
      StructType.fromDDL(node.get("input").asText()),
      node.get("optional").elements().asScala.map(_.asText()).toSet,
      StructType.fromDDL(node.get("output").asText()),
      node.get("plan").asText()
    )
  }

  def read(json: String): JsonNode = mapper.readTree(json)
}
