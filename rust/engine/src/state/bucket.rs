//! The histories of one bucket of keys, of which a store outside keeps each key's bytes.
//!
//! A bucket is a part of a block's keys, chosen by their hash. What comes for it is worked on together: the histories of
//! the keys that have events now are taken up, the events seen, and the histories handed back. The bucket's own bytes
//! ([`BucketBook`]) say how far its clock is and what the histories' bytes mean, so that a key that was not asked for
//! still counts as forgotten when its time has come.

use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};

use super::block::Block;
use super::codec::{Bytes, Damaged, Decoder, Layout, encode, put};
use super::history::History;
use super::keys::Keys;
use super::snapshot::RestoreError;
use super::stage::Windows;
use super::store::{Clock, Store};
use crate::error::StageError;

const VERSION: u32 = 1;

/// What a bucket's store keeps beside its keys. Crosses as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BucketBook {
    version: u32,
    /// Buckets that there are; keys go to other ones if that changes.
    buckets: u32,
    /// Every layout that some key's bytes may have; a key's bytes begin with its place here.
    layouts: Vec<Layout>,
    clock: Clock,
    /// Keys that were last seen before this are forgotten.
    forgotten: i64,
    /// What `forgotten` was when the store was last cleaned.
    cleaned: i64,
}

impl BucketBook {
    /// The book in these bytes.
    ///
    /// # Errors
    /// [`RestoreError`] if they are none, or one of a newer format.
    pub fn open(bytes: &[u8]) -> Result<Self, RestoreError> {
        read(bytes)
    }

    /// What histories of its keys consist of; there is more than one after the pipeline has changed.
    pub fn layouts(&self) -> &[Layout] {
        &self.layouts
    }

    /// Events that the bucket has seen, and how far their time had come, in microseconds since 1970, if that was known.
    pub fn clock(&self) -> (u64, Option<i64>) {
        (self.clock.events, Some(self.clock.time).filter(|time| *time != i64::MIN))
    }

    /// Which of the layouts the kept bytes of a key have, and the history in them; `None` if the key is forgotten.
    ///
    /// # Errors
    /// [`Damaged`] if the bytes are no history of this bucket.
    pub fn history(&self, kept: &[u8]) -> Result<Option<(usize, History)>, Damaged> {
        let mut from = Bytes(kept);
        let place = from.varint()? as usize;
        let history = self.layouts.get(place).ok_or(Damaged)?.history(from.0)?;
        Ok((history.seen_at >= self.forgotten).then_some((place, history)))
    }
}

/// A bucket while it is worked on.
#[derive(Debug)]
pub struct Bucket {
    book: BucketBook,
    decoders: Vec<Decoder>,
    /// Place of the block's own layout.
    own: u64,
    keys: Vec<Box<[u8]>>,
}

impl Bucket {
    /// A bucket with its book; the first time there is none.
    ///
    /// # Errors
    /// [`RestoreError`] if the pipeline can't go on with what is kept.
    pub fn open(windows: &Windows, buckets: u32, book: Option<&[u8]>) -> Result<Self, RestoreError> {
        let block = windows.only_block().ok_or_else(|| RestoreError::Damaged("a bucket is of one block".to_owned()))?;
        let layout = Layout::of(block);
        let mut book = match book {
            Some(bytes) => read(bytes)?,
            None => BucketBook {
                version: VERSION,
                buckets,
                layouts: Vec::new(),
                clock: Clock::default(),
                forgotten: i64::MIN,
                cleaned: i64::MIN,
            },
        };
        if book.buckets != buckets {
            return Err(RestoreError::Incompatible(format!(
                "its keys are in {} buckets, and {buckets} are wanted: set spark.firesteel.windows.buckets={}, or begin with a new checkpoint",
                book.buckets, book.buckets
            )));
        }
        let own = book.layouts.iter().position(|known| *known == layout).unwrap_or_else(|| {
            book.layouts.push(layout);
            book.layouts.len() - 1
        });
        let decoder = |layout| {
            let named = |why| RestoreError::Incompatible(format!("windows by {}: {why}", block.key_names.join(", ")));
            Decoder::new(layout, block).map_err(named)
        };
        let decoders = book.layouts.iter().map(decoder).collect::<Result<_, _>>()?;
        Ok(Self { book, decoders, own: own as u64, keys: Vec::new() })
    }

    /// The different keys of the rows that are `live`, in the order in which they come.
    ///
    /// # Errors
    /// [`StageError`] for columns that are no keys.
    pub fn keys_of(
        &mut self,
        windows: &Windows,
        batch: &RecordBatch,
        live: impl Fn(usize) -> bool,
    ) -> Result<&[Box<[u8]>], StageError> {
        self.keys.clear();
        let Some(block) = windows.only_block() else { return Ok(&self.keys) };
        let keys = KeyRows::new(block, batch)?;
        let mut known = std::collections::HashSet::new();
        let mut key = Vec::new();
        for row in (0..batch.num_rows()).filter(|row| live(*row) && keys.has(*row)) {
            keys.write(row, &mut key);
            if !known.contains(key.as_slice()) {
                known.insert(key.clone());
                self.keys.push(key.as_slice().into());
            }
        }
        Ok(&self.keys)
    }

