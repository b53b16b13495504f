//! What can go wrong in a command, as one line a user can act on.

use std::path::PathBuf;

use firesteel_engine::error::{SpecErrors, StageError};

/// Failure of a command. The text is the whole message; [`crate::main`] prints it after `error: `.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(String),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file as the user named it.
        path: PathBuf,
        /// The system's own words.
        source: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error("{}: {message}", path.display())]
    Content {
        /// The file as the user named it.
        path: PathBuf,
        /// What is wrong, where, and what to do.
        message: String,
    },
    /// What should be the same is not.
    #[error("{0}")]
    Different(String),
    /// This machine can't run Firesteel.
    #[error("{0} of the findings above must be mended before Firesteel works here")]
    Unfit(usize),
    /// A model store, a version or an alias is not as asked for; the message says its condition.
    #[error("{0}")]
    Store(String),
    /// The broker refused something or could not be reached.
    #[error("Kafka: {0}")]
    Kafka(String),
    /// The pipeline file can never work; one fault per line.
    #[error("the pipeline file is refused:\n{0}")]
    Pipeline(#[from] SpecErrors),
    /// A batch could not be processed.
    #[error("{0}")]
    Engine(#[from] StageError),
}

impl CliError {
    /// For `map_err` on a file's operation.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// Exit status of the process: 2 for what the user typed or wrote, 1 for what happened to a run.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Pipeline(_) | Self::Store(_) => 2,
            Self::File { .. }
            | Self::Content { .. }
            | Self::Different(_)
            | Self::Unfit(_)
            | Self::Kafka(_)
            | Self::Engine(_) => 1,
        }
    }
}
