package io.firesteel.spark.kafka.value

import com.fasterxml.jackson.databind.ObjectMapper
import com.fasterxml.jackson.databind.node.ObjectNode
import io.firesteel.spark.bridge.{FiresteelException, NativeCalls}
import io.firesteel.spark.kafka.{Content, ReadPlan, WrongSourceOption}
import io.firesteel.spark.resolve.Prepared
import io.firesteel.spark.{Firesteel, FiresteelAnalysisException}
import org.apache.hadoop.conf.Configuration
import org.apache.spark.sql.types.StructType

/**
 * The value decoded: by pipelines that do nothing but decode the leaves that are wanted, each named by its path.
 *
 * @param ddl the user's columns; without them the format's own schema says what they are
 */
private[kafka] final class Decoded(ddl: Option[String], format: ValueFormat, hadoop: => Configuration) extends Content {
  import Decoded._

  private val found = format.found(hadoop)

  /** The input, made whole by the engine: with its schema or descriptor inside, and with all columns. */
  private val input: ObjectNode = ddl match {
    case Some(text) => inputOf(prepared(format.input.put("schema", text), leaves("", declaredIn(text)), found))
    case None => inputOf(prepared(format.input, Seq.empty, found))
  }
  private val columns: StructType = StructType.fromDDL(input.path("schema").asText(""))
  if (leaves("", columns).exists(_.equalsIgnoreCase(Firesteel.RejectedColumn))) {
    throw new WrongSourceOption(
      s"schema: a field has the name of the column of rejected rows, ${Firesteel.RejectedColumn}; give schema without it"
    )
  }
  private val all = prepare(_ => true)
  override val schema: StructType = all.output

  /**
   * Only the wanted columns are decoded, so a bad value in another one rejects nothing; if `_rejected` is wanted, all
   * are.
   */
  override def plan(wanted: StructType): ReadPlan =
    if (wanted.isEmpty) Content.records(wanted)
    else {
      val names = wanted.fieldNames.toSet
      val whole = !format.findsByName || names(Firesteel.RejectedColumn)
      val some = if (whole) all else prepare(names)
      ReadPlan(Content.Fed, some.call, some.output, wanted, Seq.empty, s"$format: ${wanted.toDDL}")
    }

  private def prepare(isWanted: String => Boolean): Prepared = {
    val kept = wantedOf("", columns, isWanted)
    prepared(input.deepCopy().put("schema", kept.toDDL), leaves("", kept), Array.empty)
  }
}

private object Decoded {
  private val mapper = new ObjectMapper()

  /**
   * Prepares a pipeline that gives these columns. One that gives none is no pipeline: it gives a constant, as long as it
   * is not known which columns there are.
   */
  private def prepared(input: ObjectNode, output: Seq[String], found: Array[String]): Prepared = {
    val root = mapper.createObjectNode().put("name", "source")
    root.set[ObjectNode]("input", input)
    if (output.isEmpty) root.putObject("features").put(Nothing, "1")
    val columns = root.putArray("output")
    (if (output.isEmpty) Seq(Nothing) else output).foreach(columns.add)
    // Without a name of its own: the text is not the user's, so places in it help nobody.
    try Prepared.parse(NativeCalls.preparePipeline(mapper.writeValueAsString(root), "", found, false))
    catch {
      case e: FiresteelException => throw new FiresteelAnalysisException(ValueFormat.inOptions(e.getMessage), Some(e))
    }
  }

  private val Nothing = "firesteel_nothing"

  /** `input` of a prepared pipeline, as executors get it. */
  private def inputOf(prepared: Prepared): ObjectNode =
    Prepared.read(Prepared.read(prepared.call).path("spec").asText).path("input") match {
      case input: ObjectNode => input
      case _ => throw new IllegalStateException("INTERNAL: a prepared call without its input")
    }

  private def declaredIn(ddl: String): StructType =
    try StructType.fromDDL(ddl)
    catch {
      case e: Exception =>
        throw new WrongSourceOption(s"schema: ${e.getMessage.linesIterator.find(_.nonEmpty).getOrElse("")}")
    }

  private def leaves(prefix: String, fields: StructType): Seq[String] = fields.toSeq.flatMap { field =>
    field.dataType match {
      case inner: StructType => leaves(s"$prefix${field.name}.", inner)
      case _ => Seq(prefix + field.name)
    }
  }

  private def wantedOf(prefix: String, fields: StructType, isWanted: String => Boolean): StructType =
    StructType(fields.flatMap { field =>
      field.dataType match {
        case inner: StructType =>
          val kept = wantedOf(s"$prefix${field.name}.", inner, isWanted)
          if (kept.isEmpty) None else Some(field.copy(dataType = kept))
        case _ => Some(field).filter(_ => isWanted(prefix + field.name))
      }
    })
}
