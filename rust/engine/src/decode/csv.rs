//! CSV: one record per value, fields in the schema's order, read by the `csv-core` state machine.
//!
//! The same parsers give the typed values as for JSON. `csv-core` never fails; two things it would let pass are
//! refused here: a quoted field that does not end, and a second record in one value.

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};

use super::columns::Columns;
use super::fault::{Fault, Parsed};
use super::options::CsvOptions;
use super::store::Store;
use super::text::{base64, decimal, number, timestamp};
use crate::error::SpecError;
use crate::stage::RejectCode;

/// Reads CSV records.
#[derive(Debug)]
pub(super) struct CsvReader {
    machine: Reader,
    quote: u8,
    has_header: bool,
    null_text: Vec<u8>,
    /// Fields of the record at hand, unquoted, end to end.
    text: Vec<u8>,
    fields: Vec<FieldAt>,
}

/// Where one field is.
#[derive(Debug, Clone, Copy)]
struct FieldAt {
    /// First byte in the record, quote included.
    at: usize,
    /// Half-open range in the unquoted text.
    from: usize,
    until: usize,
    is_quoted: bool,
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
        Ok(Self {
            machine,
            quote: options.quote,
            has_header: options.header,
            null_text: options.null_text.clone().into_bytes(),
            text: Vec::new(),
            fields: Vec::with_capacity(names.len()),
        })
    }

    /// Reads one record from byte `start` on into one row. After a fault the columns must be rolled back.
    pub(super) fn read(&mut self, bytes: &[u8], start: usize, columns: &mut Columns) -> Parsed<()> {
        self.machine.reset();
        let mut at = start;
        if self.has_header {
            (_, at) = self.split(bytes, at, 0)?;
            if is_line_ends(bytes, at) {
                return Err(Fault::whole(RejectCode::EmptyValue, "the value holds a header line and no record"));
            }
        }
        let wanted = columns.len();
        let (found, end) = self.split(bytes, at, wanted)?;
        if !is_line_ends(bytes, end) {
            return Err(Fault::malformed(end, "more than one CSV record in one value"));
        }
        if found != wanted {
            let message = format!("the record has {found} fields, the schema has {wanted} columns");
            return Err(Fault::counted(RejectCode::WrongFieldCount, message));
        }
        for (column, place) in self.fields.iter().enumerate() {
            let field = self.text.get(place.from..place.until).unwrap_or_default();
            let Some(store) = columns.name(column) else { continue };
            let is_empty_value = field.is_empty() && !matches!(store, Store::Text(_));
            if is_empty_value || !place.is_quoted && field == self.null_text {
                columns.push_null(column, place.at)?;
            } else {
                push(store, field).map_err(|fault| fault.in_column(column).placed(place.at))?;
            }
        }
        columns.end_row()
    }

    /// Splits the record that starts at `at`: keeps up to `wanted` fields, counts all, gives one past its end.
    fn split(&mut self, bytes: &[u8], mut at: usize, wanted: usize) -> Parsed<(usize, usize)> {
        self.fields.clear();
        while matches!(bytes.get(at), Some(b'\r' | b'\n')) {
            at += 1;
        }
        // Unquoted text is never longer than the record; one byte more for the line end that may be added below.
        if self.text.len() <= bytes.len() {
            self.text.resize(bytes.len() + 1, 0);
        }
        let (mut found, mut from, mut until, mut field_at) = (0, 0, 0, at);
        let mut is_ended = false;
        loop {
            // A line end closes a record unless a quoted field is still open, which takes it as its text.
            let input = if is_ended { b"\n".as_slice() } else { bytes.get(at..).unwrap_or_default() };
            let (result, read, written) =
                self.machine.read_field(input, self.text.get_mut(until..).unwrap_or_default());
            until += written;
            at += if is_ended { 0 } else { read };
            match result {
                ReadFieldResult::Field { record_end } => {
                    if found < wanted {
                        let is_quoted = bytes.get(field_at) == Some(&self.quote);
                        self.fields.push(FieldAt { at: field_at, from, until, is_quoted });
                        from = until;
                    } else {
                        until = from;
                    }
                    found += 1;
                    field_at = at;
                    if record_end {
                        return Ok((found, at));
                    }
                }
                ReadFieldResult::InputEmpty if !is_ended => is_ended = true,
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull | ReadFieldResult::End => {
                    return Err(Fault::malformed(field_at, "a quoted field that does not end"));
                }
            }
        }
    }
}

fn is_line_ends(bytes: &[u8], from: usize) -> bool {
    bytes.iter().skip(from).all(|byte| matches!(byte, b'\r' | b'\n'))
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
        // The decoder takes no schema with arrays for CSV.
        Store::List(_) => return Err(not_a_value()),
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
