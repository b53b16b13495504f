//! Shows a batch's events to the histories of their keys, key by key.
//!
//! Histories lie all over the memory: who goes through them event by event waits for memory most of the time. So the
//! events of a key are shown to it together, in their order. Keys share nothing but the clock, and that is gone through
//! first, in the order of all events. What an event carries is then put where its key's events stand, and its results come
//! back from there, for the same reason: a key's events lie all over a batch.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::filter;
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;

use super::block::Block;
use super::groups::Groups;
use super::key_state::{KeyState, Observed, Scratch};
use super::keys::Keys;
use super::store::{Store, Turn};
use super::words::{Texts, Words, WordsBuilder};
use crate::error::StageError;

/// Rows that were too late, and why.
pub(super) type Late = Vec<(u32, String)>;

/// Shows every row to the history of its key; gives the columns of those that were not too late, and those that were.
pub(super) fn observe(
    batch: &RecordBatch,
    arguments: &[ArrayRef],
    block: &Block,
    store: &mut Store,
    scratch: &mut Scratch,
) -> Result<(Vec<ArrayRef>, Late), StageError> {
    let rows = batch.num_rows();
    let keys: Vec<ArrayRef> = block.key.iter().map(|i| ArrayRef::clone(batch.column(*i))).collect();
    let groups = Groups::of(&Keys::new(&keys)?, rows);
    let times = micros(batch.column(block.time))?;
    let times = times.as_primitive::<Int64Type>().values();
    let (columns, filters) = arguments.split_at(block.columns.len());
    let columns = columns.iter().map(Words::new).collect::<Result<Vec<_>, _>>()?;
    let width = block.width.words();
    let mut carried = vec![0; rows * width];
    let mut turns = vec![Turn { now: 0, forgotten: 0 }; rows];
    for (at, place) in groups.places().iter().map(|place| *place as usize).enumerate() {
        turns[place] = store.turn(times[at], block);
        let row = &mut carried[place * width..(place + 1) * width];
        row[0] = times[at] as u64;
        if width > 1 {
            fill(row, at, &columns, filters, &mut store.texts);
        }
    }
    let mut results: Vec<WordsBuilder> = block.outputs.iter().map(|_| WordsBuilder::new(rows)).collect();
    let mut late = Late::new();
    let Store { keys, texts, .. } = store;
    let defaults = defaults(block, texts)?;
    let (mut carried, mut turns) = (carried.chunks_exact(width), turns.into_iter());
    let mut place = 0;
    for (key, events) in groups.iter() {
        let state = match keys.get_mut(key) {
            Some(state) => state,
            None => keys.entry(key.into()).or_insert_with(|| KeyState::new(block)),
        };
        for ((at, row), turn) in events.iter().zip(&mut carried).zip(&mut turns) {
            if state.seen_at < turn.forgotten {
                *state = KeyState::new(block);
            }
            state.seen_at = turn.now;
            match state.observe(row, block, texts, scratch) {
                Observed::Taken | Observed::Used => {
                    for ((builder, result), default) in results.iter_mut().zip(&scratch.results).zip(&defaults) {
                        builder.set(place, result.or(*default));
                    }
                }
                Observed::TooLate(by) => late.push((*at, too_late(by, block))),
            }
            place += 1;
        }
    }
    late.sort_unstable();
    let mut arrays = Vec::with_capacity(results.len());
    for (builder, output) in results.into_iter().zip(&block.outputs) {
        arrays.push(builder.ordered(groups.places()).finish(output.field.data_type(), &store.texts)?);
    }
    store.sweep(block);
    if !late.is_empty() {
        let mut taken = vec![true; rows];
        late.iter().for_each(|(at, _)| taken[*at as usize] = false);
        let taken = BooleanArray::from(taken);
        for array in &mut arrays {
            *array = filter(array, &taken)?;
        }
    }
    Ok((arrays, late))
}

/// Times as whole numbers: microseconds since 1970.
pub(super) fn micros(column: &ArrayRef) -> Result<ArrayRef, StageError> {
    Ok(Words::new(column)?.into_column())
}

/// What takes the place of null in each output.
fn defaults(block: &Block, texts: &mut Texts) -> Result<Vec<Option<u64>>, StageError> {
    let word = |value: Option<&ArrayRef>| match value {
        Some(value) => Ok(Words::new(value)?.get(0, texts)),
        None => Ok(None),
    };
    block.outputs.iter().map(|output| output.default.as_ref()).map(word).collect()
}

/// The flags and values of a row.
fn fill(row: &mut [u64], at: usize, columns: &[Words], filters: &[ArrayRef], texts: &mut Texts) {
    let mut flags = 0;
    for (i, column) in columns.iter().enumerate() {
        let word = column.get(at, texts);
        flags |= u64::from(word.is_some()) << i;
        row[2 + i] = word.unwrap_or_default();
    }
    for (i, filter) in filters.iter().enumerate() {
        let filter = filter.as_boolean();
        flags |= u64::from(filter.is_valid(at) && filter.value(at)) << (32 + i);
    }
    row[1] = flags;
}

fn too_late(by: i64, block: &Block) -> String {
    let seconds = |micros: i64| micros as f64 / 1e6;
    if by <= block.allow {
        return format!(
            "{:.3} seconds older than the newest event of its key ({}), which has more events since than are kept one by one (bound)",
            seconds(by),
            block.key_names.join(", "),
        );
    }
    format!(
        "{:.3} seconds older than the newest event of its key ({}); {:.3} are allowed",
        seconds(by),
        block.key_names.join(", "),
        seconds(block.allow)
    )
}
