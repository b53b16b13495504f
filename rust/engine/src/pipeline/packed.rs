//! Rows on their way to their keys, as bytes: a few large pieces in place of many rows.
//!
//! An engine that moves rows between tasks pays for each of them; a piece of some hundred rows costs it no more than one.
//! The rows of a batch are put together by the bucket that their key belongs to, each bucket's as an Arrow IPC stream.
//! A row that was rejected belongs nowhere, and goes along with any bucket.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BinaryArray, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::StreamWriter;
use twox_hash::XxHash64;

use super::rejected::REJECTED;
use super::waiting;
use crate::error::StageError;
use crate::state::KeyRows;

/// The column of packed rows.
pub(super) const PACKED: &str = "packed";
/// Seed of the hash that chooses buckets. Kept state depends on it.
const SEED: u64 = 0x6669_7265;
/// Rows of a piece, at most.
pub(super) const MOST_ROWS: usize = 1 << 16;
/// Bytes of a piece beside its values, about: the schema, and a little for each column.
const HEADER_BYTES: usize = 2 << 10;
/// What a column's buffers are padded to.
const PADDING: usize = 64;

/// The schema of packed rows: pieces with their buckets where a part gives them, a piece in each row where it takes them.
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(PACKED, DataType::Binary, true)]))
}

/// Rows of one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where they belong.
    pub bucket: u32,
    /// An Arrow IPC stream.
    pub rows: Vec<u8>,
}

/// Puts rows together by their bucket.
#[derive(Debug)]
pub(super) struct Packer {
    key: Vec<String>,
    buckets: u32,
    /// Columns that a piece needs not have if they are null in it.
    optional: Vec<String>,
}

impl Packer {
    /// For the key columns of the block that the rows go to. Columns that are `optional` are left out where all of a batch's
    /// rows are null: most rows were not rejected, and many did not come from Kafka.
    pub(super) fn new(key: &[String], buckets: u32, optional: Vec<String>) -> Self {
        Self { key: key.to_vec(), buckets: buckets.max(1), optional }
    }

    /// The pieces of a batch, by bucket; each has its rows in the batch's order.
    ///
    /// # Errors
    /// [`StageError`] if a key column is missing, or Arrow can't write the rows.
    pub(super) fn pack(&self, batch: &RecordBatch) -> Result<Vec<Piece>, StageError> {
        let places = self.places(batch)?;
        let mut starts = vec![0_u32; self.buckets as usize + 1];
        places.iter().for_each(|bucket| starts[*bucket as usize + 1] += 1);
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut order = vec![0_u32; places.len()];
        for (row, bucket) in places.iter().enumerate() {
            let to = &mut next[*bucket as usize];
            order[*to as usize] = row as u32;
            *to += 1;
        }
        let to_all = waiting::has_marks(batch);
        let sorted = take_record_batch(&self.lean(batch)?, &UInt32Array::from(order))?;
        let mut pieces = Vec::new();
        for bucket in 0..self.buckets {
            let (mut from, until) = (starts[bucket as usize] as usize, starts[bucket as usize + 1] as usize);
            if from == until && to_all {
                pieces.push(Piece { bucket, rows: write(&sorted.slice(from, 0))? });
            }
            while from < until {
                let rows = MOST_ROWS.min(until - from);
                pieces.push(Piece { bucket, rows: write(&sorted.slice(from, rows))? });
                from += rows;
            }
        }
        Ok(pieces)
    }

    /// Rows that wait for others keep all of their columns: they are held in these.
    fn lean(&self, batch: &RecordBatch) -> Result<RecordBatch, StageError> {
        if batch.column_by_name(waiting::STANDS).is_some() {
            return Ok(batch.clone());
        }
        let schema = batch.schema_ref();
        let stays = |i: &usize| {
            let column = batch.column(*i);
            column.null_count() < column.len() || !self.optional.contains(schema.field(*i).name())
        };
        Ok(batch.project(&(0..batch.num_columns()).filter(stays).collect::<Vec<_>>())?)
    }

    fn places(&self, batch: &RecordBatch) -> Result<Vec<u32>, StageError> {
        let keys = KeyRows::named(&self.key, batch)?;
        let rejected = batch.column_by_name(REJECTED);
        let mut key = Vec::new();
        let place = |row: usize| {
            if rejected.is_some_and(|column| column.is_valid(row)) || !keys.has(row) {
                return row as u32 % self.buckets;
            }
            keys.write(row, &mut key);
            (XxHash64::oneshot(SEED, &key) % u64::from(self.buckets)) as u32
        };
        Ok((0..batch.num_rows()).map(place).collect())
    }
}

/// A batch in pieces of a size that everything takes.
///
/// # Errors
/// [`StageError`] if Arrow can't write the rows.
pub(super) fn pieces(bucket: u32, batch: &RecordBatch) -> Result<Vec<Piece>, StageError> {
    slices(batch).map(|rows| Ok(Piece { bucket, rows: write(&rows)? })).collect()
}

/// The rows of a batch, so many at once as a piece has.
pub(super) fn slices(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let starts = (0..batch.num_rows()).step_by(MOST_ROWS);
    starts.map(|from| batch.slice(from, MOST_ROWS.min(batch.num_rows() - from)))
}

