package io.firesteel.spark.kafka.transaction

import io.firesteel.shaded.kafka.common.errors._
import io.firesteel.spark.bridge.FiresteelException

/** The Java client's exceptions in our words: what happened, and what to do. */
private[kafka] object KafkaFailure {

  /** Runs `work`; what Kafka throws comes out as a FiresteelException. `doing` completes "Kafka failed to …". */
  def explained[T](settings: TransactionSettings, doing: => String)(work: => T): T =
    try work
    catch {
      case e: FiresteelException => throw e
      case e: java.util.concurrent.ExecutionException if e.getCause != null => throw of(settings, doing, e.getCause)
      case e: RuntimeException => throw of(settings, doing, e)
    }

  private def of(settings: TransactionSettings, doing: String, failure: Throwable): Throwable = {
    val causes = Iterator.iterate(failure)(_.getCause).takeWhile(_ != null).take(10).toSeq
    def found[E <: Throwable](implicit tag: scala.reflect.ClassTag[E]): Boolean =
      causes.exists(tag.runtimeClass.isInstance)
    // The innermost words; the client puts no setting's value into them.
    val words = causes.last.getMessage
    val message =
      if (found[ProducerFencedException] || found[InvalidProducerEpochException] || found[FencedInstanceIdException])
        s"FENCED: another writer has taken over while this task tried to $doing. Either another attempt of this task " +
          "runs (speculation, an executor that was given up), and this one may fail; or a second query runs on the same " +
          "checkpoint: stop one of them"
      else if (found[AuthenticationException] || found[SaslAuthenticationException])
        s"KAFKA_AUTHENTICATION: the brokers of ${settings.servers} refused the connection: $words. Check the options " +
          "kafka.security.protocol, kafka.sasl.* and kafka.ssl.*"
      else if (found[TransactionalIdAuthorizationException])
        s"KAFKA_AUTHORIZATION: the principal may not use transactional ids that begin with ${settings.prefix}: give it " +
          s"Write and Describe on them, or set transactionalIdPrefix"
      else if (found[AuthorizationException])
        s"KAFKA_AUTHORIZATION: Kafka does not allow to $doing: $words"
      else if (found[InvalidTxnTimeoutException])
        s"TRANSACTION_TIMEOUT: the brokers allow no transaction of ${settings.transactionTimeoutMs} ms. Set " +
          "kafka.transaction.timeout.ms to what a task may take, or raise transaction.max.timeout.ms on the brokers"
      else if (found[UnknownTopicOrPartitionException] || Option(words).exists(_.contains("not present in metadata")))
        s"UNKNOWN_TOPIC: Kafka could not $doing: $words. Create the topic, or correct the option or column topic"
      else if (found[RecordTooLargeException])
        s"DELIVERY_FAILED: Kafka could not $doing: $words. Raise kafka.max.request.size here and max.message.bytes of the topic"
      else if (found[TimeoutException])
        s"KAFKA_UNREACHABLE: the brokers of ${settings.servers} did not answer in time when asked to $doing: $words. Check " +
          "kafka.bootstrap.servers, the network and the brokers"
      else if (found[ConfigException])
        s"KAFKA_SETTING: $words. Correct or remove the option kafka.*"
      else s"DELIVERY_FAILED: Kafka could not $doing: ${causes.last.getClass.getSimpleName}: $words"
    val explained = new FiresteelException(message)
    val _ = explained.initCause(failure)
    explained
  }

  private type ConfigException = io.firesteel.shaded.kafka.common.config.ConfigException
}
