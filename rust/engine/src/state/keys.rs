//! A key's bytes: how state is found, sorted and shown.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};

use super::codec::{Bytes, Damaged};
use super::words::Words;
use crate::error::StageError;

/// The key columns of a batch.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Part>);

#[derive(Debug)]
enum Part {
    Whole(ArrayRef),
    Text(ArrayRef),
    Bytes(ArrayRef),
}

/// Turns the sign bit, so that bytes sort as numbers do.
const SIGN: u64 = 1 << 63;

impl Keys {
    /// # Errors
    /// [`StageError`] for types that no key has.
    pub(crate) fn new(columns: &[ArrayRef]) -> Result<Self, StageError> {
        let part = |column: &ArrayRef| {
            Ok(match column.data_type() {
                DataType::Utf8 => Part::Text(ArrayRef::clone(column)),
                DataType::Binary => Part::Bytes(ArrayRef::clone(column)),
                _ => Part::Whole(Words::new(column)?.into_column()),
            })
        };
        Ok(Self(columns.iter().map(part).collect::<Result<_, StageError>>()?))
    }

    /// The keys themselves, if they are one column of whole numbers.
    pub(crate) fn whole(&self) -> Option<&[i64]> {
        match &*self.0 {
            [Part::Whole(column)] => Some(column.as_primitive::<Int64Type>().values()),
            _ => None,
        }
    }

    /// Writes the key of a row: whole numbers as 8 bytes that sort as they do; of several columns the texts and bytes
    /// have their length before them.
    #[inline]
    pub(crate) fn write(&self, row: usize, key: &mut Vec<u8>) {
        key.clear();
        let alone = self.0.len() == 1;
        for part in &self.0 {
            let bytes = match part {
                Part::Whole(column) => {
                    let value = column.as_primitive::<Int64Type>().value(row) as u64 ^ SIGN;
                    key.extend_from_slice(&value.to_be_bytes());
                    continue;
                }
                Part::Text(column) => column.as_string::<i32>().value(row).as_bytes(),
                Part::Bytes(column) => column.as_binary::<i32>().value(row),
            };
            if !alone {
                key.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
            }
            key.extend_from_slice(bytes);
        }
    }
}

/// The value of one key column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyPart {
    /// BOOLEAN as 0 and 1, whole numbers, DATE in days and TIMESTAMP in microseconds since 1970.
    Whole(i64),
    /// STRING.
    Text(String),
    /// BINARY.
    Bytes(Vec<u8>),
}

/// Reads what [`Keys::write`] wrote for columns of these types, named as in a [`super::Layout`].
///
/// # Errors
/// [`Damaged`] if the bytes are no such key.
pub(crate) fn read(types: &[(String, String)], key: &[u8]) -> Result<Vec<KeyPart>, Damaged> {
    let mut from = Bytes(key);
    let mut parts = Vec::with_capacity(types.len());
    for (_, data_type) in types {
        let is_text = data_type == "Utf8";
        if !is_text && data_type != "Binary" {
            let bytes = from.take(size_of::<u64>())?.try_into().map_err(|_| Damaged)?;
            parts.push(KeyPart::Whole((u64::from_be_bytes(bytes) ^ SIGN) as i64));
            continue;
        }
        let length = if types.len() == 1 {
            from.0.len()
        } else {
            u32::from_be_bytes(from.take(size_of::<u32>())?.try_into().map_err(|_| Damaged)?) as usize
        };
        let bytes = from.take(length)?.to_vec();
        parts.push(match is_text {
            true => KeyPart::Text(String::from_utf8(bytes).map_err(|_| Damaged)?),
            false => KeyPart::Bytes(bytes),
        });
    }
    if from.0.is_empty() { Ok(parts) } else { Err(Damaged) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BinaryArray, BooleanArray, Date32Array, Int8Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };
    use proptest::prelude::*;

    use super::*;

    fn round_trip(columns: &[ArrayRef], wanted: &[KeyPart]) {
        let named = |column: &ArrayRef| ("c".to_owned(), column.data_type().to_string());
        let types: Vec<_> = columns.iter().map(named).collect();
        let mut key = Vec::new();
        Keys::new(columns).unwrap().write(0, &mut key);
        assert_eq!(read(&types, &key).unwrap(), wanted);
        // Any other length is another key, or none; of a lone text or bytes it is another one.
        if types.len() > 1 || matches!(wanted[0], KeyPart::Whole(_)) {
            key.push(0);
            assert_eq!(read(&types, &key), Err(Damaged));
            key.truncate(key.len() - 2);
            assert_eq!(read(&types, &key), Err(Damaged));
        }
    }

    proptest! {
        #[test]
        fn a_key_is_read_as_it_was_written(
            whole in any::<i64>(),
            small in any::<i8>(),
            truth in any::<bool>(),
            day in any::<i32>(),
            text in ".{0,12}",
            bytes in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            let columns: Vec<(ArrayRef, KeyPart)> = vec![
                (Arc::new(Int64Array::from(vec![whole])), KeyPart::Whole(whole)),
                (Arc::new(StringArray::from(vec![text.as_str()])), KeyPart::Text(text.clone())),
                (Arc::new(Int8Array::from(vec![small])), KeyPart::Whole(i64::from(small))),
                (Arc::new(BooleanArray::from(vec![truth])), KeyPart::Whole(i64::from(truth))),
                (Arc::new(BinaryArray::from_vec(vec![&bytes])), KeyPart::Bytes(bytes.clone())),
                (Arc::new(Date32Array::from(vec![day])), KeyPart::Whole(i64::from(day))),
                (Arc::new(TimestampMicrosecondArray::from(vec![whole]).with_timezone("UTC")), KeyPart::Whole(whole)),
            ];
            for (column, part) in &columns {
                round_trip(std::slice::from_ref(column), std::slice::from_ref(part));
            }
            let (columns, parts): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
            round_trip(&columns, &parts);
        }
    }
}
