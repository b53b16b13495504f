//! How the bytes are to be read: format, limits and the punctuation of CSV.

use super::registry::RegistryOptions;
use crate::error::SpecError;

/// Largest record taken unless the author says otherwise, in bytes (16 MiB).
pub const DEFAULT_MAX_RECORD_BYTES: usize = 16 * 1024 * 1024;

/// Deepest nesting taken unless the author says otherwise; the record's own object is level 1.
pub const DEFAULT_MAX_DEPTH: usize = 128;

/// The format of a record's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// One JSON object per record.
    #[default]
    Json,
    /// One CSV record per record, fields in the schema's order.
    Csv,
    /// One Avro datum per record, perhaps with the id of its schema in front.
    Avro,
    /// One Protobuf message per record.
    Protobuf,
}

/// What stands in front of a binary record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// Nothing.
    #[default]
    Bare,
    /// Confluent's header: a zero byte, a schema id, and for Protobuf which message of the schema it is.
    Confluent,
}

/// Which schemas Avro records are written by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AvroOptions {
    /// JSON text of a schema: without a registry the one that all records are written by, else the reader's own.
    pub schema: Option<String>,
    /// Records are in Confluent's wire format, and their schemas are asked for here.
    pub registry: Option<RegistryOptions>,
}

/// Which message Protobuf records hold.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ProtobufOptions {
    /// A `FileDescriptorSet` with all imports.
    pub descriptor: Vec<u8>,
    /// Full name of the message.
    pub message: String,
    /// What stands in front of the message.
    pub framing: Framing,
}

impl std::fmt::Debug for ProtobufOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProtobufOptions")
            .field("descriptor", &format_args!("{} bytes", self.descriptor.len()))
            .field("message", &self.message)
            .field("framing", &self.framing)
            .finish()
    }
}

/// What a [`Decoder`](super::Decoder) is built from, besides the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Format of the value bytes.
    pub format: Format,
    /// Punctuation of CSV; unused for other formats.
    pub csv: CsvOptions,
    /// Schemas of Avro; unused for other formats.
    pub avro: AvroOptions,
    /// Message of Protobuf; unused for other formats.
    pub protobuf: ProtobufOptions,
    /// Deepest nesting of objects and arrays that is taken, at least 1. Deeper records are rejected as `TOO_DEEP`.
    pub max_depth: usize,
    /// Longest record that is taken, in bytes, at least 1. Longer ones are rejected as `TOO_LARGE`, unread.
    pub max_record_bytes: usize,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            format: Format::Json,
            csv: CsvOptions::default(),
            avro: AvroOptions::default(),
            protobuf: ProtobufOptions::default(),
            max_depth: DEFAULT_MAX_DEPTH,
            max_record_bytes: DEFAULT_MAX_RECORD_BYTES,
        }
    }
}

/// Punctuation of CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvOptions {
    /// Between two fields.
    pub delimiter: u8,
    /// Around a field that holds delimiters, quotes or line ends.
    pub quote: u8,
    /// Before a quote inside a quoted field; `None`: a quote is doubled instead.
    pub escape: Option<u8>,
    /// The value holds two lines: names of the fields, which are passed over, and then the record.
    pub header: bool,
    /// A field of exactly this text, not in quotes, is null, in every column.
    pub null_text: String,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: b',', quote: b'"', escape: None, header: false, null_text: String::new() }
    }
}

impl DecodeOptions {
    /// Fails on values that could never work.
    pub(super) fn check(&self) -> Result<(), SpecError> {
        let bad = |path: &str, message: &str| Err(SpecError::new("BAD_OPTION", path, message));
        if self.max_depth == 0 {
            return bad("input.max_depth", "the depth must be at least 1");
        }
        if self.max_record_bytes == 0 {
            return bad("input.max_record_bytes", "the size must be at least 1 byte");
        }
        if self.format == Format::Csv {
            let CsvOptions { delimiter, quote, escape, .. } = self.csv;
            if [Some(delimiter), Some(quote), escape].into_iter().flatten().any(|b| matches!(b, b'\r' | b'\n')) {
                return bad("input.csv", "a line end cannot be delimiter, quote or escape");
            }
            if [Some(delimiter), Some(quote), escape].into_iter().flatten().any(|b| !b.is_ascii()) {
                return bad("input.csv", "delimiter, quote and escape must each be one ASCII character");
            }
            if delimiter == quote || Some(delimiter) == escape {
                return bad("input.csv.delimiter", "the delimiter must differ from quote and escape");
            }
        }
        Ok(())
    }
}
