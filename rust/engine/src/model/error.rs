//! Why a model was refused when it was loaded.

/// A model that can't be used. The message names the place inside the model and says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{condition}: {message}")]
pub struct ModelError {
    /// Stable name, such as `MODEL_EXTERNAL_DATA`; documented in `docs/reference/models.md`.
    pub condition: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl ModelError {
    /// A refusal.
    pub fn new(condition: &'static str, message: impl Into<String>) -> Self {
        Self { condition, message: message.into() }
    }

    /// Bytes that are no well-formed ONNX file.
    pub(super) fn malformed(message: impl Into<String>) -> Self {
        Self::new("MODEL_MALFORMED", message)
    }
}
