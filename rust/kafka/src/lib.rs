//! Kafka to Arrow and back.
//!
//! Reading has two sides. On a driver, a [`Cluster`] answers what topics, partitions and offsets there are. In a task, a
//! [`RangeReader`] reads ranges `[from, until)` of partitions, in order, into Arrow batches; the consumers behind it
//! outlive the task ([`pool`]), so that the next range is being fetched while nobody asks. There is no consumer group
//! and nothing is committed: whoever gives the ranges owns the offsets.
//!
//! Writing: a [`producer::Writer`] sends the rows of Arrow batches, whose values [`json`] may have made.
//!
//! Records are read by a client of our own ([`wire`]); librdkafka answers questions about the cluster and writes. It
//! knows neither the JVM nor pipelines. Unsafe code stands where librdkafka's own structs are read or called: names of
//! settings (`client`) and the producer's rows.

mod client;
mod cluster;
mod columns;
mod context;
mod error;
pub mod json;
mod murmur2;
mod oauth;
mod pool;
pub mod producer;
mod reader;
mod settings;
mod wire;

pub use client::Client;
pub use cluster::{Cluster, Offsets, Point};
pub use columns::{Column, schema_of};
pub use error::KafkaFault;
pub use murmur2::java_partition;
pub use pool::{forget, idle_consumers};
pub use reader::{Range, RangeReader, ReadCounts, ReadRequest};
pub use settings::{ClientSettings, OauthSettings, Secret};
