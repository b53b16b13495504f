//! The stage: a batch in, the same rows with the blocks' columns out.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Field, Int64Type, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use super::block::{self, Block};
use super::key_state::Scratch;
use super::observe::{micros, observe};
use super::snapshot::{self, RestoreError};
use super::store::Store;
use crate::error::{SpecErrors, StageError};
use crate::features::{CompiledExpr, Rows};
use crate::spec::WindowSpec;
use crate::stage::{RejectCode, Staged};

/// Window blocks in their order, and the state that they work on.
#[derive(Debug)]
pub struct Windows {
    blocks: Arc<[Arc<Block>]>,
    /// What events carry into the states: of each block the columns, then the filters.
    arguments: Vec<Vec<CompiledExpr>>,
    /// Position of the first block in its pipeline, for messages.
    first: usize,
    output: SchemaRef,
    state: WindowState,
    scratch: Scratch,
}

/// What is known of all keys, block by block.
#[derive(Debug)]
pub struct WindowState {
    blocks: Arc<[Arc<Block>]>,
    stores: Vec<Store>,
}

impl WindowState {
    fn empty(blocks: &Arc<[Arc<Block>]>) -> Self {
        Self { blocks: Arc::clone(blocks), stores: blocks.iter().map(|_| Store::new()).collect() }
    }

    /// Keys that are known, over all blocks.
    pub fn keys(&self) -> usize {
        self.stores.iter().map(|store| store.keys.len()).sum()
    }

    /// Events that were seen, those of the first block.
    pub fn events(&self) -> u64 {
        self.stores.first().map_or(0, |store| store.clock.events)
    }

    /// Memory that they take, about. Unit: bytes.
    pub fn bytes(&self) -> usize {
        self.stores.iter().map(Store::bytes).sum()
    }

    /// All that is known, as bytes; the same state gives the same bytes.
    ///
    /// # Errors
    /// [`StageError::Arrow`] if Arrow can't write them.
    pub fn save(&self) -> Result<Vec<u8>, StageError> {
        Ok(snapshot::save(&self.blocks, &self.stores)?)
    }
}

/// Microseconds from 1970 to the beginning of the year 1, and to the beginning of the year 10000.
const YEAR_1_MICROS: i64 = -62_135_596_800_000_000;
const YEAR_10000_MICROS: i64 = 253_402_300_800_000_000;

impl Windows {
    /// Fails on blocks that could never work, with every fault of each.
    pub fn try_new(spec: &[WindowSpec], input: &SchemaRef) -> Result<Self, SpecErrors> {
        let (mut blocks, mut faults) = (Vec::with_capacity(spec.len()), Vec::new());
        for (position, block) in spec.iter().enumerate() {
            match Block::compile(block, position, input) {
                Ok(block) => blocks.push(Arc::new(block)),
                Err(found) => faults.extend(found.0),
            }
        }
        if !faults.is_empty() {
            return Err(SpecErrors(faults));
        }
        let arguments = blocks
            .iter()
            .map(|block| block.columns.iter().map(|column| &column.expr).chain(&block.filters).cloned().collect())
            .collect();
        let mut output = input.fields().to_vec();
        blocks.iter().for_each(|block| output.extend(block::fields(block)));
        let output = Arc::new(Schema::new_with_metadata(output, input.metadata().clone()));
        let blocks: Arc<[Arc<Block>]> = blocks.into();
        let state = WindowState::empty(&blocks);
        Ok(Self { blocks, arguments, first: 0, output, state, scratch: Scratch::default() })
    }

    /// The same, as the block at `position` of its pipeline, for messages.
    #[must_use]
    pub(crate) fn at(mut self, position: usize) -> Self {
        self.first = position;
        self
    }

    /// The input's columns, then the blocks'.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Forgets everything.
    pub fn restart(&mut self) {
        self.state = self.empty_state();
    }

    /// A state of these blocks in which nothing is known.
    pub fn empty_state(&self) -> WindowState {
        WindowState::empty(&self.blocks)
    }

    /// What is known.
    pub fn state(&self) -> &WindowState {
        &self.state
    }

    /// Goes on with another state, which must be one of these blocks; gives the one it had.
    pub fn replace_state(&mut self, state: WindowState) -> WindowState {
        std::mem::replace(&mut self.state, state)
    }

