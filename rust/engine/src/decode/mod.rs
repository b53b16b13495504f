//! Turns the value bytes of a batch of Kafka records into typed columns.
//!
//! In: raw records from a source. Out: the rows that parsed, in input order, and the rows that did not, each with a
//! code and a sentence that never shows the payload. Bytes cannot make it panic, and it never drops a row. Every rule
//! it follows stands in `docs/reference/decoding.md`. It does not know where the bytes came from.
//! Start at [`Decoder::process`].

mod avro;
mod binary;
mod columns;
mod csv;
mod decoder;
mod fault;
mod json;
mod options;
mod paths;
mod protobuf;
pub mod registry;
mod store;
mod swar;
mod text;

pub(crate) use avro::columns as avro_columns;
pub use decoder::Decoder;
pub use options::{
    AvroOptions, CsvOptions, DEFAULT_MAX_DEPTH, DEFAULT_MAX_RECORD_BYTES, DecodeOptions, Format, Framing,
    ProtobufOptions,
};
pub(crate) use protobuf::columns as protobuf_columns;
