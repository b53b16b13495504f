//! Kafka's record batches (format 2) and the message sets of brokers before 0.11 (formats 0 and 1), read in place.
//!
//! Source: the format's description in Kafka's documentation, "Record Batch" and "Old Message Format".

use super::WireError;
use super::codec::Reader;
use super::compress::Compression;

/// Bytes before the length field has said how long the rest is.
const PREFIX: usize = 12;
/// From the leader's epoch up to the records, in format 2.
const HEADER: usize = 49;
/// From the start of a batch to its attributes, where the checksum begins to count.
const CHECKED_FROM: usize = 21;

/// Where a record's time comes from, as Spark and Kafka's Java client number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum TimestampType {
    None = -1,
    Create = 0,
    LogAppend = 1,
}

impl TimestampType {
    fn of(attributes: i16) -> Self {
        if attributes & 8 == 0 { Self::Create } else { Self::LogAppend }
    }
}

/// A batch as it lies in a broker's answer, its records still packed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// The offset of the first record; in old formats of the only one, or of the last in it.
    pub(crate) base_offset: i64,
    /// The last offset that the batch stands for, whether or not its record is still there.
    pub(crate) last_offset: i64,
    pub(crate) producer_id: i64,
    /// Its length in the answer.
    pub(crate) size: usize,
    format: i8,
    attributes: i16,
    base_timestamp: i64,
    max_timestamp: i64,
    records: i32,
    packed: &'a [u8],
    whole: &'a [u8],
    checksum: u32,
}

impl<'a> Batch<'a> {
    /// The first batch of `bytes`; `None` if they do not hold a whole one, as at the end of an answer.
    pub(crate) fn first(bytes: &'a [u8]) -> Result<Option<Self>, WireError> {
        let mut reader = Reader::new(bytes);
        if reader.left() < PREFIX {
            return Ok(None);
        }
        let base_offset = reader.i64()?;
        let length = usize::try_from(reader.i32()?).map_err(|_| WireError::Malformed("a batch of negative length"))?;
        let Some(whole) = bytes.get(..PREFIX + length) else { return Ok(None) };
        let mut reader = Reader::new(&whole[PREFIX..]);
        reader.i32()?;
        let format = reader.i8()?;
        match format {
            2 => Self::newer(base_offset, whole).map(Some),
            0 | 1 => Self::older(base_offset, format, whole).map(Some),
            _ => Err(WireError::Malformed("records of a format that this version does not know")),
        }
    }

    fn newer(base_offset: i64, whole: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(whole);
        reader.take(PREFIX + 5)?;
        let checksum = reader.u32()?;
        let attributes = reader.i16()?;
        let last_offset = base_offset.saturating_add(i64::from(reader.i32()?));
        if base_offset < 0 || last_offset < base_offset || last_offset == i64::MAX {
            return Err(WireError::Malformed("a batch of impossible offsets"));
        }
        let (base_timestamp, max_timestamp) = (reader.i64()?, reader.i64()?);
        let producer_id = reader.i64()?;
        reader.i16()?;
        reader.i32()?;
        let records = reader.i32()?;
        debug_assert_eq!(reader.position(), PREFIX + HEADER);
        let packed = reader.take(reader.left())?;
        let size = whole.len();
        Ok(Self {
            base_offset,
            last_offset,
            producer_id,
            size,
            format: 2,
            attributes,
            base_timestamp,
            max_timestamp,
            records,
            packed,
            whole,
            checksum,
        })
    }

    fn older(offset: i64, format: i8, whole: &'a [u8]) -> Result<Self, WireError> {
        let message = Old::read(whole)?;
        Ok(Self {
            base_offset: offset,
            last_offset: offset,
            producer_id: -1,
            size: whole.len(),
            format,
            attributes: message.attributes,
            base_timestamp: message.timestamp,
            max_timestamp: message.timestamp,
            records: 1,
            packed: message.value.unwrap_or_default(),
            whole,
            checksum: 0,
        })
    }