    /// Takes up the histories of [`Bucket::keys_of`], in their order; those that nobody kept begin anew.
    ///
    /// # Errors
    /// [`RestoreError::Damaged`].
    pub fn take_up(&self, windows: &mut Windows, kept: &[Option<Vec<u8>>]) -> Result<(), RestoreError> {
        let mut store = Store::new();
        store.clock = self.book.clock;
        store.forgotten = self.book.forgotten;
        if let Some(block) = windows.only_block() {
            for (key, bytes) in self.keys.iter().zip(kept) {
                let Some(bytes) = bytes else { continue };
                let state = self.decode(bytes, block, &mut store);
                let state = state.map_err(|error| RestoreError::Damaged(error.to_string()))?;
                if state.seen_at >= self.book.forgotten {
                    store.keys.insert(key.clone(), state);
                }
            }
        }
        windows.replace_only_store(store);
        Ok(())
    }

    fn decode(&self, bytes: &[u8], block: &Block, store: &mut Store) -> Result<super::key_state::KeyState, Damaged> {
        let mut from = Bytes(bytes);
        let layout = from.varint()? as usize;
        self.decoders.get(layout).ok_or(Damaged)?.decode(from.0, block, &mut store.texts)
    }

    /// Hands the histories back, in the order of the keys; `None` for one that is over.
    pub fn hand_back(&mut self, windows: &mut Windows) -> Vec<Option<Vec<u8>>> {
        let store = windows.replace_only_store(Store::new());
        self.book.clock = store.clock;
        self.book.forgotten = store.forgotten;
        let Some(block) = windows.only_block() else { return Vec::new() };
        let bytes = |key: &[u8]| {
            store.keys.get(key).map(|state| {
                let mut bytes = Vec::new();
                put(&mut bytes, self.own);
                encode(state, block, &store.texts, &mut bytes);
                bytes
            })
        };
        self.keys.iter().map(|key| bytes(key)).collect()
    }

    /// The book to keep.
    ///
    /// # Errors
    /// [`StageError::Internal`] if it can't be written.
    pub fn book(&self) -> Result<Vec<u8>, StageError> {
        serde_json::to_vec(&self.book).map_err(|error| StageError::internal("windows", error.to_string()))
    }

    /// Whether it is worth looking through the whole store for keys that are over; asks once.
    pub fn cleaning_is_due(&mut self, windows: &Windows) -> bool {
        let horizon = windows.only_block().map_or(0, |block| block.horizon);
        let due =
            self.book.forgotten != i64::MIN && self.book.forgotten.saturating_sub(self.book.cleaned) >= horizon / 2;
        if due {
            self.book.cleaned = self.book.forgotten;
        }
        due
    }

    /// Whether the history in `bytes` is of a key that is forgotten; what can't be read is not.
    pub fn is_over(&self, bytes: &[u8]) -> bool {
        let seen_at = |bytes| {
            let mut from = Bytes(bytes);
            from.varint()?;
            from.signed()?;
            from.signed()
        };
        seen_at(bytes).is_ok_and(|seen_at: i64| seen_at < self.book.forgotten)
    }
}

fn read(bytes: &[u8]) -> Result<BucketBook, RestoreError> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| RestoreError::Damaged(error.to_string()))?;
    if value["version"].as_u64() != Some(u64::from(VERSION)) {
        return Err(RestoreError::Incompatible(format!(
            "it has format {}, and this Firesteel reads format {VERSION}: use the version that wrote it, or a newer one",
            value["version"]
        )));
    }
    serde_json::from_value(value).map_err(|error| RestoreError::Damaged(error.to_string()))
}

/// The key columns of some rows.
pub(crate) struct KeyRows {
    keys: Keys,
    columns: Vec<arrow::array::ArrayRef>,
}

impl KeyRows {
    /// By name: a batch has the block's columns where it likes.
    pub(crate) fn new(block: &Block, batch: &RecordBatch) -> Result<Self, StageError> {
        Self::named(&block.key_names, batch)
    }

    /// # Errors
    /// [`StageError`] if one is not there, or is no key.
    pub(crate) fn named(names: &[String], batch: &RecordBatch) -> Result<Self, StageError> {
        let column = |name: &String| {
            let missing = || StageError::internal("windows", format!("rows without the key column {name}"));
            batch.column_by_name(name).cloned().ok_or_else(missing)
        };
        let columns = names.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { keys: Keys::new(&columns)?, columns })
    }

    /// Whether all of a row's key is there.
    pub(crate) fn has(&self, row: usize) -> bool {
        use arrow::array::Array;
        self.columns.iter().all(|column| column.is_valid(row))
    }

    /// See [`Keys::write`].
    pub(crate) fn write(&self, row: usize, key: &mut Vec<u8>) {
        self.keys.write(row, key);
    }
}
