//! The stage: a batch of values in, kept and rejected rows out.

use arrow::array::{Array, BinaryArray};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::avro::AvroReader;
use super::columns::Columns;
use super::csv::CsvReader;
use super::fault::{Fault, Parsed};
use super::json::JsonReader;
use super::options::{DecodeOptions, Format};
use super::protobuf::ProtobufReader;
use super::text::type_name;
use crate::error::{SpecError, StageError};
use crate::stage::{RejectCode, RejectedRow, Staged};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Nesting of binary records costs call stack, and a Java thread has 1 MB of it: `max_depth` beyond this counts as this.
const MAX_BINARY_DEPTH: usize = 256;

/// Decodes values into the columns of a schema. Guarantees: 1. input order kept; 2. rows in = rows kept + rows
/// rejected; 3. a row's result depends on its own bytes alone, not on its neighbours or the batch.
#[derive(Debug)]
pub struct Decoder {
    schema: SchemaRef,
    max_record_bytes: usize,
    reader: Reader,
    columns: Columns,
}

#[derive(Debug)]
enum Reader {
    Json(JsonReader),
    Csv(Box<CsvReader>),
    Avro(Box<AvroReader>),
    Protobuf(Box<ProtobufReader>),
}

impl Decoder {
    /// A decoder for the columns of `schema`. Except in CSV, a column is named by the dotted path of keys or fields that
    /// lead to it.
    ///
    /// Fails on options out of range, on a type that records cannot hold, and on names that cannot all be columns.
    pub fn try_new(options: &DecodeOptions, schema: &SchemaRef) -> Result<Self, SpecError> {
        options.check()?;
        let columns = Columns::of(schema.fields()).map_err(|column| {
            let field = schema.field(column);
            let message = format!("column `{}`: records cannot hold the type {}", field.name(), type_name(field.data_type()));
            SpecError::new("UNSUPPORTED_TYPE", "input.schema", message).with_hint(
                "BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, DECIMAL(p,s), STRING, BINARY, DATE, TIMESTAMP, TIMESTAMP_NTZ, or ARRAY of these",
            )
        })?;
        if options.format != Format::Json
            && let Some(field) = schema.fields().iter().find(|field| matches!(field.data_type(), DataType::List(_)))
        {
            let message = format!("column `{}`: arrays are read from JSON only", field.name());
            return Err(SpecError::new("UNSUPPORTED_TYPE", "input.schema", message).with_hint("leave the column out"));
        }
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let reader = match options.format {
            Format::Json => Reader::Json(JsonReader::try_new(&names, options.max_depth)?),
            Format::Csv => Reader::Csv(Box::new(CsvReader::try_new(&names, &options.csv)?)),
            Format::Avro => {
                let depth = options.max_depth.min(MAX_BINARY_DEPTH);
                Reader::Avro(Box::new(AvroReader::try_new(schema, &options.avro, depth)?))
            }
            Format::Protobuf => {
                let depth = options.max_depth.min(MAX_BINARY_DEPTH);
                Reader::Protobuf(Box::new(ProtobufReader::try_new(schema, &options.protobuf, depth)?))
            }
        };
        Ok(Self { schema: schema.clone(), max_record_bytes: options.max_record_bytes, reader, columns })
    }

    /// The schema of the kept rows: the one the decoder was made with.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Decodes one value per row. `Err` means that the batch cannot be processed; bad rows are never an `Err`.
    pub fn process(&mut self, values: &BinaryArray) -> Result<Staged, StageError> {
        // Nothing may be left of a batch that failed half-way.
        self.columns.clear();
        self.columns.reserve(values.len());
        let is_ascii = matches!(self.reader, Reader::Json(_) | Reader::Csv(_)) && is_ascii(values);
        let mut rejected = Vec::new();
        for (row, value) in values.iter().enumerate() {
            self.columns.begin_row();
            if let Err(fault) = self.read(value, is_ascii) {
                self.columns.roll_back();
                if let Reader::Avro(reader) = &mut self.reader
                    && let Some(failure) = reader.take_failure()
                {
                    return Err(failure);
                }
                rejected.push(self.rejected(row, &fault)?);
            }
        }
        let rows = self.columns.rows();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let kept = RecordBatch::try_new_with_options(self.schema.clone(), self.columns.take()?, &options)?;
        if rows + rejected.len() != values.len() {
            return Err(StageError::internal(
                "decode",
                format!("{} values gave {rows} rows and {} rejected", values.len(), rejected.len()),
            ));
        }
        Ok(Staged { kept, rejected })
    }

