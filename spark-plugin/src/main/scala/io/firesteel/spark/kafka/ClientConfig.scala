package io.firesteel.spark.kafka

/** Stand-in, to be replaced by the one of the source: `kafka.*` options without their prefix as librdkafka properties. */
object ClientConfig {
  private val Renamed = Map(
    "buffer.memory" -> None,
    "max.request.size" -> Some("message.max.bytes"),
    "request.timeout.ms" -> Some("request.timeout.ms")
  )

  def librdkafka(kafka: Map[String, String]): Map[String, String] =
    kafka.flatMap { case (name, value) =>
      name.toLowerCase(java.util.Locale.ROOT).stripPrefix("kafka.") match {
        case "sasl.jaas.config" => jaas(value)
        case key => Renamed.getOrElse(key, Some(key)).map(_ -> value).toMap
      }
    }

  private def jaas(text: String): Map[String, String] =
    Seq("username" -> "sasl.username", "password" -> "sasl.password").flatMap { case (key, property) =>
      s"""$key="([^"]*)"""".r.findFirstMatchIn(text).map(found => property -> found.group(1))
    }.toMap
}
