//! The decoder from outside: every rule of `docs/reference/decoding.md`, and properties over arbitrary bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod csv;
mod limits;
mod properties;
mod rules;
mod support;
mod values;