    /// The block, if there is one alone.
    pub(crate) fn only_block(&self) -> Option<&Block> {
        match &*self.blocks {
            [block] => Some(block),
            _ => None,
        }
    }

    /// Goes on with other histories of the one block; gives those that it had.
    pub(crate) fn replace_only_store(&mut self, store: Store) -> Store {
        match self.state.stores.first_mut() {
            Some(first) => std::mem::replace(first, store),
            None => store,
        }
    }

    /// The state that [`WindowState::save`] wrote, by these blocks or by older ones: new columns of old events are null, a
    /// new block knows nothing yet.
    ///
    /// # Errors
    /// [`RestoreError`].
    pub fn restored(&self, bytes: &[u8]) -> Result<WindowState, RestoreError> {
        Ok(WindowState { blocks: Arc::clone(&self.blocks), stores: snapshot::restore(&self.blocks, bytes)? })
    }

    /// Append the columns; events are worked on in the order of the rows. Codes: NULL_KEY, BAD_EVENT_TIME, LATE_EVENT, and
    /// EXPRESSION_FAILED if an argument fails.
    ///
    /// # Errors
    /// [`StageError::Internal`] or [`StageError::Arrow`]: the state may then be ahead of the batch and must not be used on.
    pub fn process(&mut self, batch: RecordBatch) -> Result<Staged, StageError> {
        if self.blocks.is_empty() {
            return Ok(Staged::all(batch));
        }
        let mut rows = Rows::new(batch);
        for (i, block) in self.blocks.iter().enumerate() {
            let width = rows.batch.num_columns();
            evaluate(&mut rows, &self.arguments[i], self.first + i)?;
            reject_unplaced(&mut rows, block)?;
            let arguments = rows.batch.columns()[width..].to_vec();
            rows.batch = rows.batch.project(&(0..width).collect::<Vec<_>>())?;
            let (columns, late) =
                observe(&rows.batch, &arguments, block, &mut self.state.stores[i], &mut self.scratch)?;
            rows.reject(RejectCode::LateEvent, late)?;
            let fields = rows.batch.schema().fields().iter().cloned().chain(block::fields(block)).collect::<Vec<_>>();
            let columns = rows.batch.columns().iter().cloned().chain(columns).collect();
            rows.batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        }
        rows.batch = RecordBatch::try_new(Arc::clone(&self.output), rows.batch.columns().to_vec())?;
        Ok(rows.staged())
    }
}

/// Appends what a block's events carry; rows on which it fails are out.
fn evaluate(rows: &mut Rows, arguments: &[CompiledExpr], position: usize) -> Result<(), StageError> {
    for expr in arguments {
        let evaluated = expr.evaluate(&rows.batch)?;
        let mut fields = rows.batch.schema().fields().to_vec();
        fields.push(Arc::new(Field::new("_argument", expr.data_type().clone(), true)));
        let mut columns = rows.batch.columns().to_vec();
        columns.push(evaluated.values);
        rows.batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        let named = |(row, reason)| (row, format!("windows[{position}]: {}: {reason}", expr.sql()));
        rows.reject(RejectCode::ExpressionFailed, evaluated.failed.into_iter().map(named).collect())?;
    }
    Ok(())
}

/// Rows without a key or a time.
fn reject_unplaced(rows: &mut Rows, block: &Block) -> Result<(), StageError> {
    for (position, name) in block.key.iter().zip(&block.key_names) {
        let column = rows.batch.column(*position);
        if column.null_count() > 0 {
            let message = format!("key column {name} is null");
            let nulls = (0..column.len()).filter(|row| column.is_null(*row));
            rows.reject(RejectCode::NullKey, nulls.map(|row| (row as u32, message.clone())).collect())?;
        }
    }
    let times = micros(rows.batch.column(block.time))?;
    let name = &block.time_name;
    let fault = |row: usize| {
        if times.is_null(row) {
            return Some(format!("{name} is null"));
        }
        let time = times.as_primitive::<Int64Type>().value(row);
        let good = (YEAR_1_MICROS..YEAR_10000_MICROS).contains(&time);
        (!good).then(|| format!("{name} is not in the years 1 to 9999"))
    };
    let bad = (0..times.len()).filter_map(|row| Some((row as u32, fault(row)?))).collect();
    rows.reject(RejectCode::BadEventTime, bad)
}
