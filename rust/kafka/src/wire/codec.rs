//! Kafka's primitive types, as its protocol guide defines them: big-endian numbers, lengths before texts and arrays.

use super::WireError;

/// Writes a message, its own length in front.
#[derive(Debug)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// A message whose length is filled in by [`Writer::finish`].
    pub(crate) fn new() -> Self {
        Self(vec![0; 4])
    }

    pub(crate) fn i8(&mut self, value: i8) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn i16(&mut self, value: i16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn i32(&mut self, value: i32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn i64(&mut self, value: i64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// An array's length; its entries follow.
    pub(crate) fn count(&mut self, entries: usize) -> &mut Self {
        self.i32(i32::try_from(entries).unwrap_or(i32::MAX))
    }

    /// A text of at most 32,767 bytes; what is longer is cut, which no name of Kafka's is.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        let length = text.len().min(i16::MAX as usize);
        self.i16(length as i16).raw(&text.as_bytes()[..length])
    }

    /// Bytes with a length of four bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len()).raw(bytes)
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The message as it goes over the wire.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// Reads a message from its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    #[inline]
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..length)).ok_or(WireError::SHORT)?;
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let taken = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk).ok_or(WireError::SHORT)?;
        self.at += N;
        Ok(*taken)
    }

    pub(crate) fn i8(&mut self) -> Result<i8, WireError> {
        self.array().map(i8::from_be_bytes)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, WireError> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, WireError> {
        self.array().map(i32::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn i64(&mut self) -> Result<i64, WireError> {
        self.array().map(i64::from_be_bytes)
    }

    /// An array's length; a null array has none of its own and counts as empty.
    pub(crate) fn count(&mut self) -> Result<usize, WireError> {
        let count = self.i32()?;
        // No entry is smaller than a byte: a length beyond the message is refused before memory is taken for it.
        usize::try_from(count.max(0)).ok().filter(|&count| count <= self.left()).ok_or(WireError::SHORT)
    }

    /// A text; `None` is null.
    pub(crate) fn text(&mut self) -> Result<Option<&'a str>, WireError> {
        match usize::try_from(self.i16()?) {
            Ok(length) => std::str::from_utf8(self.take(length)?).map(Some).map_err(|_| WireError::Malformed("text")),
            Err(_) => Ok(None),
        }
    }

    /// A text that may not be null.
    pub(crate) fn name(&mut self) -> Result<&'a str, WireError> {
        self.text()?.ok_or(WireError::Malformed("a name that is null"))
    }

    /// Bytes with a length of four bytes; null counts as empty.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        match usize::try_from(self.i32()?) {
            Ok(length) => self.take(length),
            Err(_) => Ok(&[]),
        }
    }

    /// A zigzag number of variable length, at most 64 bits.
    #[inline]
    pub(crate) fn varlong(&mut self) -> Result<i64, WireError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(WireError::SHORT)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(WireError::Malformed("a number of more than ten bytes"))
    }

    /// Bytes whose length is a zigzag number; `None` is null.
    #[inline]
    pub(crate) fn varbytes(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        match usize::try_from(self.varlong()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_come_back() {
        let mut writer = Writer::new();
        writer.i8(-1).i16(-2).i32(-3).i64(i64::MIN).text("topic").bytes(b"xyz").count(0);
        let message = writer.finish();
        let mut reader = Reader::new(&message);
        assert_eq!(reader.u32().unwrap() as usize, message.len() - 4);
        assert_eq!((reader.i8().unwrap(), reader.i16().unwrap(), reader.i32().unwrap()), (-1, -2, -3));
        assert_eq!(reader.i64().unwrap(), i64::MIN);
        assert_eq!(reader.name().unwrap(), "topic");
        assert_eq!(reader.bytes().unwrap(), b"xyz");
        assert_eq!((reader.count().unwrap(), reader.left()), (0, 0));
        assert!(reader.i8().is_err());
    }

    #[test]
    fn zigzag_numbers() {
        let read = |bytes: &[u8]| Reader::new(bytes).varlong();
        assert_eq!(read(&[0]).unwrap(), 0);
        assert_eq!(read(&[1]).unwrap(), -1);
        assert_eq!(read(&[2]).unwrap(), 1);
        assert_eq!(read(&[0xac, 0x02]).unwrap(), 150);
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).unwrap(), i64::MIN);
        assert!(read(&[0x80]).is_err());
        assert!(read(&[0xff; 11]).is_err());
    }

    #[test]
    fn a_length_beyond_the_message_takes_no_memory() {
        assert!(Reader::new(&i32::MAX.to_be_bytes()).count().is_err());
        assert_eq!(Reader::new(&(-1i32).to_be_bytes()).count().unwrap(), 0);
        assert!(Reader::new(&[0, 9, b'x']).text().is_err());
    }
}
