//! What can go wrong with a cluster, in words for the person who can mend it.

use rdkafka::types::RDKafkaErrorCode;

/// A failure of the Kafka side. Conditions are documented in `docs/reference/errors.md`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KafkaFault {
    /// No broker answered in time.
    #[error(
        "KAFKA_UNREACHABLE: no answer from {servers} within {seconds} s{}. Check kafka.bootstrap.servers, that the \
         brokers run and can be reached from here, and that kafka.security.protocol is theirs",
        because(reason)
    )]
    Unreachable {
        /// The bootstrap servers.
        servers: String,
        /// How long was waited.
        seconds: u64,
        /// What librdkafka said last; may be empty.
        reason: String,
    },
    /// The cluster refused the credentials.
    #[error(
        "KAFKA_AUTHENTICATION: {servers} refused the credentials{}. Check kafka.security.protocol, \
         kafka.sasl.mechanism, and the user and password in kafka.sasl.jaas.config or the kafka.ssl.* options",
        because(reason)
    )]
    Authentication {
        /// The bootstrap servers.
        servers: String,
        /// What librdkafka said.
        reason: String,
    },
    /// The cluster knows us and says no.
    #[error("KAFKA_NOT_AUTHORIZED: {what}: {reason}. Give the user the right to read (DESCRIBE and READ) there")]
    NotAuthorized {
        /// The topic.
        what: String,
        /// Kafka's words.
        reason: String,
    },
    /// A topic that the cluster does not have.
    #[error(
        "UNKNOWN_TOPIC: topic {topic} does not exist on {servers}. Check the option subscribe or assign, or create it"
    )]
    UnknownTopic {
        /// Its name.
        topic: String,
        /// The bootstrap servers.
        servers: String,
    },
    /// A setting that librdkafka does not take.
    #[error("WRONG_OPTION: kafka.{option}: {message}")]
    WrongOption {
        /// The setting.
        option: String,
        /// What is wrong and what to write.
        message: String,
    },
    /// Records that should be there are gone.
    #[error(
        "OFFSETS_LOST: {topic}-{partition}: offset {wanted} was to be read next, but the partition holds {earliest} to \
         {latest} now. The records were deleted (retention), or the topic was made anew. To go on with what is there, \
         set failOnDataLoss to false"
    )]
    OffsetsLost {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset that was to be read.
        wanted: i64,
        /// The first offset there is.
        earliest: i64,
        /// The offset after the last.
        latest: i64,
    },
    /// Records did not come.
    #[error(
        "KAFKA_TIMEOUT: {topic}-{partition}: the record at offset {offset} did not come within {seconds} s{}. The \
         brokers may be down or slow; kafkaConsumer.pollTimeoutMs sets the wait",
        because(reason)
    )]
    Timeout {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset waited for.
        offset: i64,
        /// How long was waited.
        seconds: u64,
        /// What librdkafka said last; may be empty.
        reason: String,
    },
    /// The task was killed.
    #[error("CANCELLED: the task was cancelled while it read from Kafka")]
    Cancelled,
    /// Anything else, in librdkafka's words.
    #[error("KAFKA: {what}: {reason}")]
    Other {
        /// What was being done.
        what: String,
        /// librdkafka's words.
        reason: String,
    },
}

impl KafkaFault {
    /// A failure without a name of its own.
    pub fn other(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Other { what: what.into(), reason: reason.to_string() }
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

/// Whether the cluster refused us for good, so that waiting helps nobody.
pub(crate) fn is_authentication(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Authentication
            | RDKafkaErrorCode::SaslAuthenticationFailed
            | RDKafkaErrorCode::UnsupportedSASLMechanism
            | RDKafkaErrorCode::IllegalSASLState
            | RDKafkaErrorCode::SSL
    )
}

/// Whether a lack of rights is the trouble.
pub(crate) fn is_authorization(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
    )
}
