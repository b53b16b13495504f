//! Arrow batches to Kafka records, at least once, through librdkafka's idempotent producer.
//!
//! One producer serves all tasks of a process that have the same settings ([`shared`]); each task has a [`Writer`] that
//! knows which records are its own, so a flush waits for these alone and a failure is the failure of the task whose
//! record it was ([`tally`]). Memory is bounded by the producer's queue: a full one makes the writer wait. Records are
//! partitioned as by Java's default: murmur2 of the key, and for records without a key one partition at a time.

mod error;
mod headers;
mod layout;
mod settings;
mod shared;
mod tally;
mod writer;

pub use error::ProduceError;
pub use layout::Layout;
pub use settings::Settings;
pub use shared::check_topic;
pub use writer::{Writer, Written};
