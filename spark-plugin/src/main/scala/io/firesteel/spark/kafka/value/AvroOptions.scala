package io.firesteel.spark.kafka.value

import com.fasterxml.jackson.databind.node.ObjectNode
import io.firesteel.spark.kafka.{SourceText, WrongSourceOption}

/** `input.avro` of a pipeline file as options. What they say is checked here, in the words of options. */
private[value] object AvroOptions {
  private val Schema = "avro.schema"
  private val SchemaFile = "avro.schemaFile"
  private val Url = "schemaRegistry.url"
  private val Subject = "schemaRegistry.subject"
  private val Username = "schemaRegistry.username"
  private val Password = "schemaRegistry.password"
  private val BearerToken = "schemaRegistry.bearerToken"
  private val Timeout = "schemaRegistry.timeout"

  val keys: Seq[FormatKey] = Seq(
    FormatKey(Schema, "avro.schema"),
    FormatKey(SchemaFile, "avro.schema_file"),
    FormatKey(Url, "avro.registry.url"),
    FormatKey(Subject, "avro.registry.subject"),
    FormatKey(Username, "avro.registry.username"),
    FormatKey(Password, "avro.registry.password"),
    FormatKey(BearerToken, "avro.registry.bearer_token"),
    FormatKey(Timeout, "avro.registry.timeout_s")
  )

  private val ofRegistry = Seq(Subject, Username, Password, BearerToken, Timeout)

  /** Milliseconds of the shortest and the longest time that a question may take. */
  private val (shortest, longest) = (1000L, 600000L)

  private val Reference = """\$\{(?:env|file):.+\}""".r

  /** Puts the keys into `avro`; option and path of the schema's file, if there is one. */
  def fill(text: SourceText, avro: ObjectNode): Option[(String, String)] = {
    val schema = text.get(Schema)
    val file = text.get(SchemaFile).map(_.trim)
    val hasSchema = schema.isDefined || file.isDefined
    if (schema.isDefined && file.isDefined)
      throw new WrongSourceOption(s"$Schema and $SchemaFile: give only one of them")
    text.get(Url).map(_.trim) match {
      case Some(url) =>
        if (hasSchema && text.get(Subject).isDefined) {
          throw new WrongSourceOption(
            s"$Subject: with ${if (schema.isDefined) Schema else SchemaFile} there is nothing to ask the subject for; " +
              "leave one of them out"
          )
        }
        if (!hasSchema && text.get(Subject).isEmpty && text.get("schema").isEmpty) {
          throw new WrongSourceOption(
            s"$Url: nothing says which columns are wanted. Give schema, such as id BIGINT, amount DOUBLE, or $Subject"
          )
        }
        registry(text, url, avro.putObject("registry"))
      case None =>
        ofRegistry.find(text.get(_).isDefined).foreach { name =>
          throw new WrongSourceOption(s"$name belongs to $Url, which is missing")
        }
        if (!hasSchema) {
          throw new WrongSourceOption(
            s"valueFormat: Avro records can't be read without their schema. Give $Schema or $SchemaFile, the schema of " +
              s"all records; or $Url, if they are in Confluent's wire format"
          )
        }
    }
    schema.foreach(avro.put("schema", _))
    file.foreach(avro.put("schema_file", _))
    file.map(SchemaFile -> _)
  }

  private def registry(text: SourceText, url: String, registry: ObjectNode): Unit = {
    val host =
      Seq("http://", "https://").find(url.startsWith).map(scheme => url.drop(scheme.length).takeWhile(_ != '/'))
    host match {
      // What stands before the @ may be a password: it is not repeated.
      case Some(login) if login.contains('@') =>
        throw new WrongSourceOption(
          s"$Url: a login must not stand in the address. Give $Username, and $Password = $${env:NAME}"
        )
      case None | Some("") =>
        throw new WrongSourceOption(s"$Url: an address begins with http:// or https:// and a host")
      case _ => registry.put("url", url)
    }
    if (text.get(Username).isDefined != text.get(Password).isDefined) {
      throw new WrongSourceOption(s"$Username and $Password go together")
    }
    if (text.get(BearerToken).isDefined && text.get(Username).isDefined) {
      throw new WrongSourceOption(s"$BearerToken excludes $Username and $Password")
    }
    text.get(Subject).map(_.trim).foreach { subject =>
      if (subject.isEmpty) throw new WrongSourceOption(s"$Subject is empty: give a name, or leave the option out")
      registry.put("subject", subject)
    }
    text.get(Username).foreach(registry.put("username", _))
    secret(text, Password).foreach(registry.put("password", _))
    secret(text, BearerToken).foreach(registry.put("bearer_token", _))
    text.millis(Timeout).foreach { millis =>
      if (millis < shortest || millis > longest || millis % 1000 != 0) {
        throw new WrongSourceOption(
          s"$Timeout: wanted whole seconds from 1s to 600s, but it is: ${text.get(Timeout).get}"
        )
      }
      registry.put("timeout_s", millis / 1000)
    }
  }

  /** Where a secret stands. Anything else may be the secret itself and is not repeated. */
  private def secret(text: SourceText, option: String): Option[String] = text.get(option).map { written =>
    written.trim match {
      case reference @ Reference() => reference
      case _ =>
        throw new WrongSourceOption(
          s"$option: a secret itself must not stand here. Give $${env:NAME} or $${file:PATH}, which is looked up on the " +
            "driver and on each executor, whenever the registry is asked"
        )
    }
  }
}
