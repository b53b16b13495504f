//! One JSON value into one column, by the column's type.

use super::{skip, string};
use crate::decode::fault::{Fault, Parsed};
use crate::decode::store::{List, Store};
use crate::decode::text::{base64, decimal, number, timestamp};

/// Pushes the value that starts at `at` with byte `first` and gives one past its end; `None` (and nothing pushed) if
/// it is of a JSON type that the column does not take.
#[inline(always)]
pub(super) fn read(
    store: &mut Store,
    bytes: &[u8],
    at: usize,
    first: u8,
    scratch: &mut Vec<u8>,
) -> Parsed<Option<usize>> {
    let is_number = first.is_ascii_digit() || first == b'-' && bytes.get(at + 1) != Some(&b'I');
    let is_string = first == b'"';
    let end = match store {
        Store::Float64(column) => {
            if !is_number {
                return Ok(non_finite(bytes, at, scratch)?.map(|(value, end)| {
                    column.push(value);
                    end
                }));
            }
            let number = number::scan(bytes, at)?;
            column.push(number.to_f64(bytes)?);
            number.end
        }
        Store::Float32(column) => {
            if !is_number {
                return Ok(non_finite(bytes, at, scratch)?.map(|(value, end)| {
                    column.push(value as f32);
                    end
                }));
            }
            let number = number::scan(bytes, at)?;
            column.push(number.to_f32(bytes)?);
            number.end
        }
        Store::Int64(column) if is_number => {
            let number = number::scan(bytes, at)?;
            column.push(number.to_integer()?);
            number.end
        }
        Store::Text(column) if is_string => {
            let end = string::plain_end(bytes, at + 1);
            if bytes.get(end) == Some(&b'"') {
                column.push(bytes.get(at + 1..end).unwrap_or_default());
                end + 1
            } else {
                column.push_with(|text| string::unescape(bytes, at + 1, text))?
            }
        }
        Store::Instant(column) if is_string => {
            let (text, end) = string::read(bytes, at + 1, scratch)?;
            column.push(timestamp::instant(text).map_err(|fault| fault.placed(at))?);
            end
        }
        Store::Instant(column) if is_number => {
            let number = number::scan(bytes, at)?;
            let micros = timestamp::from_epoch_millis(number.to_integer()?);
            column.push(micros.map_err(|fault| fault.placed(at))?);
            number.end
        }
        other => return read_rare(other, bytes, at, first, is_number, scratch),
    };
    Ok(Some(end))
}

/// The types that are rarely the bulk of a record; apart, so that the common ones stay in the reader's loop.
#[inline(never)]
fn read_rare(
    store: &mut Store,
    bytes: &[u8],
    at: usize,
    first: u8,
    is_number: bool,
    scratch: &mut Vec<u8>,
) -> Parsed<Option<usize>> {
    let placed = |fault: Fault| fault.placed(at);
    let end = match (store, first) {
        (Store::Boolean(column), b't') => {
            let end = skip::literal(bytes, at, b"true")?;
            column.push(true);
            end
        }
        (Store::Boolean(column), b'f') => {
            let end = skip::literal(bytes, at, b"false")?;
            column.push(false);
            end
        }
        (Store::Int8(column), _) if is_number => {
            let number = number::scan(bytes, at)?;
            column.push(number.to_integer()?);
            number.end
        }
        (Store::Int16(column), _) if is_number => {
            let number = number::scan(bytes, at)?;
            column.push(number.to_integer()?);
            number.end
        }
        (Store::Int32(column), _) if is_number => {
            let number = number::scan(bytes, at)?;
            column.push(number.to_integer()?);
            number.end
        }
        (Store::Decimal(column, precision, scale), _) if is_number => {
            let number = number::scan(bytes, at)?;
            column.push(decimal::scaled(number, bytes, *precision, *scale)?);
            number.end
        }
        (Store::Binary(column), b'"') => {
            let (text, end) = string::read(bytes, at + 1, scratch)?;
            column.push_with(|bytes| base64::decode_into(text, bytes)).map_err(placed)?;
            end
        }
        (Store::Date(column), b'"') => {
            let (text, end) = string::read(bytes, at + 1, scratch)?;
            column.push(timestamp::date(text).map_err(placed)?);
            end
        }
        (Store::List(list), b'[') => return array(list, bytes, at, scratch).map(Some),
        (Store::Wall(column), b'"') => {
            let (text, end) = string::read(bytes, at + 1, scratch)?;
            column.push(timestamp::wall(text).map_err(placed)?);
            end
        }
        _ => return Ok(None),
    };
    Ok(Some(end))
}

/// The elements of an array that starts at `at`; one past its end.
fn array(list: &mut List, bytes: &[u8], at: usize, scratch: &mut Vec<u8>) -> Parsed<usize> {
    let mut at = skip::white_space(bytes, at + 1);
    if bytes.get(at) == Some(&b']') {
        list.end_value();
        return Ok(at + 1);
    }
    loop {
        let first = bytes.get(at).copied().unwrap_or_default();
        at = if first == b'n' {
            list.element().push_null();
            skip::literal(bytes, at, b"null")?
        } else {
            match read(list.element(), bytes, at, first, scratch)? {
                Some(end) => end,
                None if first == 0 => return Err(Fault::malformed(at, "the record ends inside an array")),
                None => return Err(Fault::wrong_type(at, skip::kind(first))),
            }
        };
        at = skip::white_space(bytes, at);
        match bytes.get(at) {
            Some(b',') => at = skip::white_space(bytes, at + 1),
            Some(b']') => {
                list.end_value();
                return Ok(at + 1);
            }
            Some(_) => return Err(Fault::malformed(at, "expected ',' or ']'")),
            None => return Err(Fault::malformed(at, "the record ends inside an array")),
        }
    }
}

/// NaN and the infinities, bare or in quotes.
#[cold]
#[inline(never)]
fn non_finite(bytes: &[u8], at: usize, scratch: &mut Vec<u8>) -> Parsed<Option<(f64, usize)>> {
    if bytes.get(at) != Some(&b'"') {
        return Ok(skip::non_finite(bytes, at));
    }
    let (text, end) = string::read(bytes, at + 1, scratch)?;
    Ok(skip::non_finite(text, 0).filter(|(_, length)| *length == text.len()).map(|(value, _)| (value, end)))
}
