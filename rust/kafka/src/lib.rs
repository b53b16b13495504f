//! Kafka to Arrow on librdkafka: ranges of partitions in, columns of records out.
//!
//! Two uses. On a driver, a [`Cluster`] answers what topics, partitions and offsets there are. In a task, a
//! [`RangeReader`] reads ranges `[from, until)` of partitions, in order, into Arrow batches; the consumers behind it
//! outlive the task ([`pool`]), so that the next range is being fetched while nobody asks. There is no consumer group
//! and nothing is committed: whoever gives the ranges owns the offsets.
//!
//! It knows neither the JVM nor pipelines. Unsafe code is in [`message`](crate) and [`lane`](crate) alone, where
//! librdkafka's own batches of messages are read without a copy.

mod client;
mod cluster;
mod columns;
mod context;
mod error;
mod lane;
mod message;
mod oauth;
mod pool;
mod reader;
mod settings;

pub use client::{describe_native, Client};
pub use cluster::{Cluster, Offsets, Point};
pub use columns::{Column, schema_of};
pub use error::KafkaFault;
pub use pool::{forget, idle_consumers};
pub use reader::{Range, RangeReader, ReadCounts, ReadRequest, Skipped};
pub use settings::{ClientSettings, OauthSettings, Secret};
