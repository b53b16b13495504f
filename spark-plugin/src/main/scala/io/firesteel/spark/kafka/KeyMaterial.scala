package io.firesteel.spark.kafka

import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.{Files, Path}
import java.security.KeyStore
import java.security.cert.Certificate
import java.util.Base64

import scala.jdk.CollectionConverters._
import scala.util.control.NonFatal

/**
 * Java's key stores as PEM, which is what OpenSSL takes. A store is read where it is used, on driver and executors, as
 * with Kafka's Java client; what comes out stays in memory.
 */
private[kafka] object KeyMaterial {

  /** Certificates of the authorities that a client trusts. */
  def trusted(location: String, kind: String, password: Option[String]): String =
    if (isPem(kind)) read("kafka.ssl.truststore.location", location)
    else {
      val store = load("kafka.ssl.truststore", location, kind, password)
      store.aliases().asScala.toSeq.flatMap(alias => Option(store.getCertificate(alias))).map(pem).mkString
    }

  /** A client's certificates and its private key. */
  def own(location: String, kind: String, password: Option[String], keyPassword: Option[String]): (String, String) =
    if (isPem(kind)) {
      val text = read("kafka.ssl.keystore.location", location)
      (text, text)
    } else {
      val store = load("kafka.ssl.keystore", location, kind, password)
      val alias = store.aliases().asScala.find(store.isKeyEntry).getOrElse {
        throw new WrongSourceOption(s"kafka.ssl.keystore.location: there is no private key in $location")
      }
      val key =
        try store.getKey(alias, keyPassword.orElse(password).getOrElse("").toCharArray)
        catch {
          case NonFatal(_) =>
            throw new WrongSourceOption(s"kafka.ssl.key.password: it does not open the private key in $location")
        }
      (store.getCertificateChain(alias).map(pem).mkString, block("PRIVATE KEY", key.getEncoded))
    }

  private def isPem(kind: String) = kind.equalsIgnoreCase("PEM")

  private def read(option: String, location: String): String =
    try Files.readString(Path.of(location), UTF_8)
    catch {
      case NonFatal(e) => throw new WrongSourceOption(s"$option: $location can't be read: ${e.getClass.getSimpleName}")
    }

  private def load(option: String, location: String, kind: String, password: Option[String]): KeyStore =
    try {
      val store = KeyStore.getInstance(kind)
      val in = Files.newInputStream(Path.of(location))
      try store.load(in, password.map(_.toCharArray).orNull)
      finally in.close()
      store
    } catch {
      case NonFatal(e) =>
        throw new WrongSourceOption(
          s"$option.location: $location can't be opened as $kind (${e.getClass.getSimpleName}). Check the file on this " +
            s"machine, $option.type and $option.password"
        )
    }

  private def pem(certificate: Certificate): String = block("CERTIFICATE", certificate.getEncoded)

  private def block(name: String, bytes: Array[Byte]): String = {
    val lines = Base64.getMimeEncoder(64, "\n".getBytes(UTF_8)).encodeToString(bytes)
    s"-----BEGIN $name-----\n$lines\n-----END $name-----\n"
  }
}