    /// Its records as they came, packed or not.
    pub(crate) fn packed(&self) -> &'a [u8] {
        self.packed
    }

    /// Whether it holds a transaction's end and no records of anybody's.
    pub(crate) fn is_control(&self) -> bool {
        self.format == 2 && self.attributes & 0x20 != 0
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.format == 2 && self.attributes & 0x10 != 0
    }

    /// Whether it is the mark of an aborted transaction; for a control batch.
    pub(crate) fn is_abort(&self) -> Result<bool, WireError> {
        let mut unpacked = Vec::new();
        let mut records = Records::open(self, &mut unpacked)?;
        let Some(record) = records.next(records.bytes(self.packed, &unpacked))? else { return Ok(false) };
        let mut key = Reader::new(record.key.unwrap_or_default());
        key.i16()?;
        Ok(key.i16()? == 0)
    }

    /// Whether its bytes are as the producer sent them. Batches of the old formats are not looked at.
    pub(crate) fn check(&self) -> Result<(), WireError> {
        if self.format == 2 && crc32c::crc32c(&self.whole[CHECKED_FROM..]) != self.checksum {
            return Err(WireError::Corrupt(format!(
                "the checksum of the batch at offset {} is wrong",
                self.base_offset
            )));
        }
        Ok(())
    }
}

/// A message of the formats 0 and 1.
struct Old<'a> {
    attributes: i16,
    timestamp: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

impl<'a> Old<'a> {
    fn read(message: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(message);
        reader.take(PREFIX + 4)?;
        let format = reader.i8()?;
        let attributes = i16::from(reader.i8()?);
        let timestamp = if format == 0 { -1 } else { reader.i64()? };
        let key = bytes_or_null(&mut reader)?;
        let value = bytes_or_null(&mut reader)?;
        Ok(Self { attributes, timestamp, key, value })
    }
}

fn bytes_or_null<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, WireError> {
    match usize::try_from(reader.i32()?) {
        Ok(length) => reader.take(length).map(Some),
        Err(_) => Ok(None),
    }
}

/// One record, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) offset: i64,
    /// Milliseconds since 1970; -1 if it has none.
    pub(crate) timestamp: i64,
    pub(crate) timestamp_type: TimestampType,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    headers: &'a [u8],
}

impl Record<'_> {
    /// Bytes of key and value.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len)
    }

    /// Bytes of the headers, as they come.
    pub(crate) fn headers_size(&self) -> usize {
        self.headers.len()
    }

    /// Calls `each` with name and value of every header; gives whether there is any.
    pub(crate) fn headers(&self, mut each: impl FnMut(&[u8], Option<&[u8]>)) -> Result<bool, WireError> {
        if self.headers.is_empty() {
            return Ok(false);
        }
        let mut reader = Reader::new(self.headers);
        let count = reader.varlong()?;
        for _ in 0..count {
            let name = reader.varbytes()?.ok_or(WireError::Malformed("a header without a name"))?;
            each(name, reader.varbytes()?);
        }
        Ok(count > 0)
    }
}

/// Where the records of an open batch are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the answer, as they came.
    Answer,
    /// In the buffer that they were unpacked into.
    Unpacked,
}

/// Walks the records of a batch. It holds no bytes itself, so that it can rest between two turns; see [`Self::bytes`].
#[derive(Debug, Clone)]
pub(crate) struct Records {
    place: Place,
    format: i8,
    /// Added to the offsets in the batch.
    base_offset: i64,
    base_timestamp: i64,
    timestamp_type: TimestampType,
    /// The broker's time for all of them, if it gives the time.
    append_time: i64,
    at: usize,
    left: i32,
    /// Bytes that were unpacked.
    used: usize,
}

impl Records {
    /// Opens a batch; unpacks it into `unpacked` if it is packed.
    pub(crate) fn open(batch: &Batch<'_>, unpacked: &mut Vec<u8>) -> Result<Self, WireError> {
        let compression = Compression::of(batch.attributes)?;
        if batch.format < 2 {
            return Self::open_old(batch, compression, unpacked);
        }
        // Compaction leaves empty batches behind, for their producers' sake.
        let packed = compression != Compression::None && batch.records > 0;
        let used = if packed { compression.unpack(batch.packed, unpacked)? } else { 0 };
        Ok(Self {
            place: if packed { Place::Unpacked } else { Place::Answer },
            format: 2,
            base_offset: batch.base_offset,
            base_timestamp: batch.base_timestamp,
            timestamp_type: TimestampType::of(batch.attributes),
            append_time: batch.max_timestamp,
            at: 0,
            left: batch.records,
            used,
        })
    }

