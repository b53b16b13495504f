//! CSV: one record per value, fields in the schema's order, read by the `csv-core` state machine.
//!
//! The same parsers give the typed values as for JSON. `csv-core` never fails; two things it would let pass are
//! refused here: a quoted field that does not end, and a second record in one value.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::columns::{Columns, Store};
use super::fault::{Fault, Parsed};
use super::options::CsvOptions;
use super::text::{base64, decimal, number, timestamp};
use crate::error::SpecError;
use crate::stage::RejectCode;

/// Reads CSV records.
#[derive(Debug)]
pub(super) struct CsvReader {
    machine: Reader,
    null_text: Vec<u8>,
    /// Fields of the record at hand, unquoted, end to end.
    text: Vec<u8>,
    /// Where each field ends in `text`; one place more than there are columns, to notice one field too many.
    ends: Vec<usize>,
}

impl CsvReader {
    /// Fails on two columns of one name.
    pub(super) fn try_new(names: &[&str], options: &CsvOptions) -> Result<Self, SpecError> {
        for (column, name) in names.iter().enumerate() {
            if names[..column].contains(name) {
                let message = format!("column `{name}` stands twice");
                return Err(SpecError::new("BAD_COLUMN_NAME", "input.schema", message));
            }
        }
        let machine = ReaderBuilder::new()
            .delimiter(options.delimiter)
            .quote(options.quote)
            .escape(options.escape)
            .double_quote(options.escape.is_none())
            .build();
        let null_text = options.null_text.clone().into_bytes();
        Ok(Self { machine, null_text, text: Vec::new(), ends: vec![0; names.len() + 1] })
    }

    /// Reads one record from byte `start` on into one row. After a fault the columns must be rolled back.
    pub(super) fn read(&mut self, bytes: &[u8], start: usize, columns: &mut Columns) -> Parsed<()> {
        let wanted = columns.len();
        let found = self.split(bytes.get(start..).unwrap_or_default())?;
        if found != wanted {
            let count = if found > wanted { format!("more than {wanted}") } else { found.to_string() };
            let message = format!("the record has {count} fields, the schema has {wanted} columns");
            return Err(Fault::counted(RejectCode::WrongFieldCount, message));
        }
        let mut from = 0;
        for column in 0..wanted {
            let until = self.ends[column];
            let field = self.text.get(from..until).unwrap_or_default();
            from = until;
            let Some(store) = columns.name(column) else { continue };
            let is_null = field == self.null_text || field.is_empty() && !matches!(store, Store::Text(_));
            if is_null {
                columns.push_null(column, 0).map_err(Fault::unplaced)?;
            } else {
                push(store, field).map_err(|fault| fault.in_column(column).unplaced())?;
            }
        }
        columns.end_row()
    }

    /// Splits the record into `text` and `ends` and counts its fields, one too many at most.
    fn split(&mut self, mut input: &[u8]) -> Parsed<usize> {
        self.machine.reset();
        // Unquoted text is never longer than the record.
        if self.text.len() < input.len() {
            self.text.resize(input.len(), 0);
        }
        let (mut written, mut ended) = (0, 0);
        let mut is_closed = false;
        loop {
            let (result, read, wrote, ends) =
                self.machine.read_record(input, &mut self.text[written..], &mut self.ends[ended..]);
            input = &input[read..];
            written += wrote;
            ended += ends;
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::OutputEndsFull => return Ok(ended + 1),
                // A line end closes a record unless a quoted field is still open, which takes it as its text.
                ReadRecordResult::InputEmpty if !is_closed => {
                    is_closed = true;
                    input = b"\n";
                    if self.text.len() == written {
                        self.text.push(0);
                    }
                }
                ReadRecordResult::InputEmpty | ReadRecordResult::OutputFull | ReadRecordResult::End => {
                    return Err(Fault::whole(RejectCode::Malformed, "the record ends inside a quoted field"));
                }
            }
        }
        if input.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
            return Err(Fault::whole(RejectCode::Malformed, "more than one CSV record in one value"));
        }
        Ok(ended)
    }
}

/// Pushes a field that is not null.
fn push(store: &mut Store, field: &[u8]) -> Parsed<()> {
    match store {
        Store::Boolean(column) if field.eq_ignore_ascii_case(b"true") => column.push(true),
        Store::Boolean(column) if field.eq_ignore_ascii_case(b"false") => column.push(false),
        Store::Boolean(_) => return Err(not_a_value()),
        Store::Int8(column) => column.push(number(field)?.to_integer()?),
        Store::Int16(column) => column.push(number(field)?.to_integer()?),
        Store::Int32(column) => column.push(number(field)?.to_integer()?),
        Store::Int64(column) => column.push(number(field)?.to_integer()?),
        Store::Float32(column) => column.push(match non_finite(field) {
            Some(value) => value as f32,
            None => number(field)?.to_f32(field)?,
        }),
        Store::Float64(column) => column.push(match non_finite(field) {
            Some(value) => value,
            None => number(field)?.to_f64(field)?,
        }),
        Store::Decimal(column, precision, scale) => {
            column.push(decimal::scaled(number(field)?, field, *precision, *scale)?);
        }
        Store::Text(column) => column.push(field),
        Store::Binary(column) => column.push_with(|bytes| base64::decode_into(field, bytes))?,
        Store::Date(column) => column.push(timestamp::date(field)?),
        Store::Wall(column) => column.push(timestamp::wall(field)?),
        Store::Instant(column) => column.push(match number(field) {
            Ok(millis) => timestamp::from_epoch_millis(millis.to_integer()?)?,
            Err(_) => timestamp::instant(field)?,
        }),
    }
    Ok(())
}

/// A field that is a number from end to end.
fn number(field: &[u8]) -> Parsed<number::Number> {
    number::scan(field, 0).ok().filter(|number| number.end == field.len()).ok_or_else(not_a_value)
}

fn non_finite(field: &[u8]) -> Option<f64> {
    match field {
        b"NaN" => Some(f64::NAN),
        b"Infinity" => Some(f64::INFINITY),
        b"-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

#[cold]
fn not_a_value() -> Fault {
    Fault::wrong_type(0, "text of another kind")
}
