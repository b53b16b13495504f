//! Kafka to Arrow and back.

pub mod json;
pub mod producer;
