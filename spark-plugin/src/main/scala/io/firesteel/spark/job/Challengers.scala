package io.firesteel.spark.job

import com.fasterxml.jackson.databind.ObjectMapper
import com.fasterxml.jackson.databind.node.ObjectNode
import io.firesteel.spark.models.Comparison
import io.firesteel.spark.resolve.PreparedComparison
import org.apache.spark.sql.functions.{call_function, col}
import org.apache.spark.sql.{Column, DataFrame, Observation, Row}

/** How the challengers of a pipeline did in one micro-batch, counted while its rows go by. */
private[job] final class Challengers(comparisons: Seq[PreparedComparison]) {
  private val seen = Observation()

  private var isWatching = false

  def observe(rows: DataFrame): DataFrame = {
    val types = rows.schema.map(field => field.name -> field.dataType).toMap
    val columns = for {
      comparison <- comparisons
      (champion, challenger) <- comparison.columns if Comparison.fits(types(champion), types(challenger))
    } yield call_function(Comparison.Name, quoted(champion), quoted(challenger)).as(challenger)
    isWatching = columns.nonEmpty
    if (isWatching) rows.observe(seen, columns.head, columns.tail: _*) else rows
  }

  /** By the challenger's column. Waits until the rows have gone by. */
  def found: Map[String, Row] =
    if (isWatching) seen.get.collect { case (column, row: Row) => column -> row } else Map.empty

  private def quoted(name: String): Column = col("`" + name.replace("`", "``") + "`")
}

private[job] object Challengers {

  /** By column, what was counted of it; a mean of no row is null. */
  def toJson(found: Map[String, Row], json: ObjectMapper): ObjectNode = {
    val all = json.createObjectNode()
    found.toSeq.sortBy(_._1).foreach { case (column, row) =>
      val one = all.putObject(column)
      row.schema.fieldNames.foreach { name =>
        val _ =
          one.set[ObjectNode](name, json.valueToTree[com.fasterxml.jackson.databind.JsonNode](row.getAs[Any](name)))
      }
    }
    all
  }
}
