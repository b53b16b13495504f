//! Kafka at the border: a driver's questions as JSON, a task's batches as Arrow.

mod cluster;
pub(crate) mod entries;
mod homes;
mod reader;
mod snapshots;
mod stateful;
