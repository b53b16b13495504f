//! Everything that an entry can fail with.

use firesteel_engine::error::{SpecError, SpecErrors, StageError};
use firesteel_engine::model::ModelError;
use firesteel_engine::state::RestoreError;
use firesteel_kafka::KafkaFault;
use firesteel_kafka::producer::ProduceError;

/// The one error type of this crate; [`crate::policy`] decides which Java exception each becomes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BridgeError {
    /// A pipeline file or a call that can never work.
    #[error("{0}")]
    Spec(SpecErrors),
    /// A batch that could not be processed.
    #[error("{0}")]
    Stage(#[from] StageError),
    /// A model that could not be loaded.
    #[error("{0}")]
    Model(ModelError),
    /// Kafka, or what stands between us and it.
    #[error("{0}")]
    Kafka(#[from] KafkaFault),
    /// Records that could not be written to Kafka.
    #[error("{0}")]
    Produce(#[from] ProduceError),
    /// A record whose key is not where state beside its partition needs it.
    #[error(
        "MISPLACED_KEY: {topic}-{partition} at offset {offset}: {}. Windows beside the partitions see all events of a key \
         only if all are in one partition. Write the topic with the windows' key as the record's key and Java's default \
         partitioner (murmur2), and do not add partitions; or set stateKeys=trust if another partitioner keeps keys \
         together; or put Pipeline.transform behind the records instead of the option pipeline",
        .belongs.map_or("the record has no key".to_owned(), |at| format!("its key belongs to partition {at} of {partitions}"))
    )]
    Misplaced {
        /// The record's place.
        topic: String,
        partition: i32,
        offset: i64,
        /// Where Java's default partitioner puts its key, if it has one.
        belongs: Option<i32>,
        /// Partitions of the topic.
        partitions: i32,
    },
    /// Saved state that can't be taken up.
    #[error("{0}")]
    Restore(#[from] RestoreError),
    /// More bytes for one bucket of keys than cross at once.
    #[error(
        "BUCKET_TOO_LARGE: a bucket of keys has {0} bytes in one micro-batch. Read fewer records per micro-batch \
         (maxOffsetsPerTrigger), or set spark.firesteel.windows.buckets higher for a new checkpoint"
    )]
    BucketTooLarge(usize),
    /// A call with a handle that is not open.
    #[error("STALE_HANDLE: there is no open runner {0}; it was closed or never opened")]
    StaleHandle(i64),
    /// Two threads in one runner.
    #[error("INTERNAL: a runner was used by two threads at once")]
    Busy,
    /// JNI itself failed, or a Java exception is pending.
    #[error("JNI: {0}")]
    Jni(#[from] jni::errors::Error),
}

impl From<SpecErrors> for BridgeError {
    fn from(errors: SpecErrors) -> Self {
        Self::Spec(errors)
    }
}

impl From<SpecError> for BridgeError {
    fn from(error: SpecError) -> Self {
        Self::Spec(error.into())
    }
}

impl From<ModelError> for BridgeError {
    fn from(error: ModelError) -> Self {
        Self::Model(error)
    }
}

impl From<arrow::error::ArrowError> for BridgeError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Stage(error.into())
    }
}

/// A broken promise at the border.
pub(crate) fn internal(message: impl Into<String>) -> BridgeError {
    BridgeError::Stage(StageError::internal("bridge", message))
}
