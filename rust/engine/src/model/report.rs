//! What the models of this process take and how they run, for people who watch it.

use serde::Serialize;

use super::placement::Placement;
use super::registry;
use super::session::Memory;
use super::tuning::RowsPerCall;

/// One loaded model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadedModel {
    /// Its content.
    pub sha256: String,
    /// Whether Firesteel's tree kernel scores it, where that is allowed.
    pub kernel: bool,
    /// Its sessions in ONNX Runtime; one, unless it is used in several places.
    pub sessions: Vec<OpenSession>,
    /// Rows of a call, for each use that was measured.
    pub batches: Vec<Batches>,
}

/// One session in ONNX Runtime.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenSession {
    /// Where it computes, with how many threads.
    #[serde(flatten)]
    pub placement: Placement,
    /// What it takes.
    #[serde(flatten)]
    pub memory: Memory,
}

/// How one use of a model calls ONNX Runtime.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Batches {
    /// The place, the bounds and the columns.
    pub of: String,
    /// What was found.
    #[serde(flatten)]
    pub rows: RowsPerCall,
}

/// What all sessions together take, in bytes.
pub fn bytes() -> u64 {
    registry::all().iter().flat_map(|model| model.open().clone()).map(|session| session.memory().total()).sum()
}

/// All loaded models, by their hashes.
pub fn loaded() -> Vec<LoadedModel> {
    let mut all: Vec<LoadedModel> = registry::all()
        .iter()
        .map(|model| LoadedModel {
            sha256: model.sha256().to_owned(),
            kernel: model.trees().is_some(),
            sessions: model
                .open()
                .iter()
                .map(|session| OpenSession { placement: session.placement(), memory: session.memory() })
                .collect(),
            batches: model.tuned().iter().map(|(of, rows)| Batches { of: of.clone(), rows: rows.clone() }).collect(),
        })
        .collect();
    all.sort_by(|a, b| a.sha256.cmp(&b.sha256));
    all
}
