//! Kafka to Arrow and back.
