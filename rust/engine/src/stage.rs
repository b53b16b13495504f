//! What a stage takes and gives: a batch in, the kept rows and the rejected rows out.
//!
//! A stage never drops a row: rows in = rows kept + rows rejected, in input order. [`crate::pipeline`] checks
//! this around every stage, in release builds too.

use arrow::record_batch::RecordBatch;

/// Why a row was rejected. Stable names; documented in `docs/reference/rejected-rows.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RejectCode {
    /// The record has no value (a Kafka tombstone).
    Tombstone,
    /// The value is empty or holds white space only.
    EmptyValue,
    /// The bytes are not well-formed in the input format.
    Malformed,
    /// The bytes are not valid UTF-8 where text is wanted.
    InvalidUtf8,
    /// Nested deeper than the decoder allows.
    TooDeep,
    /// The record is longer than the decoder allows.
    TooLarge,
    /// A value of another type than the schema says.
    WrongType,
    /// A number outside the range of its column's type.
    OutOfRange,
    /// A text that is no timestamp or date in any accepted form.
    BadTimestamp,
    /// The same key twice in one object.
    DuplicateKey,
    /// A CSV record with another number of fields than the schema.
    WrongFieldCount,
    /// A record of a schema that the schema registry does not know, or that cannot be read.
    UnknownSchema,
    /// A required column is null or missing.
    RequiredMissing,
    /// A `check` rule was false or null.
    CheckFailed,
    /// An expression failed on this row (division by zero, overflow, bad cast).
    ExpressionFailed,
    /// A column of a window's key is null.
    NullKey,
    /// The time of an event is null or outside the years 1 to 9999.
    BadEventTime,
    /// An event came later than its window block allows.
    LateEvent,
    /// A model input is null.
    NullFeature,
    /// A whole number that a model input can't hold.
    InputValue,
    /// An array of another shape than the model input takes.
    InputShape,
    /// The model failed on this row.
    InferenceFailed,
    /// A result is NaN, and the author wants such rows rejected.
    NanResult,
}

impl RejectCode {
    /// Every code, for docs and for counters indexed by [`RejectCode::index`].
    pub const ALL: [RejectCode; 23] = [
        Self::Tombstone,
        Self::EmptyValue,
        Self::Malformed,
        Self::InvalidUtf8,
        Self::TooDeep,
        Self::TooLarge,
        Self::WrongType,
        Self::OutOfRange,
        Self::BadTimestamp,
        Self::DuplicateKey,
        Self::WrongFieldCount,
        Self::UnknownSchema,
        Self::RequiredMissing,
        Self::CheckFailed,
        Self::ExpressionFailed,
        Self::NullKey,
        Self::BadEventTime,
        Self::LateEvent,
        Self::NullFeature,
        Self::InputValue,
        Self::InputShape,
        Self::InferenceFailed,
        Self::NanResult,
    ];

    /// The name that users see in `_rejected.code`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tombstone => "TOMBSTONE",
            Self::EmptyValue => "EMPTY_VALUE",
            Self::Malformed => "MALFORMED",
            Self::InvalidUtf8 => "INVALID_UTF8",
            Self::TooDeep => "TOO_DEEP",
            Self::TooLarge => "TOO_LARGE",
            Self::WrongType => "WRONG_TYPE",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::BadTimestamp => "BAD_TIMESTAMP",
            Self::DuplicateKey => "DUPLICATE_KEY",
            Self::WrongFieldCount => "WRONG_FIELD_COUNT",
            Self::UnknownSchema => "UNKNOWN_SCHEMA",
            Self::RequiredMissing => "REQUIRED_MISSING",
            Self::CheckFailed => "CHECK_FAILED",
            Self::ExpressionFailed => "EXPRESSION_FAILED",
            Self::NullKey => "NULL_KEY",
            Self::BadEventTime => "BAD_EVENT_TIME",
            Self::LateEvent => "LATE_EVENT",
            Self::NullFeature => "NULL_FEATURE",
            Self::InputValue => "INPUT_VALUE",
            Self::InputShape => "INPUT_SHAPE",
            Self::InferenceFailed => "INFERENCE_FAILED",
            Self::NanResult => "NAN_RESULT",
        }
    }

    /// Position in [`RejectCode::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// One row that a stage did not take. The message never holds payload text (type, length and column are
/// enough), but that of the model stage does: it has the values of the model's inputs, without which a failure can't be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// Row number inside the batch that the stage was given, from 0.
    pub row: u32,
    /// Why.
    pub code: RejectCode,
    /// What exactly, for a person.
    pub message: String,
}

/// Result of one stage on one batch.
#[derive(Debug, Clone)]
pub struct Staged {
    /// The rows that go on, in input order.
    pub kept: RecordBatch,
    /// The rows that do not, by ascending row number, each once.
    pub rejected: Vec<RejectedRow>,
}

impl Staged {
    /// All rows kept.
    pub fn all(kept: RecordBatch) -> Self {
        Self { kept, rejected: Vec::new() }
    }
}
