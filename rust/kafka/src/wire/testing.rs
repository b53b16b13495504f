//! Answers as a broker would send them, for tests.

use std::sync::Arc;

use super::chunk::{Answer, Chunk};
use super::options::FetchOptions;
use super::protocol::{Fetched, Metadata, Node};
use super::shared::{Shared, Wish, Work};
use crate::settings::{ClientSettings, Secret};

/// What a test batch is like.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) base: i64,
    /// Offsets after `base`, with values.
    pub(crate) records: Vec<(i64, Vec<u8>)>,
    pub(crate) attributes: i16,
    pub(crate) producer: i64,
    /// Added to the last record's offset: offsets that compaction removed.
    pub(crate) gone: i64,
}

impl Made {
    pub(crate) fn plain(base: i64, count: i64) -> Self {
        let records = (0..count).map(|delta| (delta, format!("value {}", base + delta).into_bytes())).collect();
        Self { base, records, attributes: 0, producer: -1, gone: 0 }
    }

    /// Of a transaction.
    pub(crate) fn of(self, producer: i64) -> Self {
        Self { attributes: self.attributes | 0x10, producer, ..self }
    }

    /// The end of a transaction.
    pub(crate) fn marker(base: i64, producer: i64, commit: bool) -> Self {
        Self { attributes: 0x30, producer, ..Self::plain(base, 1) }.keyed(commit)
    }

    fn keyed(mut self, commit: bool) -> Self {
        self.records = vec![(0, vec![0, 0, 0, u8::from(commit)])];
        self
    }

    fn packed(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (delta, value) in &self.records {
            let mut record = vec![0];
            varlong(&mut record, 10 * delta);
            varlong(&mut record, *delta);
            if self.attributes & 0x20 != 0 {
                varlong(&mut record, value.len() as i64);
                record.extend(value);
                varlong(&mut record, -1);
            } else {
                varlong(&mut record, -1);
                varlong(&mut record, value.len() as i64);
                record.extend(value);
            }
            varlong(&mut record, 1);
            varlong(&mut record, 1);
            record.push(b'h');
            varlong(&mut record, -1);
            varlong(&mut bytes, record.len() as i64);
            bytes.extend(record);
        }
        match self.attributes & 7 {
            0 => bytes,
            4 => zstd::encode_all(&bytes[..], 1).unwrap_or_default(),
            _ => unreachable!("tests pack with zstd only"),
        }
    }

    /// The batch in format 2, its checksum right.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut checked = Vec::new();
        checked.extend(self.attributes.to_be_bytes());
        let last = self.records.iter().map(|(delta, _)| *delta).max().unwrap_or(0) + self.gone;
        checked.extend((last as i32).to_be_bytes());
        checked.extend(1_000i64.to_be_bytes());
        checked.extend(2_000i64.to_be_bytes());
        checked.extend(self.producer.to_be_bytes());
        checked.extend(0i16.to_be_bytes());
        checked.extend(0i32.to_be_bytes());
        checked.extend((self.records.len() as i32).to_be_bytes());
        checked.extend(self.packed());
        let mut bytes = self.base.to_be_bytes().to_vec();
        bytes.extend((checked.len() as i32 + 9).to_be_bytes());
        bytes.extend(0i32.to_be_bytes());
        bytes.push(2);
        bytes.extend(crc32c::crc32c(&checked).to_be_bytes());
        bytes.extend(checked);
        bytes
    }
}

/// A message of format 0 or 1; `attributes` with compression for one that holds others.
pub(crate) fn old_message(format: u8, offset: i64, attributes: u8, value: &[u8]) -> Vec<u8> {
    let mut message = vec![0, 0, 0, 0, format, attributes];
    if format == 1 {
        message.extend(1_234i64.to_be_bytes());
    }
    message.extend((-1i32).to_be_bytes());
    message.extend((value.len() as i32).to_be_bytes());
    message.extend(value);
    [offset.to_be_bytes().to_vec(), (message.len() as i32).to_be_bytes().to_vec(), message].concat()
}

fn varlong(out: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        out.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    out.push(zigzag as u8);
}

/// A chunk of these bytes.
pub(crate) fn chunk(bytes: &[u8], aborted: Vec<(i64, i64)>) -> Chunk {
    let answer = Arc::new(Answer::exact(bytes.to_vec()));
    Chunk::new(answer, 0..bytes.len(), aborted)
}

/// What a consumer without threads shares; broker 1 leads the partitions of `topics`.
pub(crate) fn shared(topics: &[&str], ahead_bytes: usize) -> (Arc<Shared>, Vec<usize>) {
    let properties = [("bootstrap.servers".to_owned(), Secret::new("nowhere:1"))].into();
    let settings = ClientSettings { properties, oauth: None };
    let options = FetchOptions::of(&settings, ahead_bytes).unwrap_or_else(|e| unreachable!("{e}"));
    let shared = Arc::new(Shared::new(options));
    let slots = topics.iter().map(|topic| shared.start(Arc::from(*topic), 0, 0)).collect();
    let metadata = Metadata {
        nodes: vec![Node { id: 1, host: "nowhere".to_owned(), port: 1 }],
        topics: topics.iter().map(|topic| ((*topic).to_owned(), 0)).collect(),
        leaders: topics.iter().map(|topic| ((*topic).to_owned(), 0, 1)).collect(),
    };
    assert_eq!(shared.metadata(&metadata), [1]);
    (shared, slots)
}

/// What the broker says of a wish.
pub(crate) fn say(shared: &Shared, wish: &Wish, error: i16, batches: &[Made]) {
    let bytes: Vec<u8> = batches.iter().flat_map(Made::bytes).collect();
    let said = Fetched {
        topic: &wish.2,
        partition: wish.3,
        error,
        end: 0,
        aborted: Vec::new(),
        preferred: -1,
        records: 0..bytes.len(),
    };
    shared.hear(wish, &said, (!bytes.is_empty()).then(|| chunk(&bytes, Vec::new())));
}

/// What the broker would be asked now.
pub(crate) fn asked(shared: &Shared) -> Work {
    shared.work(1).unwrap_or_else(|| unreachable!("it is stopped"))
}