    #[inline]
    fn read(&mut self, value: Option<&[u8]>, is_ascii: bool) -> Parsed<()> {
        let Some(bytes) = value else {
            return Err(Fault::whole(RejectCode::Tombstone, "the record has no value"));
        };
        if bytes.len() > self.max_record_bytes {
            return Err(too_large(bytes.len(), self.max_record_bytes));
        }
        match &mut self.reader {
            Reader::Json(reader) => reader.read(bytes, text_start(bytes, is_ascii)?, &mut self.columns),
            Reader::Csv(reader) => reader.read(bytes, text_start(bytes, is_ascii)?, &mut self.columns),
            Reader::Avro(reader) => reader.read(bytes, &mut self.columns),
            Reader::Protobuf(reader) => reader.read(bytes, &mut self.columns),
        }
    }

    #[cold]
    fn rejected(&self, row: usize, fault: &Fault) -> Result<RejectedRow, StageError> {
        let name = |subject: usize| match (self.schema.fields().get(subject), &self.reader) {
            (Some(field), _) => (field.name().as_str(), self.columns.type_name(subject)),
            (None, Reader::Json(reader)) => (reader.path(subject - self.schema.fields().len()), "an object"),
            (None, Reader::Csv(_)) => ("", ""),
            (None, Reader::Avro(reader)) => (reader.path(subject - self.schema.fields().len()), "a record"),
            (None, Reader::Protobuf(reader)) => (reader.path(subject - self.schema.fields().len()), "a message"),
        };
        let row = u32::try_from(row).map_err(|_| StageError::internal("decode", "more than 2^32 rows in a batch"))?;
        Ok(RejectedRow { row, code: fault.code(), message: fault.message(name) })
    }
}

/// Where a text record starts, behind a byte order mark.
#[inline(always)]
fn text_start(bytes: &[u8], is_ascii: bool) -> Parsed<usize> {
    let mut start = 0;
    if !is_ascii {
        check_utf8(bytes)?;
        if bytes.starts_with(BYTE_ORDER_MARK) {
            start = BYTE_ORDER_MARK.len();
        }
    }
    if bytes.get(start).is_none_or(|&byte| byte <= b' ') && is_blank(bytes, start) {
        return Err(Fault::whole(RejectCode::EmptyValue, "the value is empty or only white space"));
    }
    Ok(start)
}

/// Whether all values of the batch are ASCII, and so UTF-8 without a byte order mark: one pass over one buffer
/// instead of one check per row. Bytes under nulls count too; at worst the rows are then checked one by one.
fn is_ascii(values: &BinaryArray) -> bool {
    let offsets = values.value_offsets();
    let (first, last) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
    values.value_data().get(first as usize..last as usize).is_some_and(<[u8]>::is_ascii)
}

#[inline(never)]
fn check_utf8(bytes: &[u8]) -> Parsed<()> {
    match simdutf8::compat::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(Fault::new(RejectCode::InvalidUtf8, error.valid_up_to(), "bytes that are not UTF-8")),
    }
}

#[cold]
fn is_blank(bytes: &[u8], start: usize) -> bool {
    bytes.iter().skip(start).all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

#[cold]
fn too_large(found: usize, limit: usize) -> Fault {
    Fault::counted(RejectCode::TooLarge, format!("the value has {found} bytes, max_record_bytes is {limit}"))
}
