package io.firesteel.spark.kafka.transaction

import java.security.{Provider, Security}
import java.util.{Map => JMap}
import javax.security.auth.callback.CallbackHandler
import javax.security.sasl.{SaslClient, SaslClientFactory}

import io.firesteel.shaded.kafka.common.security.auth.AuthenticateCallbackHandler
import io.firesteel.shaded.kafka.common.security.oauthbearer.internals.OAuthBearerSaslClient.OAuthBearerSaslClientFactory
import io.firesteel.shaded.kafka.common.security.scram.internals.ScramSaslClient.ScramSaslClientFactory

/**
 * Kafka's client finds its mechanisms through Java's security providers, by a provider's name, which renaming its
 * packages does not change: where Spark's Kafka client registered first, ours would be given that one's classes and can't
 * use them. So ours are registered under a name of their own, and step back for handlers that are not ours.
 */
private[transaction] final class OwnSasl extends Provider(OwnSasl.Name, "1.0", "SASL for Firesteel's Kafka client") {
  OwnSasl.Mechanisms.foreach(mechanism => put(s"SaslClientFactory.$mechanism", classOf[OwnSaslFactory].getName))
}

private[transaction] object OwnSasl {
  private val Name = "Firesteel SASL"
  val Mechanisms: Seq[String] = Seq("OAUTHBEARER", "SCRAM-SHA-256", "SCRAM-SHA-512")

  /** Once per process, before the first client; anew if another class loader has our jar now. */
  def register(): Unit = synchronized {
    val known = Option(Security.getProvider(Name))
    if (!known.exists(_.getClass == classOf[OwnSasl])) {
      known.foreach(_ => Security.removeProvider(Name))
      val _ = Security.insertProviderAt(new OwnSasl, 1)
    }
  }
}

/** Java makes one for each login. */
private[transaction] final class OwnSaslFactory extends SaslClientFactory {
  override def getMechanismNames(properties: JMap[String, _]): Array[String] =
    OwnSasl.Mechanisms.toArray

  /** None for a handler of another Kafka client: Java then asks the next provider. */
  override def createSaslClient(
      mechanisms: Array[String],
      id: String,
      protocol: String,
      server: String,
      properties: JMap[String, _],
      handler: CallbackHandler): SaslClient = handler match {
    case _: AuthenticateCallbackHandler =>
      val factory =
        if (mechanisms.contains("OAUTHBEARER")) new OAuthBearerSaslClientFactory else new ScramSaslClientFactory
      factory.createSaslClient(mechanisms, id, protocol, server, properties, handler)
    case _ => null
  }
}