/// Pieces in a batch of `rows` rows: one in each, the last row has what is left. Each is its bucket and its length as four
/// bytes, big-endian, and its rows.
///
/// # Errors
/// [`StageError::Arrow`].
pub(super) fn given(pieces: &[Piece], rows: usize) -> Result<RecordBatch, StageError> {
    let size = pieces.iter().map(|piece| piece.rows.len() + 8).sum::<usize>();
    if i32::try_from(size).is_err() {
        let message = format!("{size} bytes in one batch of packed rows. Lower spark.firesteel.batchSize");
        return Err(StageError::WrongInput { message });
    }
    let mut frames = Vec::with_capacity(size);
    let mut lengths = Vec::with_capacity(rows);
    for row in 0..rows {
        let until = if row + 1 == rows { pieces.len() } else { (row + 1).min(pieces.len()) };
        let start = frames.len();
        for piece in &pieces[row.min(until)..until] {
            frames.extend_from_slice(&piece.bucket.to_be_bytes());
            frames.extend_from_slice(&(piece.rows.len() as u32).to_be_bytes());
            frames.extend_from_slice(&piece.rows);
        }
        lengths.push(frames.len() - start);
    }
    let nulls = Some(NullBuffer::from_iter(lengths.iter().map(|length| *length > 0)));
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    let packed = BinaryArray::try_new(OffsetBuffer::from_lengths(lengths), Buffer::from_vec(frames), nulls)?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema(), vec![Arc::new(packed)], &options)?)
}

fn write(batch: &RecordBatch) -> Result<Vec<u8>, StageError> {
    let size = |column: &ArrayRef| column.to_data().get_slice_memory_size().map(|size| size + 2 * PADDING);
    let size = batch.columns().iter().map(size).sum::<Result<usize, _>>()?;
    let mut writer = StreamWriter::try_new(Vec::with_capacity(size + HEADER_BYTES), &batch.schema())?;
    writer.write(batch)?;
    Ok(writer.into_inner()?)
}

/// Appends the rows of a piece, which stay where they are in its memory.
///
/// # Errors
/// [`StageError`] if it is not what [`Packer::pack`] made.
pub(super) fn unpack(piece: Vec<u8>, batches: &mut Vec<RecordBatch>) -> Result<(), StageError> {
    let (mut decoder, mut piece) = (StreamDecoder::new(), Buffer::from_vec(piece));
    while let Some(batch) = decoder.decode(&mut piece)? {
        batches.push(batch);
    }
    Ok(decoder.finish()?)
}

/// The rows of some pieces, one after the other; `None` if there are none. Columns that only some of them have are null
/// in the others.
///
/// # Errors
/// [`StageError`] if columns of one name have different types.
pub(super) fn together(batches: &[RecordBatch]) -> Result<Option<RecordBatch>, StageError> {
    let Some(first) = batches.first() else { return Ok(None) };
    if batches.iter().all(|batch| batch.schema_ref().fields() == first.schema_ref().fields()) {
        return Ok(Some(concat_batches(&first.schema(), batches)?));
    }
    let mut fields: Vec<FieldRef> = Vec::new();
    for field in batches.iter().flat_map(|batch| batch.schema_ref().fields()) {
        if fields.iter().all(|known| known.name() != field.name()) {
            fields.push(Arc::clone(field));
        }
    }
    let schema = Arc::new(Schema::new(fields));
    let filled = |batch: &RecordBatch| {
        let rows = batch.num_rows();
        let column = |field: &FieldRef| match batch.column_by_name(field.name()) {
            Some(column) => Arc::clone(column),
            None => new_null_array(field.data_type(), rows),
        };
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = schema.fields().iter().map(column).collect();
        RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)
    };
    let filled = batches.iter().map(filled).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(concat_batches(&schema, &filled)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn batch(ids: std::ops::Range<i64>, note: Option<&str>) -> RecordBatch {
        let notes = StringArray::from(vec![note; (ids.end - ids.start) as usize]);
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
        RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("note", Arc::new(notes), true)]).unwrap()
    }

    #[test]
    fn a_column_of_nulls_stays_at_home_and_is_null_beside_pieces_that_have_it() {
        let packer = Packer::new(&["id".to_owned()], 1, vec!["note".to_owned()]);
        let mut batches = Vec::new();
        for (batch, width) in [(batch(0..5, None), 1), (batch(5..7, Some("x")), 2)] {
            for piece in packer.pack(&batch).unwrap() {
                unpack(piece.rows, &mut batches).unwrap();
                assert_eq!(batches.last().unwrap().num_columns(), width);
            }
        }
        let rows = together(&batches).unwrap().unwrap();
        assert_eq!(rows.column(0).as_primitive::<Int64Type>().values(), &[0, 1, 2, 3, 4, 5, 6]);
        let notes: Vec<_> = rows.column_by_name("note").unwrap().as_string::<i32>().iter().collect();
        assert_eq!(notes, [None, None, None, None, None, Some("x"), Some("x")]);
    }

    #[test]
    fn a_piece_that_was_cut_is_an_error() {
        let piece = write(&batch(0..9, Some("x"))).unwrap();
        assert!(unpack(piece[..piece.len() - 30].to_vec(), &mut Vec::new()).is_err());
    }
}
