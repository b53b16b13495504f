//! The three kinds of failure, kept apart on purpose.
//!
//! * [`SpecError`]: the pipeline file can never work; found before a job starts, with the place in the file.
//! * a rejected row ([`crate::stage::RejectedRow`]): the data of one row is at fault; never an `Err`.
//! * [`StageError`]: a batch could not be processed at all (a bug, memory, cancellation); fails the task.

use std::fmt;

/// A place in a pipeline file. Lines and columns count from 1; 0 means unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One fault in a pipeline file: what is wrong, where, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError {
    /// Stable name, such as `UNKNOWN_KEY`; documented in `docs/reference/errors.md`.
    pub condition: &'static str,
    /// The file as the user named it; empty for a spec that did not come from a file.
    pub file: String,
    /// Where in the file.
    pub place: Place,
    /// Path of keys inside the file, such as `models[0].outputs.score`.
    pub path: String,
    /// What is wrong, in the user's own words and values.
    pub message: String,
    /// What to do: the nearest valid name, the allowed range.
    pub hint: Option<String>,
}

impl SpecError {
    /// A fault without a place; the loader adds file and place from `path`.
    pub fn new(condition: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            condition,
            file: String::new(),
            place: Place::default(),
            path: path.into(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same fault with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same fault at a place of a file.
    #[must_use]
    pub fn at(mut self, file: &str, place: Place) -> Self {
        self.file = file.to_owned();
        self.place = place;
        self
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}", self.file)?;
            if self.place.line > 0 {
                write!(f, ":{}:{}", self.place.line, self.place.column)?;
            }
            write!(f, ": ")?;
        }
        write!(f, "{}: ", self.condition)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

/// All faults found in one pipeline file, in file order. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecErrors(pub Vec<SpecError>);

impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SpecErrors {}

impl From<SpecError> for SpecErrors {
    fn from(error: SpecError) -> Self {
        Self(vec![error])
    }
}

/// Why a whole batch could not be processed. Bad rows are never a `StageError`.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The task was killed or interrupted; not a fault.
    #[error("CANCELLED: the task was cancelled while {stage} ran")]
    Cancelled {
        /// The stage that noticed.
        stage: &'static str,
    },
    /// A broken promise inside Firesteel.
    #[error("INTERNAL: {stage}: {message}. This is a fault in Firesteel: please report it with the pipeline file")]
    Internal {
        /// The stage that noticed.
        stage: &'static str,
        /// What was found.
        message: String,
    },
    /// The batch handed in does not have the agreed columns.
    #[error("WRONG_INPUT: {message}")]
    WrongInput {
        /// What was expected and what came.
        message: String,
    },
    /// A model that is not loaded in this process.
    #[error("MODEL_MISSING: model {name} (sha256 {sha256}) is not loaded in this process")]
    ModelMissing {
        /// Name in the pipeline.
        name: String,
        /// Content hash.
        sha256: String,
    },
    /// ONNX Runtime refused or failed in a way that no single row explains.
    #[error("INFERENCE_FAILED: model {name}: {message}")]
    Inference {
        /// Name in the pipeline.
        name: String,
        /// ONNX Runtime's own words.
        message: String,
    },
    /// ONNX Runtime's library could not be loaded.
    #[error("ONNX_RUNTIME: {0}")]
    Runtime(String),
    /// The schema registry gave no answer in time.
    #[error("REGISTRY_UNREACHABLE: {0}")]
    RegistryUnreachable(String),
    /// The schema registry refused us.
    #[error("REGISTRY_REFUSED: {0}")]
    RegistryRefused(String),
    /// The schema registry's answer makes no sense.
    #[error("REGISTRY_ANSWER: {0}")]
    RegistryAnswer(String),
    /// An Arrow kernel failed.
    #[error("ARROW: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl StageError {
    /// An internal fault.
    pub fn internal(stage: &'static str, message: impl Into<String>) -> Self {
        Self::Internal { stage, message: message.into() }
    }
}
