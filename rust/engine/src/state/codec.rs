//! A key's history as bytes: what state stores and snapshots keep. The same history always gives the same bytes.
//!
//! | part | form |
//! |---|---|
//! | time of the newest event | zigzag varint, microseconds since 1970 |
//! | the clock of all keys at the last event | zigzag varint |
//! | number of events | varint |
//! | per event: time | varint: microseconds after the event before it; the first one's as zigzag varint |
//! | per event: flags | varint, if there are columns or filters: one bit per column that is not null, then one per filter that holds |
//! | per event: values that are not null | whole numbers: zigzag varint; doubles: 8 bytes, little-endian; texts: varint length, UTF-8 |
//! | per mean that halves | its mean and its weight as doubles |
//! | steps of summed-up events | see [`super::step_codec`] |
//!
//! Columns, filters and means are those of a [`Layout`], which is kept beside the bytes; an older layout's bytes are
//! read into a newer block as far as the two know the same expressions.

use serde::{Deserialize, Serialize};

use super::block::Block;
use super::key_state::{Decay, KeyState};
use super::step_codec::{self, PartLayout, StepDecoder};
use super::words::{Kind, Texts, float_word};

/// What the bytes of a block's keys consist of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Key columns and their types.
    pub key: Vec<(String, String)>,
    /// Column of the events' time.
    pub time: String,
    /// Values: the expression and how it is written (`int`, `float`, `text`).
    pub columns: Vec<(String, String)>,
    /// Filters, as expressions.
    pub filters: Vec<String>,
    /// Means that halve: expression, filter, half-life in microseconds.
    pub decays: Vec<(String, Option<String>, i64)>,
    /// What steps hold, if memory has a bound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartLayout>,
}

impl Layout {
    /// The layout that a block writes.
    pub(crate) fn of(block: &Block) -> Self {
        let filter = |filter: u8| block.filters[usize::from(filter)].sql().to_owned();
        Self {
            key: block.key_names.iter().cloned().zip(block.key_types.iter().map(ToString::to_string)).collect(),
            time: block.time_name.clone(),
            columns: block.columns.iter().map(|c| (c.expr.sql().to_owned(), word(c.kind).to_owned())).collect(),
            filters: block.filters.iter().map(|filter| filter.sql().to_owned()).collect(),
            decays: block
                .decays
                .iter()
                .map(|decay| {
                    let value = block.columns[usize::from(decay.value)].expr.sql().to_owned();
                    (value, decay.filter.map(filter), decay.half_life)
                })
                .collect(),
            parts: match block.bound {
                Some(_) => block.inputs.iter().map(|input| PartLayout::of(input, block)).collect(),
                None => Vec::new(),
            },
        }
    }
}

pub(super) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Int => "int",
        Kind::Float => "float",
        Kind::Text => "text",
    }
}

/// The kind that a layout names.
pub(crate) fn kind(word: &str) -> Result<Kind, String> {
    match word {
        "int" => Ok(Kind::Int),
        "float" => Ok(Kind::Float),
        "text" => Ok(Kind::Text),
        other => Err(format!("its state has values of the kind {other}, which this version does not know")),
    }
}

/// Bytes that are no history of their layout: a damaged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes of a key's history are damaged")]
pub struct Damaged;

/// Appends a history's bytes.
pub(crate) fn encode(state: &KeyState, block: &Block, texts: &Texts, out: &mut Vec<u8>) {
    put_signed(out, state.newest());
    put_signed(out, state.seen_at);
    let rows = state.rows(block);
    put(out, rows.len() as u64);
    let columns = block.columns.len() as u32;
    let mut before = None;
    for row in rows {
        match before {
            None => put_signed(out, row.time()),
            Some(before) => put(out, row.time().wrapping_sub(before) as u64),
        }
        before = Some(row.time());
        if block.width.words() == 1 {
            continue;
        }
        let flags = row.0[1];
        put(out, (flags & u64::from(u32::MAX)) | (flags >> 32) << columns);
        for (i, column) in block.columns.iter().enumerate() {
            let Some(word) = row.value(i as u8) else { continue };
            put_word(word, column.kind, texts, out);
        }
    }
    for decay in state.decays() {
        out.extend_from_slice(&decay.mean.to_le_bytes());
        out.extend_from_slice(&decay.weight.to_le_bytes());
    }
    step_codec::encode(state.tail(), block, texts, out);
}

/// Reads histories of one layout into a block.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// How each old column is written, and where it stands in the block now.
    columns: Vec<(Kind, Option<usize>)>,
    /// Where each old filter stands now.
    filters: Vec<Option<usize>>,
    decays: Vec<Option<usize>>,
    steps: StepDecoder,
}

