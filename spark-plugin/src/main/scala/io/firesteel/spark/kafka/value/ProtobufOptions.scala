package io.firesteel.spark.kafka.value

import com.fasterxml.jackson.databind.node.ObjectNode
import io.firesteel.spark.kafka.{SourceText, WrongSourceOption}

/** `input.protobuf` of a pipeline file as options. */
private[value] object ProtobufOptions {
  private val DescriptorFile = "protobuf.descriptorFile"
  private val Descriptor = "protobuf.descriptor"
  private val Message = "protobuf.message"
  private val Framing = "protobuf.framing"

  val keys: Seq[FormatKey] = Seq(
    FormatKey(DescriptorFile, "protobuf.descriptor_file"),
    FormatKey(Descriptor, "protobuf.descriptor"),
    FormatKey(Message, "protobuf.message"),
    FormatKey(Framing, "protobuf.framing")
  )

  /** Puts the keys into `protobuf`; option and path of the descriptor's file, if there is one. */
  def fill(text: SourceText, protobuf: ObjectNode): Option[(String, String)] = {
    val file = text.get(DescriptorFile).map(_.trim)
    val descriptor = text.get(Descriptor)
    if (file.isDefined && descriptor.isDefined) {
      throw new WrongSourceOption(s"$DescriptorFile and $Descriptor: give only one of them")
    }
    if (file.isEmpty && descriptor.isEmpty) {
      throw new WrongSourceOption(
        s"valueFormat: Protobuf records can't be read without their descriptor. Give $DescriptorFile, which protoc " +
          "--include_imports --descriptor_set_out=FILE writes"
      )
    }
    val message = text.get(Message).map(_.trim).filter(_.nonEmpty).getOrElse {
      throw new WrongSourceOption(s"$Message is missing: give the message's full name, such as acme.payments.Payment")
    }
    protobuf.put("message", message)
    file.foreach(protobuf.put("descriptor_file", _))
    descriptor.foreach(protobuf.put("descriptor", _))
    text.get(Framing).map(_.trim.toLowerCase).foreach {
      case framing @ ("bare" | "confluent") => protobuf.put("framing", framing)
      case other => throw new WrongSourceOption(s"$Framing: wanted bare or confluent, but it is: $other")
    }
    file.map(DescriptorFile -> _)
  }
}