    /// An old message is its own only record, or holds packed ones, whose offsets count from the first in format 1.
    fn open_old(batch: &Batch<'_>, compression: Compression, unpacked: &mut Vec<u8>) -> Result<Self, WireError> {
        let (mut base_offset, mut left) = (0, 1);
        let used;
        if compression == Compression::None {
            used = Compression::None.unpack(batch.whole, unpacked)?;
        } else {
            used = compression.unpack(batch.packed, unpacked)?;
            let (mut at, mut last) = (0, 0);
            left = 0;
            while let Some((offset, size)) = old_prefix(&unpacked[..used], at)? {
                (at, last) = (at + size, offset);
                left += 1;
            }
            if batch.format == 1 {
                base_offset = batch.base_offset.wrapping_sub(last);
            }
        }
        Ok(Self {
            place: Place::Unpacked,
            format: batch.format,
            base_offset,
            base_timestamp: 0,
            timestamp_type: if batch.format == 0 { TimestampType::None } else { TimestampType::of(batch.attributes) },
            append_time: batch.max_timestamp,
            at: 0,
            left,
            used,
        })
    }

    /// The bytes that [`Self::next`] wants, of the batch's packed bytes and the buffer it was opened with.
    #[inline]
    pub(crate) fn bytes<'b>(&self, packed: &'b [u8], unpacked: &'b [u8]) -> &'b [u8] {
        if self.place == Place::Answer { packed } else { unpacked.get(..self.used).unwrap_or_default() }
    }

    /// The next record; `None` after the last.
    #[inline]
    pub(crate) fn next<'b>(&mut self, bytes: &'b [u8]) -> Result<Option<Record<'b>>, WireError> {
        if self.left <= 0 {
            return Ok(None);
        }
        let rest = bytes.get(self.at..).ok_or(WireError::SHORT)?;
        let (record, size) = if self.format == 2 { self.newer(rest)? } else { self.older(rest)? };
        self.at += size;
        self.left -= 1;
        Ok(Some(record))
    }

    /// Where [`Self::next`] begins; for [`Self::back_to`].
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Takes back the record that was read from `position` on.
    pub(crate) fn back_to(&mut self, position: usize) {
        self.at = position;
        self.left += 1;
    }

    #[inline]
    fn newer<'b>(&self, rest: &'b [u8]) -> Result<(Record<'b>, usize), WireError> {
        let mut reader = Reader::new(rest);
        let length =
            usize::try_from(reader.varlong()?).map_err(|_| WireError::Malformed("a record of negative length"))?;
        let start = reader.position();
        let end = start.checked_add(length).filter(|&end| end <= rest.len()).ok_or(WireError::SHORT)?;
        reader.i8()?;
        let timestamp = self.base_timestamp.wrapping_add(reader.varlong()?);
        let offset = self.base_offset.wrapping_add(reader.varlong()?);
        let (key, value) = (reader.varbytes()?, reader.varbytes()?);
        let headers = rest.get(reader.position()..end).ok_or(WireError::SHORT)?;
        let record = Record {
            offset,
            timestamp: if self.timestamp_type == TimestampType::LogAppend { self.append_time } else { timestamp },
            timestamp_type: self.timestamp_type,
            key,
            value,
            headers,
        };
        Ok((record, end))
    }

    fn older<'b>(&self, rest: &'b [u8]) -> Result<(Record<'b>, usize), WireError> {
        let (offset, size) = old_prefix(rest, 0)?.ok_or(WireError::SHORT)?;
        let message = Old::read(&rest[..size])?;
        let record = Record {
            offset: self.base_offset.wrapping_add(offset),
            timestamp: if self.timestamp_type == TimestampType::LogAppend {
                self.append_time
            } else {
                message.timestamp
            },
            timestamp_type: self.timestamp_type,
            key: message.key,
            value: message.value,
            headers: &[],
        };
        Ok((record, size))
    }
}

