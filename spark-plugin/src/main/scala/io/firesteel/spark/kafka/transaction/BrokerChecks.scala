package io.firesteel.spark.kafka.transaction

import java.util.Collections
import java.util.concurrent.ExecutionException

import io.firesteel.shaded.kafka.clients.admin.Admin
import io.firesteel.shaded.kafka.common.config.ConfigResource
import io.firesteel.shaded.kafka.common.errors.{ClusterAuthorizationException, UnsupportedVersionException}
import io.firesteel.spark.bridge.FiresteelException
import org.slf4j.LoggerFactory

/** What must hold on the brokers before the first transaction; once per run of a query. */
private[kafka] object BrokerChecks {
  private val LOG = LoggerFactory.getLogger(getClass)
  private val TransactionVersion = "transaction.version"
  private val MaxTimeout = "transaction.max.timeout.ms"

  def all(admin: Admin, settings: TransactionSettings, topic: Option[String]): Unit = {
    reachable(admin, settings)
    topic.foreach(exists(admin, settings, _))
    transactionVersion(admin)
    timeout(admin, settings)
  }

  private def reachable(admin: Admin, settings: TransactionSettings): Unit =
    KafkaFailure.explained(settings, "describe the cluster") {
      val _ = admin.describeCluster().nodes().get()
    }

  private def exists(admin: Admin, settings: TransactionSettings, topic: String): Unit =
    KafkaFailure.explained(settings, s"find topic $topic") {
      val _ = admin.describeTopics(Collections.singleton(topic)).allTopicNames().get()
    }

  /**
   * From version 2 on (KIP-890) a late end of one transaction can't end the next one of the same writer. Without it the
   * guarantee has a hole, if a narrow one.
   */
  private def transactionVersion(admin: Admin): Unit = ifAllowed(s"the brokers' $TransactionVersion") {
    val finalized = admin.describeFeatures().featureMetadata().get().finalizedFeatures()
    val level = Option(finalized.get(TransactionVersion)).fold(0)(_.maxVersionLevel().toInt)
    if (level < 2) {
      LOG.warn(
        s"The brokers have $TransactionVersion $level: a request that is late by a whole transaction could end the next " +
          s"one. Upgrade them to Kafka 4, then: kafka-features.sh upgrade --feature $TransactionVersion=2"
      )
    }
  }

  private def timeout(admin: Admin, settings: TransactionSettings): Unit = ifAllowed(s"the brokers' $MaxTimeout") {
    val node = admin.describeCluster().nodes().get().iterator().next()
    val resource = new ConfigResource(ConfigResource.Type.BROKER, node.idString())
    val config = admin.describeConfigs(Collections.singleton(resource)).all().get().get(resource)
    Option(config.get(MaxTimeout)).flatMap(entry => Option(entry.value())).flatMap(_.toLongOption).foreach { most =>
      if (settings.transactionTimeoutMs > most) {
        throw new FiresteelException(
          s"TRANSACTION_TIMEOUT: the brokers allow transactions of $most ms at most, and ${settings.transactionTimeoutMs} ms " +
            s"are wanted. Set kafka.transaction.timeout.ms to what a task may take, or raise $MaxTimeout on the brokers"
        )
      }
    }
  }

  private def ifAllowed(what: String)(check: => Unit): Unit =
    try check
    catch {
      case e: ExecutionException
          if e.getCause.isInstanceOf[ClusterAuthorizationException] ||
            e.getCause.isInstanceOf[UnsupportedVersionException] =>
        LOG.info(s"Not checked: $what (${e.getCause.getMessage})")
    }
}
