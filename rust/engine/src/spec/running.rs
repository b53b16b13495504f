//! Where and how a model runs, as the author asks for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most threads of one model: more than any machine's cores is a mistake.
pub(super) const MAX_THREADS: i64 = 256;
/// Most rows of a call of ONNX Runtime.
pub(super) const MAX_ROWS: i64 = 1 << 20;

/// What a model runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// The processor. The only one with the promise of equal bits.
    #[default]
    Cpu,
    /// An NVIDIA GPU; an error that says what is missing where there is none.
    Cuda,
    /// An NVIDIA GPU where there is one, else the processor.
    Auto,
}

impl DeviceChoice {
    pub(super) fn is_cpu(&self) -> bool {
        *self == Self::Cpu
    }
}

/// Fewest and most rows of a call of ONNX Runtime; the number between them is measured. Equal bounds leave no choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BatchSize", into = "BatchSize")]
pub struct BatchBounds {
    /// At least 1.
    pub min: usize,
    /// At least [`BatchBounds::min`].
    pub max: usize,
}

impl Default for BatchBounds {
    fn default() -> Self {
        Self { min: 64, max: 4096 }
    }
}

impl BatchBounds {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// [`BatchBounds`] as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum BatchSize {
    /// `auto`: the default bounds.
    Auto(Auto),
    /// This many.
    Rows(usize),
    /// Bounds of one's own.
    Within(Within),
}

/// Fewest and most rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Within {
    /// Fewest rows.
    min: usize,
    /// Most rows.
    max: usize,
}

/// The one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Auto {
    /// Of its own accord.
    Auto,
}

impl From<BatchSize> for BatchBounds {
    fn from(size: BatchSize) -> Self {
        match size {
            BatchSize::Auto(Auto::Auto) => Self::default(),
            BatchSize::Rows(rows) => Self { min: rows, max: rows },
            BatchSize::Within(Within { min, max }) => Self { min, max },
        }
    }
}

impl From<BatchBounds> for BatchSize {
    fn from(bounds: BatchBounds) -> Self {
        match bounds {
            BatchBounds { min, max } if min == max => Self::Rows(max),
            BatchBounds { min, max } => Self::Within(Within { min, max }),
        }
    }
}