/// Offset and whole length of the old message at `at`; `None` if there is no whole one.
fn old_prefix(bytes: &[u8], at: usize) -> Result<Option<(i64, usize)>, WireError> {
    let mut reader = Reader::new(bytes.get(at..).unwrap_or_default());
    if reader.left() < PREFIX {
        return Ok(None);
    }
    let offset = reader.i64()?;
    let length = usize::try_from(reader.i32()?).map_err(|_| WireError::Malformed("a message of negative length"))?;
    Ok((length <= reader.left()).then_some((offset, PREFIX + length)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{Made, old_message};
    use super::*;

    /// Offset, timestamp, value of all records.
    fn read(bytes: &[u8]) -> Result<Vec<(i64, i64, String)>, WireError> {
        let batch = Batch::first(bytes)?.unwrap();
        let mut unpacked = Vec::new();
        let mut records = Records::open(&batch, &mut unpacked)?;
        let from = records.bytes(batch.packed(), &unpacked);
        let mut found = Vec::new();
        while let Some(record) = records.next(from)? {
            let value = String::from_utf8(record.value.unwrap_or_default().to_vec()).unwrap();
            found.push((record.offset, record.timestamp, value));
        }
        Ok(found)
    }

    fn expected(base: i64, count: i64, time: impl Fn(i64) -> i64) -> Vec<(i64, i64, String)> {
        (0..count).map(|i| (base + i, time(i), format!("value {}", base + i))).collect()
    }

    #[test]
    fn records_of_a_batch_packed_or_not() {
        for compression in [0, 4] {
            let made = Made { attributes: compression, ..Made::plain(1 << 40, 300) };
            let bytes = made.bytes();
            let batch = Batch::first(&bytes).unwrap().unwrap();
            batch.check().unwrap();
            assert_eq!((batch.last_offset, batch.size), ((1 << 40) + 299, bytes.len()));
            assert_eq!(read(&bytes).unwrap(), expected(1 << 40, 300, |i| 1_000 + 10 * i));
        }
    }

    #[test]
    fn an_empty_batch_that_compaction_left_has_no_records() {
        let made = Made { attributes: 4, records: Vec::new(), gone: 9, ..Made::plain(20, 0) };
        let mut bytes = made.bytes();
        bytes.truncate(PREFIX + HEADER);
        bytes[8..12].copy_from_slice(&(HEADER as i32).to_be_bytes());
        let batch = Batch::first(&bytes).unwrap().unwrap();
        assert_eq!(batch.last_offset, 29);
        assert_eq!(read(&bytes).unwrap(), []);
    }

    #[test]
    fn the_brokers_time_is_the_last_of_the_batch() {
        let bytes = Made { attributes: 8, ..Made::plain(5, 2) }.bytes();
        assert_eq!(read(&bytes).unwrap(), expected(5, 2, |_| 2_000));
    }

    #[test]
    fn headers_come_with_the_record() {
        let bytes = Made::plain(0, 1).bytes();
        let batch = Batch::first(&bytes).unwrap().unwrap();
        let mut records = Records::open(&batch, &mut Vec::new()).unwrap();
        let record = records.next(batch.packed()).unwrap().unwrap();
        let mut seen = Vec::new();
        assert!(record.headers(|name, value| seen.push((name.to_vec(), value.map(<[u8]>::to_vec)))).unwrap());
        assert_eq!(seen, [(b"h".to_vec(), None)]);
    }

    #[test]
    fn a_cut_batch_is_none_and_a_damaged_one_an_error() {
        let bytes = Made::plain(7, 3).bytes();
        for cut in 0..bytes.len() {
            assert!(Batch::first(&bytes[..cut]).unwrap().is_none(), "{cut}");
        }
        for at in CHECKED_FROM..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            let batch = Batch::first(&damaged).unwrap().unwrap();
            let error = batch.check().unwrap_err().to_string();
            assert!(error.contains("checksum of the batch at offset 7"), "{error}");
            // Unchecked it may give other records or an error, and nothing worse.
            let _ = read(&damaged);
        }
    }

    #[test]
    fn messages_of_the_old_formats() {
        assert_eq!(read(&old_message(0, 9, 0, b"x")).unwrap(), [(9, -1, "x".to_owned())]);
        assert_eq!(read(&old_message(1, 9, 0, b"x")).unwrap(), [(9, 1_234, "x".to_owned())]);
        let pack = |format: u8, first: i64| {
            let inner: Vec<u8> = (0..3).flat_map(|i| old_message(format, first + i, 0, b"y")).collect();
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut gzip, &inner).unwrap();
            old_message(format, 102, 1, &gzip.finish().unwrap())
        };
        // Format 0 packs absolute offsets, format 1 counts from the first; both give 100 to 102.
        let offsets = |bytes: &[u8]| read(bytes).unwrap().iter().map(|(offset, ..)| *offset).collect::<Vec<_>>();
        assert_eq!(offsets(&pack(0, 100)), [100, 101, 102]);
        assert_eq!(offsets(&pack(1, 0)), [100, 101, 102]);
    }
}
