//! The decoder from outside: every rule of `docs/reference/decoding.md`, and properties over arbitrary bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod avro;
mod binary_properties;
mod csv;
mod limits;
mod properties;
mod protobuf;
mod registry;
mod rules;
mod support;
mod values;
