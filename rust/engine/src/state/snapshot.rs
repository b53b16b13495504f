//! The whole state as one piece of bytes: an Arrow IPC stream that says itself what is in it.
//!
//! Rows are `block INT, key BINARY, state BINARY`, ordered by block and key, so that the same state gives the same bytes.
//! The schema's metadata holds the format's version, each block's [`Layout`] and its clock, as JSON. Behind the stream's end
//! stand 8 bytes more, the XXH64 (seed 0, little-endian) of all before them: a stream that is cut off between two of its
//! messages is a good stream for Arrow, and would be a state in which keys are missing; and Arrow may panic on wrong bytes.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BinaryBuilder, Int32Builder};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

use super::block::Block;
use super::codec::{Damaged, Decoder, Layout, encode};
use super::store::{Clock, Store};

const METADATA: &str = "firesteel.state";
const VERSION: u32 = 1;
/// Bytes of the checksum.
const SUM: usize = 8;
/// Bytes of histories that are written together.
const BATCH_BYTES: usize = 8 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    blocks: Vec<BlockHeader>,
}

#[derive(Debug, Serialize, Deserialize)]
struct BlockHeader {
    layout: Layout,
    events: u64,
    time: i64,
    oldest: i64,
}

/// A state as it lies in its bytes, without the pipeline that wrote it.
#[derive(Debug)]
pub struct Snapshot<'a> {
    bytes: &'a [u8],
    header: Header,
}

impl<'a> Snapshot<'a> {
    /// Reads what the bytes say of themselves; the keys are looked at later.
    ///
    /// # Errors
    /// [`RestoreError`] if they are no state, or one of a newer format.
    pub fn open(bytes: &'a [u8]) -> Result<Self, RestoreError> {
        if !is_whole(bytes) {
            return Err(RestoreError::Damaged(
                "its checksum is not that of its bytes: a part is missing or was changed, or it is something else"
                    .to_owned(),
            ));
        }
        let header = header(&StreamReader::try_new(Cursor::new(bytes), None)?.schema())?;
        Ok(Self { bytes, header })
    }

    /// The blocks: what their keys and histories consist of, the events that they have seen, and how far the time of all
    /// keys had come, in microseconds since 1970, if that was known.
    pub fn blocks(&self) -> impl ExactSizeIterator<Item = (&Layout, u64, Option<i64>)> {
        self.header
            .blocks
            .iter()
            .map(|block| (&block.layout, block.events, Some(block.time).filter(|t| *t != i64::MIN)))
    }

    /// Shows the number of the block, the key's bytes and the history's bytes of each key, in their order.
    ///
    /// # Errors
    /// [`RestoreError::Damaged`], and what `show` gives.
    pub fn each_key(
        &self,
        show: impl FnMut(usize, &[u8], &[u8]) -> Result<(), RestoreError>,
    ) -> Result<(), RestoreError> {
        each_key(StreamReader::try_new(Cursor::new(self.bytes), None)?, show)
    }
}

/// Why a state can't be taken up again.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It was written by another pipeline, or one that has changed too much.
    #[error("STATE_INCOMPATIBLE: {0}")]
    Incompatible(String),
    /// The bytes are not a state, or not all of it.
    #[error("STATE_DAMAGED: {0}")]
    Damaged(String),
}

