//! Scores rows with ONNX models.
//!
//! In: a batch with typed columns. Out: the same rows with the model's outputs as further columns, in input order,
//! and the rows that could not be scored, each with a code. The same rows give the same bits whatever the batch they
//! come in, and the bits are those of Python's onnxruntime of the same version (one thread, a lone row padded to two).
//! A model's bytes are read by our own parser ([`onnx_proto`]) before ONNX Runtime sees them. A process loads one
//! content once ([`registry`]) and keeps it for life. Start at [`Scorer::process`]; `docs/reference/models.md` is the
//! user's page.

mod arrays;
mod bind;
mod call;
mod calls;
mod cast;
mod collect;
mod convert;
mod error;
mod intake;
mod kernel;
mod logging;
mod mapping;
mod number;
pub mod onnx_model;
pub mod onnx_proto;
mod output;
mod placement;
pub mod registry;
pub mod report;
pub mod runtime;
mod scorer;
mod session;
mod shelf;
mod shown;
mod tensor;
mod trees;
mod trial;
mod tuning;
mod wire;
mod zipmap;

pub use error::ModelError;
pub use onnx_model::{ElementType, OnnxModel, TensorDescription};
pub use output::all_outputs;
pub use placement::{Device, Placement};
pub use scorer::{NanPolicy, NullPolicy, Nulls, Outputs, Scorer, ScorerOptions};
pub use session::Memory;
pub use tuning::{RowsPerCall, Tried};
