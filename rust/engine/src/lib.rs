//! Firesteel's engine: Arrow batches in, Arrow batches out.
//!
//! A record's way is the order of the modules: [`decode`] turns bytes into typed columns, [`clean`] applies the
//! author's rules, [`features`] evaluates SQL expressions, [`state`] computes features with memory, [`model`] scores ONNX models,
//! and [`pipeline`] puts them in order and keeps the books (rows in = rows out + rows rejected). [`spec`] is the pipeline file.
//! [`machine`] looks at where all this runs.
//! The engine knows neither the JVM nor Kafka. Start at [`pipeline::Pipeline`].

pub mod clean;
pub mod decode;
pub mod error;
pub mod features;
pub mod machine;
pub mod model;
pub mod pipeline;
pub mod spec;
pub mod stage;
pub mod state;
