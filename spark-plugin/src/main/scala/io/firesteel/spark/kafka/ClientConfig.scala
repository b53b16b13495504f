package io.firesteel.spark.kafka

import com.fasterxml.jackson.databind.ObjectMapper
import io.firesteel.spark.bridge.FiresteelException

import scala.jdk.CollectionConverters._

/**
 * Kafka's settings as a Spark user writes them, in the names of Kafka's Java client, turned into librdkafka's.
 * librdkafka's own names pass as they are.
 */
private[spark] object ClientConfig {
  private val mapper = new ObjectMapper()

  /** Same thing, other name. */
  private val renamed = Map(
    "fetch.max.wait.ms" -> "fetch.wait.max.ms",
    "request.timeout.ms" -> "socket.timeout.ms",
    "receive.buffer.bytes" -> "socket.receive.buffer.bytes",
    "send.buffer.bytes" -> "socket.send.buffer.bytes",
    "max.request.size" -> "message.max.bytes"
  )

  /** Settings of Java's client that mean nothing to one without a group, or to native code. */
  private val meaningless = Set(
    "group.id",
    "group.instance.id",
    "group.protocol",
    "max.poll.records",
    "max.poll.interval.ms",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "default.api.timeout.ms",
    "buffer.memory",
    "max.block.ms",
    "partition.assignment.strategy",
    "exclude.internal.topics",
    "allow.auto.create.topics",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "auto.include.jmx.reporter",
    "enable.metrics.push",
    "ssl.protocol",
    "ssl.provider",
    "ssl.enabled.protocols",
    "ssl.trustmanager.algorithm",
    "ssl.keymanager.algorithm",
    "ssl.secure.random.implementation"
  )

  /** Settings that are handled here, see [[sasl]] and [[tls]]. */
  private val own = Set(
    "sasl.jaas.config",
    "sasl.oauthbearer.token.endpoint.url",
    "sasl.login.callback.handler.class",
    "sasl.client.callback.handler.class",
    "ssl.truststore.location",
    "ssl.truststore.type",
    "ssl.truststore.password",
    "ssl.truststore.certificates",
    "ssl.keystore.location",
    "ssl.keystore.type",
    "ssl.keystore.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm"
  )

  private val Protocols = Seq("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")

  private final val OauthHandler = "OAuthBearerLoginCallbackHandler"

  /** librdkafka's properties. Throws [[WrongSourceOption]], which never holds a value that could be a secret. */
  def librdkafka(kafka: Map[String, String]): Map[String, String] = {
    val plain = kafka.removedAll(own).removedAll(meaningless).map { case (name, value) =>
      renamed.getOrElse(name, name) -> value.trim
    }
    kafka.get("security.protocol").filterNot(p => Protocols.contains(p.trim.toUpperCase)).foreach { other =>
      throw new WrongSourceOption(
        s"kafka.security.protocol: wanted one of ${Protocols.mkString(", ")}, but it is: $other"
      )
    }
    plain ++ sasl(kafka) ++ tls(kafka)
  }

  /** Runs `work`, whose faults name settings as the user wrote them. */
  def spoken[T](kafka: Map[String, String])(work: => T): T =
    try work
    catch {
      case e: FiresteelException if e.getMessage.startsWith("WRONG_OPTION: kafka.") =>
        val message = renamed.filter(pair => kafka.contains(pair._1)).foldLeft(e.getMessage) {
          case (text, (users, native)) => text.replace(s"kafka.$native:", s"kafka.$users:")
        }
        throw new WrongSourceOption(message.stripPrefix("WRONG_OPTION: "))
    }

  /** What `ClientSettings` of the native side is read from; `defaults` hold where the user says nothing. */
  def settings(kafka: Map[String, String], defaults: Map[String, String] = Map.empty): String = {
    val properties = Map("properties" -> (defaults ++ librdkafka(kafka)).asJava)
    mapper.writeValueAsString((properties ++ oauth(kafka).map("oauth" -> _.asJava)).asJava)
  }

  private def mechanism(kafka: Map[String, String]): Option[String] =
    kafka.get("sasl.mechanism").orElse(kafka.get("sasl.mechanisms")).map(_.trim.toUpperCase)

  private def sasl(kafka: Map[String, String]): Map[String, String] = {
    mechanism(kafka).foreach {
      case "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" | "OAUTHBEARER" =>
      case other =>
        throw new WrongSourceOption(
          s"kafka.sasl.mechanism: $other is not built in. There are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and " +
            "OAUTHBEARER; with another one, read with Spark's own format(\"kafka\")"
        )
    }
    kafka.get("sasl.jaas.config") match {
      case Some(text) if !mechanism(kafka).contains("OAUTHBEARER") =>
        val jaas = Jaas.parse(text)
        Map("sasl.username" -> jaas.required("username"), "sasl.password" -> jaas.required("password"))
      case _ => Map.empty
    }
  }

  /** Where tokens come from, for OAUTHBEARER. */
  private def oauth(kafka: Map[String, String]): Option[Map[String, String]] =
    if (!mechanism(kafka).contains("OAUTHBEARER")) None
    else {
      kafka.get("sasl.login.callback.handler.class").filterNot(_.endsWith(OauthHandler)).foreach { other =>
        throw new WrongSourceOption(
          s"kafka.sasl.login.callback.handler.class: $other is a Java class, which native code can't call. Tokens come " +
            "from kafka.sasl.oauthbearer.token.endpoint.url; with another source, read with Spark's own format(\"kafka\")"
        )
      }
      val endpoint = kafka.getOrElse(
        "sasl.oauthbearer.token.endpoint.url",
        throw new WrongSourceOption(
          "kafka.sasl.oauthbearer.token.endpoint.url is missing: OAUTHBEARER gets tokens there"
        )
      )
      val jaas = Jaas.parse(kafka.getOrElse("sasl.jaas.config", ""))
      Some(
        Map(
          "tokenEndpoint" -> endpoint,
          "clientId" -> jaas.required("clientId"),
          "clientSecret" -> jaas.required("clientSecret"),
          "scope" -> jaas.options.getOrElse("scope", "")
        )
      )
    }

  private def tls(kafka: Map[String, String]): Map[String, String] = {
    val trusted = kafka.get("ssl.truststore.certificates").orElse {
      kafka.get("ssl.truststore.location").map { location =>
        KeyMaterial.trusted(
          location,
          kafka.getOrElse("ssl.truststore.type", "JKS"),
          kafka.get("ssl.truststore.password")
        )
      }
    }
    val inline = for {
      chain <- kafka.get("ssl.keystore.certificate.chain")
      key <- kafka.get("ssl.keystore.key")
    } yield (chain, key)
    val store = inline.orElse {
      kafka.get("ssl.keystore.location").map { location =>
        KeyMaterial.own(
          location,
          kafka.getOrElse("ssl.keystore.type", "JKS"),
          kafka.get("ssl.keystore.password"),
          kafka.get("ssl.key.password")
        )
      }
    }
    val pem = kafka.get("ssl.keystore.type").exists(_.equalsIgnoreCase("PEM"))
    trusted.map("ssl.ca.pem" -> _).toMap ++
      store.map("ssl.certificate.pem" -> _._1) ++
      store.map("ssl.key.pem" -> _._2) ++
      // A key out of a key store is open already.
      kafka.get("ssl.key.password").filter(_ => pem).map("ssl.key.password" -> _) ++
      kafka.get("ssl.endpoint.identification.algorithm").map { algorithm =>
        "ssl.endpoint.identification.algorithm" -> (if (algorithm.trim.isEmpty) "none" else algorithm.trim.toLowerCase)
      }
  }
}