impl From<Damaged> for RestoreError {
    fn from(error: Damaged) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<ArrowError> for RestoreError {
    fn from(error: ArrowError) -> Self {
        Self::Damaged(error.to_string())
    }
}

fn schema(header: &Header) -> Result<Schema, ArrowError> {
    let fields = vec![
        Field::new("block", DataType::Int32, false),
        Field::new("key", DataType::Binary, false),
        Field::new("state", DataType::Binary, false),
    ];
    let header = serde_json::to_string(header).map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
    Ok(Schema::new_with_metadata(fields, HashMap::from([(METADATA.to_owned(), header)])))
}

/// Writes the state of `blocks`.
pub(crate) fn save(blocks: &[Arc<Block>], stores: &[Store]) -> Result<Vec<u8>, ArrowError> {
    let header = |(block, store): (&Arc<Block>, &Store)| BlockHeader {
        layout: Layout::of(block),
        events: store.clock.events,
        time: store.clock.time,
        oldest: store.clock.oldest,
    };
    let header = Header { version: VERSION, blocks: blocks.iter().zip(stores).map(header).collect() };
    let mut writer = StreamWriter::try_new(Vec::new(), &schema(&header)?)?;
    let mut rows = Rows::default();
    for (i, (block, store)) in blocks.iter().zip(stores).enumerate() {
        let mut keys: Vec<_> = store.keys.iter().collect();
        keys.sort_unstable_by(|a, b| a.0.cmp(b.0));
        for (key, state) in keys {
            rows.history.clear();
            encode(state, block, &store.texts, &mut rows.history);
            rows.push(i as i32, key);
            if rows.bytes > BATCH_BYTES {
                writer.write(&rows.batch(&header)?)?;
            }
        }
    }
    writer.write(&rows.batch(&header)?)?;
    let mut bytes = writer.into_inner()?;
    let sum = XxHash64::oneshot(0, &bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

/// Whether the bytes end with their checksum.
fn is_whole(bytes: &[u8]) -> bool {
    bytes.split_last_chunk::<SUM>().is_some_and(|(front, sum)| XxHash64::oneshot(0, front) == u64::from_le_bytes(*sum))
}

#[derive(Default)]
struct Rows {
    block: Int32Builder,
    key: BinaryBuilder,
    state: BinaryBuilder,
    history: Vec<u8>,
    bytes: usize,
}

impl Rows {
    fn push(&mut self, block: i32, key: &[u8]) {
        self.block.append_value(block);
        self.key.append_value(key);
        self.state.append_value(&self.history);
        self.bytes += key.len() + self.history.len();
    }

    fn batch(&mut self, header: &Header) -> Result<RecordBatch, ArrowError> {
        self.bytes = 0;
        let columns = vec![
            Arc::new(self.block.finish()) as _,
            Arc::new(self.key.finish()) as _,
            Arc::new(self.state.finish()) as _,
        ];
        RecordBatch::try_new(Arc::new(schema(header)?), columns)
    }
}

/// Reads a state into `blocks`. Blocks are found again by their key and time, so that one can be added or removed.
pub(crate) fn restore(blocks: &[Arc<Block>], bytes: &[u8]) -> Result<Vec<Store>, RestoreError> {
    if !is_whole(bytes) {
        return Err(RestoreError::Damaged(
            "its checksum is not that of its bytes: a part is missing or was changed".to_owned(),
        ));
    }
    let reader = StreamReader::try_new(Cursor::new(bytes), None)?;
    let header = header(&reader.schema())?;
    let mut stores: Vec<Store> = blocks.iter().map(|_| Store::new()).collect();
    let homes = homes(blocks, &header)?;
    for (old, home) in header.blocks.iter().zip(&homes) {
        if let Some((new, _)) = home {
            stores[*new].clock = Clock { events: old.events, time: old.time, oldest: old.oldest };
        }
    }
    each_key(reader, |old, key, history| {
        let home = homes.get(old).ok_or_else(|| RestoreError::Damaged(format!("there is no block {old}")))?;
        let Some((new, decoder)) = home else { return Ok(()) };
        let store = &mut stores[*new];
        let state = decoder.decode(history, &blocks[*new], &mut store.texts)?;
        store.keys.insert(key.into(), state);
        Ok(())
    })?;
    Ok(stores)
}

/// Shows each key's block, key and history, in their order.
fn each_key<R: std::io::Read>(
    reader: StreamReader<R>,
    mut show: impl FnMut(usize, &[u8], &[u8]) -> Result<(), RestoreError>,
) -> Result<(), RestoreError> {
    for batch in reader {
        let batch = batch?;
        let typed = batch.num_columns() == 3
            && *batch.column(0).data_type() == DataType::Int32
            && batch.columns()[1..].iter().all(|column| *column.data_type() == DataType::Binary);
        if !typed {
            return Err(RestoreError::Damaged("the columns are not those of a state".to_owned()));
        }
        let (blocks, keys, states) = (
            batch.column(0).as_primitive::<Int32Type>(),
            batch.column(1).as_binary::<i32>(),
            batch.column(2).as_binary::<i32>(),
        );
        for row in 0..batch.num_rows() {
            show(blocks.value(row) as usize, keys.value(row), states.value(row))?;
        }
    }
    Ok(())
}

fn header(schema: &Schema) -> Result<Header, RestoreError> {
    let text = schema.metadata().get(METADATA);
    let text = text.ok_or_else(|| RestoreError::Damaged("it does not say what it holds".to_owned()))?;
    let header: serde_json::Value = serde_json::from_str(text).map_err(|e| RestoreError::Damaged(e.to_string()))?;
    match header["version"].as_u64() {
        Some(version) if version == u64::from(VERSION) => {}
        version => {
            let version = version.unwrap_or_default();
            return Err(RestoreError::Incompatible(format!(
                "it has format {version}, and this Firesteel reads format {VERSION}: use the version that wrote it, or a newer one"
            )));
        }
    }
    serde_json::from_value(header).map_err(|error| RestoreError::Damaged(error.to_string()))
}

/// For each block of the state the block that goes on with it, and how.
fn homes(blocks: &[Arc<Block>], header: &Header) -> Result<Vec<Option<(usize, Decoder)>>, RestoreError> {
    let mut free: Vec<usize> = (0..blocks.len()).collect();
    let mut homes = Vec::with_capacity(header.blocks.len());
    let mut lost = None;
    for old in &header.blocks {
        let same = |new: &Layout| new.key == old.layout.key && new.time == old.layout.time;
        let found = free.iter().position(|i| same(&Layout::of(&blocks[*i])));
        homes.push(match found {
            Some(at) => {
                let new = free.remove(at);
                let decoder = Decoder::new(&old.layout, &blocks[new]);
                Some((new, decoder.map_err(|why| RestoreError::Incompatible(format!("windows[{new}]: {why}")))?))
            }
            None => {
                lost.get_or_insert(&old.layout);
                None
            }
        });
    }
    if let (Some(lost), Some(new)) = (lost, free.first())
        && let Err(why) = Decoder::new(lost, &blocks[*new])
    {
        // One block gone and another come: more likely one that was changed, and its state must not be lost unsaid.
        return Err(RestoreError::Incompatible(format!(
            "windows[{new}]: {why}. To give up the old state, run once without the old block and once more with the new one"
        )));
    }
    Ok(homes)
}
