package io.firesteel.spark.kafka.value

import java.util.Base64
import java.util.regex.Matcher

import com.fasterxml.jackson.databind.ObjectMapper
import com.fasterxml.jackson.databind.node.ObjectNode
import io.firesteel.spark.kafka.{SourceText, WrongSourceOption}
import io.firesteel.spark.resolve.Files
import org.apache.hadoop.conf.Configuration

/**
 * How the bytes of a value are written. The options are keys of a pipeline file's `input` and become just that, so that
 * they mean the same in both.
 *
 * @param keys what the pipeline's `input` says, without the schema
 * @param file option and path of the file that it names, if any
 */
private[kafka] final class ValueFormat private (val name: String, keys: ObjectNode, file: Option[(String, String)]) {

  /** A copy, to be filled in. */
  def input: ObjectNode = keys.deepCopy()

  /** The file's content, as the engine wants it beside the pipeline file. */
  def found(hadoop: => Configuration): Array[String] = file.map { case (option, path) =>
    Base64.getEncoder.encodeToString(Files.read(path, option, hadoop))
  }.toArray

  /** Whether a field is found by its name, so that others need not be decoded; in CSV it is known by its place. */
  def findsByName: Boolean = name != "csv"

  override def toString: String = name
}

private[kafka] object ValueFormat {
  val Name = "valueFormat"
  private val mapper = new ObjectMapper()

  /** Formats whose records are described by a schema or descriptor of their own, which says what the columns are. */
  private val described = Set("avro", "protobuf")

  /** Names of the options, that of the format among them. */
  val names: Seq[String] = Name +: (AvroOptions.keys ++ ProtobufOptions.keys).map(_.option)

  /** Whether the options say what the columns are, without a schema by the user. */
  def saysColumns(text: SourceText): Boolean = text.get(Name).exists(format => described(format.trim.toLowerCase))

  /** The first of the options that is given. */
  def firstOf(text: SourceText): Option[String] = names.find(text.get(_).isDefined)

  /** Throws [[WrongSourceOption]]. */
  def of(text: SourceText): ValueFormat = {
    val name = text.get(Name).map(_.trim.toLowerCase).getOrElse("json")
    val input = mapper.createObjectNode().put("format", name)
    if (name != "avro") refuse(text, AvroOptions.keys, "avro")
    if (name != "protobuf") refuse(text, ProtobufOptions.keys, "protobuf")
    name match {
      case "json" | "csv" => new ValueFormat(name, input, None)
      case "avro" => new ValueFormat(name, input, AvroOptions.fill(text, input.putObject("avro")))
      case "protobuf" => new ValueFormat(name, input, ProtobufOptions.fill(text, input.putObject("protobuf")))
      case other => throw new WrongSourceOption(s"$Name: wanted json, csv, avro or protobuf, but it is: $other")
    }
  }

  private def refuse(text: SourceText, keys: Seq[FormatKey], format: String): Unit =
    keys.find(key => text.get(key.option).isDefined).foreach { key =>
      throw new WrongSourceOption(s"${key.option} belongs to $Name = $format")
    }

  private val Key = """(?<![\w./-])input\.([a-z_]+(?:\.[a-z_]+)*)""".r

  /** The engine names keys of a pipeline file; the user has written options. */
  def inOptions(message: String): String = {
    val options = (AvroOptions.keys ++ ProtobufOptions.keys).map(key => key.key -> key.option).toMap ++
      described.map(format => format -> s"$Name $format") + ("schema" -> "schema")
    Key.replaceAllIn(message, found => Matcher.quoteReplacement(options.getOrElse(found.group(1), found.matched)))
  }
}

/** An option, and the key of a pipeline file's `input` that it is. */
private[value] final case class FormatKey(option: String, key: String)
