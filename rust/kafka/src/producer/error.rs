//! Everything that writing can fail with, in words for the one who set the options.

use crate::json::NoForm;

/// A failed write. No message holds a record's content or a setting that could be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    /// librdkafka refuses a setting.
    #[error("KAFKA_SETTING: {0}")]
    Setting(String),
    /// No broker answered in time.
    #[error(
        "KAFKA_UNREACHABLE: no broker of {servers} answered within {seconds} s{reason}. Check the option \
         kafka.bootstrap.servers and that this machine can reach the addresses that the brokers advertise"
    )]
    Unreachable {
        /// The setting `bootstrap.servers`.
        servers: String,
        /// How long was waited.
        seconds: u64,
        /// The client's last complaint, with its punctuation, or nothing.
        reason: String,
    },
    /// The brokers refuse who we are.
    #[error(
        "KAFKA_AUTHENTICATION: the brokers of {servers} refused the connection: {reason}. Check the options kafka.security.protocol, kafka.sasl.* and kafka.ssl.*"
    )]
    Authentication {
        /// The setting `bootstrap.servers`.
        servers: String,
        /// The client's words.
        reason: String,
    },
    /// A topic that is not there.
    #[error(
        "UNKNOWN_TOPIC: topic {topic} does not exist on {servers}, or may not be seen. Create it, or correct the option topic"
    )]
    UnknownTopic {
        /// The topic.
        topic: String,
        /// The setting `bootstrap.servers`.
        servers: String,
    },
    /// Records that were not acknowledged.
    #[error("DELIVERY_FAILED: {failed} records were not written, the first to {place}: {reason}. {advice}")]
    Delivery {
        /// How many records of this task failed so far.
        failed: u64,
        /// Topic and partition of the first.
        place: String,
        /// The broker's or the client's words.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// Acknowledgements that did not come, although the client should have given up by itself.
    #[error("DELIVERY_FAILED: {pending} records were neither written nor refused within {seconds} s. {advice}")]
    NoAnswer {
        /// Records without an answer.
        pending: u64,
        /// How long was waited.
        seconds: u64,
        /// What to do.
        advice: &'static str,
    },
    /// A row that says no topic.
    #[error("NULL_TOPIC: a row has no topic: column topic is null there, and the option topic is not set")]
    NullTopic,
    /// The task was killed.
    #[error("CANCELLED: the task was killed while it wrote to Kafka")]
    Cancelled,
    /// A batch that is not what was agreed.
    #[error("INTERNAL: {0}")]
    Internal(String),
    /// A column that can't be written.
    #[error(transparent)]
    NoForm(#[from] NoForm),
}
