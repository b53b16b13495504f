//! Puts the stages in order and keeps the books.
//!
//! A [`Call`] says what is wanted; [`prepare_pipeline`] and [`prepare_predict`] check it on the driver, with places in the
//! user's file; [`Compiled`] is the checked call in a process; its [`Runner`] takes batches, one output row per input
//! row. Start at [`Compiled::new`].

mod arrival;
mod bucket;
mod call;
mod compile;
mod describe;
mod input;
mod ledger;
mod packed;
mod parts;
mod pool;
mod predict;
mod prepare;
mod rejected;
mod runner;
mod shown;
mod stages;
mod stamp;
mod waiting;

pub use arrival::Order;
pub use bucket::{BucketError, BucketRun, BucketRunner};
pub use call::{Argument, Call, InputMode, Prepared, PreparedParts, PreparedWindow};
pub use compile::Compiled;
pub use ledger::{Ledger, Rejection};
pub use packed::Piece;
pub use parts::Part;
pub use pool::RunnerLease;
pub use predict::PredictRunner;
pub use prepare::{prepare_parts, prepare_pipeline, prepare_predict, unreadable_file};
pub use rejected::{REJECTED, rejected_field};
pub use runner::{Runner, StageTimes};
pub use stages::PipelineRunner;