impl Decoder {
    /// # Errors
    /// Why the block can't go on with histories of this layout.
    pub(crate) fn new(layout: &Layout, block: &Block) -> Result<Self, String> {
        let new = Layout::of(block);
        if layout.key != new.key {
            return Err(format!("its key is {}, that of the state is {}", listed(&new.key), listed(&layout.key)));
        }
        if layout.time != new.time {
            return Err(format!("its time is {}, that of the state is {}", new.time, layout.time));
        }
        let columns = layout.columns.iter().map(|column| {
            let kind = kind(&column.1)?;
            Ok::<_, String>((kind, new.columns.iter().position(|there| there == column)))
        });
        let columns = columns.collect::<Result<_, String>>()?;
        let filters =
            layout.filters.iter().map(|filter| new.filters.iter().position(|there| there == filter)).collect();
        let decays = layout.decays.iter().map(|decay| new.decays.iter().position(|there| there == decay)).collect();
        Ok(Self { columns, filters, decays, steps: StepDecoder::new(&layout.parts, block)? })
    }

    /// The history in `bytes`, all of them.
    ///
    /// # Errors
    /// [`Damaged`] if they are something else.
    pub(crate) fn decode(&self, bytes: &[u8], block: &Block, texts: &mut Texts) -> Result<KeyState, Damaged> {
        let mut from = Bytes(bytes);
        let (newest, seen_at) = (from.signed()?, from.signed()?);
        let count = from.varint()? as usize;
        // Each event takes a byte at least: a wrong count can't ask for memory that is not there.
        if count > bytes.len() {
            return Err(Damaged);
        }
        let width = block.width.words();
        let mut rows = Vec::with_capacity(count * width);
        let mut time = 0_i64;
        for i in 0..count {
            time = if i == 0 { from.signed()? } else { time.wrapping_add(from.varint()? as i64) };
            let at = rows.len();
            rows.push(time as u64);
            rows.resize(at + width, 0);
            if self.columns.is_empty() && self.filters.is_empty() {
                continue;
            }
            let flags = from.varint()?;
            for (c, (kind, to)) in self.columns.iter().enumerate() {
                if flags >> c & 1 == 0 {
                    continue;
                }
                let word = from.word(*kind, texts)?;
                if let Some(to) = to {
                    rows[at + 1] |= 1 << to;
                    rows[at + 2 + to] = word;
                }
            }
            for (f, to) in self.filters.iter().enumerate() {
                if let Some(to) = to
                    && flags >> (self.columns.len() + f) & 1 != 0
                {
                    rows[at + 1] |= 1 << (32 + to);
                }
            }
        }
        let mut decays = vec![Decay::default(); block.decays.len()];
        for to in &self.decays {
            let decay = Decay { mean: from.double()?, weight: from.double()? };
            if let Some(to) = to {
                decays[*to] = decay;
            }
        }
        let tail = self.steps.decode(&mut from, block, texts)?;
        if !from.0.is_empty() {
            return Err(Damaged);
        }
        Ok(KeyState::restored((newest, seen_at), &rows, tail, decays, block))
    }
}

fn listed(key: &[(String, String)]) -> String {
    key.iter().map(|(name, data_type)| format!("{name} {data_type}")).collect::<Vec<_>>().join(", ")
}

/// Appends a varint.
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a zigzag varint.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, (value << 1 ^ value >> 63) as u64);
}

/// Appends a value.
pub(super) fn put_word(word: u64, kind: Kind, texts: &Texts, out: &mut Vec<u8>) {
    match kind {
        Kind::Int => put_signed(out, word as i64),
        Kind::Float => out.extend_from_slice(&word.to_le_bytes()),
        Kind::Text => {
            let text = texts.text(word).as_bytes();
            put(out, text.len() as u64);
            out.extend_from_slice(text);
        }
    }
}

/// What is still to be read.
#[derive(Debug)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    /// So many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Damaged> {
        let (front, rest) = self.0.split_at_checked(count).ok_or(Damaged)?;
        self.0 = rest;
        Ok(front)
    }

    /// The next varint.
    pub(crate) fn varint(&mut self) -> Result<u64, Damaged> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Damaged)
    }

    /// The next zigzag varint.
    pub(crate) fn signed(&mut self) -> Result<i64, Damaged> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// The next 8 bytes as a double.
    pub(crate) fn double(&mut self) -> Result<f64, Damaged> {
        Ok(f64::from_le_bytes(self.take(8)?.try_into().map_err(|_| Damaged)?))
    }

    /// How many of something follow, each of a byte at least: a wrong number can't ask for memory that is not there.
    pub(super) fn length(&mut self) -> Result<usize, Damaged> {
        let length = self.varint()? as usize;
        if length > self.0.len() { Err(Damaged) } else { Ok(length) }
    }

    /// The next value of a kind.
    pub(super) fn word(&mut self, kind: Kind, texts: &mut Texts) -> Result<u64, Damaged> {
        Ok(match kind {
            Kind::Int => self.signed()? as u64,
            Kind::Float => float_word(self.double()?),
            Kind::Text => texts.number(self.text()?),
        })
    }

    /// The next text, its length before it.
    pub(crate) fn text(&mut self) -> Result<&'a str, Damaged> {
        let length = self.varint()? as usize;
        std::str::from_utf8(self.take(length)?).map_err(|_| Damaged)
    }
}
