//! The protobuf wire format, as much of it as reading and rewriting an ONNX file takes.
//!
//! A message is a run of fields; a field is a key (number and wire type) and a value. The reader borrows, checks every
//! length, and yields each field with the bytes it was made of, so that a rewrite copies unknown fields as they are.
//! Source: the "Encoding" page of the Protocol Buffers documentation. Groups (wire types 3 and 4) are obsolete, no
//! ONNX writer makes them, and they are refused.

use super::error::ModelError;

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    /// Field number, from 1.
    pub(super) number: u32,
    /// The value.
    pub(super) value: Value<'a>,
    /// Key and value as they stand in the file.
    pub(super) raw: &'a [u8],
}

/// A field's value by wire type.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire types 1 and 5: eight or four bytes, little-endian.
    Fixed(&'a [u8]),
    /// Wire type 2: text, bytes, a message or packed numbers.
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    /// The bytes of a length-delimited field; `None` for another wire type, which protobuf readers skip as unknown.
    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The number of a varint field; `None` for another wire type.
    pub(super) fn varint(&self) -> Option<u64> {
        match self.value {
            Value::Varint(value) => Some(value),
            _ => None,
        }
    }

    /// The field as text; invalid UTF-8 is shown with replacement characters (names only end up in messages).
    pub(super) fn text(&self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// All numbers of a repeated integer field, packed or not.
    pub(super) fn integers(&self) -> Result<Vec<i64>, ModelError> {
        match self.value {
            Value::Varint(value) => Ok(vec![value as i64]),
            Value::Fixed(_) => Ok(Vec::new()),
            Value::Bytes(bytes) => {
                let mut reader = Reader::new(bytes);
                let mut out = Vec::new();
                while !reader.rest.is_empty() {
                    out.push(reader.varint()? as i64);
                }
                Ok(out)
            }
        }
    }

    /// All numbers of a repeated float field, packed or not.
    pub(super) fn floats(&self) -> Vec<f32> {
        match self.value {
            Value::Varint(_) => Vec::new(),
            Value::Fixed(bytes) | Value::Bytes(bytes) => {
                let (words, _) = bytes.as_chunks::<4>();
                words.iter().map(|&word| f32::from_le_bytes(word)).collect()
            }
        }
    }
}

/// Reads the fields of one message in order. After an error it yields nothing more.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn varint(&mut self) -> Result<u64, ModelError> {
        let mut value = 0u64;
        for (i, &byte) in self.rest.iter().enumerate().take(10) {
            if i == 9 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(ModelError::malformed(
            "a number runs past the end of the file or is longer than 64 bits; it is no ONNX file, or a damaged one",
        ))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], ModelError> {
        match usize::try_from(length).ok().and_then(|n| self.rest.split_at_checked(n)) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(ModelError::malformed(format!(
                "a field of {length} bytes runs past the end of its message ({} bytes left); the file is no ONNX file, or it was cut short",
                self.rest.len()
            ))),
        }
    }

    fn field(&mut self) -> Result<Field<'a>, ModelError> {
        let start = self.rest;
        let key = self.varint()?;
        let number = match u32::try_from(key >> 3) {
            Ok(number @ 1..=0x1fff_ffff) => number,
            _ => {
                return Err(ModelError::malformed(format!(
                    "field number {} is not allowed; the file is no ONNX file",
                    key >> 3
                )));
            }
        };
        let value = match key & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed(self.take(8)?),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed(self.take(4)?),
            other => {
                return Err(ModelError::malformed(format!(
                    "wire type {other} is not used by ONNX; the file is no ONNX file, or a damaged one"
                )));
            }
        };
        Ok(Field { number, value, raw: &start[..start.len() - self.rest.len()] })
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Field<'a>, ModelError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Writes one message.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A varint field.
    pub(super) fn varint(&mut self, number: u32, value: u64) {
        self.raw_varint(u64::from(number) << 3);
        self.raw_varint(value);
    }

    /// A text, bytes or message field.
    pub(super) fn bytes(&mut self, number: u32, value: &[u8]) {
        self.raw_varint(u64::from(number) << 3 | 2);
        self.raw_varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// A field as another message has it.
    pub(super) fn copy(&mut self, field: &Field<'_>) {
        self.0.extend_from_slice(field.raw);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        let mut writer = Writer::default();
        writer.varint(1, u64::MAX);
        writer.bytes(300, b"text");
        let bytes = writer.finish();
        let fields: Vec<_> = Reader::new(&bytes).collect::<Result<_, _>>().unwrap();
        assert_eq!(fields[0].varint(), Some(u64::MAX));
        assert_eq!((fields[1].number, fields[1].bytes()), (300, Some(&b"text"[..])));
        let copied: Vec<u8> = fields.iter().flat_map(|field| field.raw).copied().collect();
        assert_eq!(copied, bytes);
    }

    #[test]
    fn refuses_every_truncation_and_bad_key() {
        let mut writer = Writer::default();
        writer.bytes(7, &[1; 200]);
        let bytes = writer.finish();
        for cut in 1..bytes.len() {
            assert!(Reader::new(&bytes[..cut]).any(|field| field.is_err()), "cut at {cut}");
        }
        for bad in [
            &[0x03][..],
            &[0x00, 0x00],
            &[0x0c],
            &[0xff; 11],
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ] {
            assert!(Reader::new(bad).next().unwrap().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn reads_integers_packed_or_not() {
        let packed = [0x0a, 0x03, 0x01, 0x96, 0x01];
        let field = Reader::new(&packed).next().unwrap().unwrap();
        assert_eq!(field.integers().unwrap(), vec![1, 150]);
        let single = [0x08, 0x05];
        assert_eq!(Reader::new(&single).next().unwrap().unwrap().integers().unwrap(), vec![5]);
    }
}
