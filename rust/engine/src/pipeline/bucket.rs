//! One window block over the rows of one bucket, for engines that keep each key's bytes in a store of theirs.
//!
//! ```text
//! add… ──► begin ──► keys ──(the store gives their bytes)──► run ──► pieces for what comes next, the keys' bytes
//! ```
//! A batch has no store: its buckets begin with nothing, and what is to be kept is not looked at.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;

use arrow::array::Array;
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use super::arrival::{Arrival, Order};
use super::call::InputMode;
use super::packed::{self, Packer, Piece, together, unpack};
use super::parts::Part;
use super::rejected::REJECTED;
use super::stages::PipelineRunner;
use super::waiting;
use crate::error::{SpecError, SpecErrors, StageError};
use crate::spec::PipelineSpec;
use crate::state::{Bucket, RestoreError};

/// What can go wrong in a bucket.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// A batch that could not be processed.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// Kept bytes that can't be taken up.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// What a bucket gives.
#[derive(Debug)]
pub struct BucketRun {
    /// The rows with the block's columns, for the buckets of the block behind it.
    pub pieces: Vec<Piece>,
    /// For each key of [`BucketRunner::begin`] its bytes to keep; `None` if there is nothing to keep.
    pub kept: Vec<Option<Vec<u8>>>,
    /// The bucket's own bytes to keep.
    pub book: Vec<u8>,
    /// The rows that wait for others, to be given to the next [`BucketRunner::begin`]; of a pipeline without `order` none.
    pub held: Option<Vec<u8>>,
    /// Whether it is worth asking [`BucketRunner::is_over`] of every key in the store.
    pub clean: bool,
}

/// What rows of a stream wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// Nothing.
    No,
    /// So many partitions: the first block.
    For(u32),
    /// Their order was made by the first block.
    Done,
}

/// A bucket that was begun.
#[derive(Debug)]
struct Open {
    bucket: Bucket,
    number: u32,
    rows: Option<RecordBatch>,
    held: Option<Vec<u8>>,
}

/// Works on one bucket after the other.
#[derive(Debug)]
pub struct BucketRunner {
    runner: PipelineRunner,
    arrival: Arrival,
    waits: Waits,
    buckets: u32,
    next: Option<Packer>,
    /// What comes behind the last block, if it is not somewhere else.
    back: Option<PipelineRunner>,
    /// What `back` has not seen yet.
    slices: VecDeque<RecordBatch>,
    /// Rows that came for the next bucket.
    came: Vec<RecordBatch>,
    /// Between `begin` and `run`.
    open: Option<Open>,
    last: Option<Bucket>,
}

impl BucketRunner {
    pub(super) fn try_new(
        spec: &PipelineSpec,
        mode: InputMode,
        block: usize,
        buckets: u32,
        by: Order,
    ) -> Result<Self, SpecErrors> {
        let missing = || SpecError::new("INTERNAL", "windows", format!("there is no block {block}"));
        let window = spec.windows.get(block).ok_or_else(missing)?;
        let leaves = spec.input.schema.leaves();
        let own = |name: &str| leaves.fields().iter().any(|field| field.name() == name);
        let arrival = Arrival {
            time: window.time.clone(),
            order: window.order.clone(),
            by,
            kafka: !["topic", "partition", "offset"].iter().any(|name| own(name)),
        };
        let runner = PipelineRunner::try_new(spec, mode, Some(Part::Block(block)))?;
        let next = spec.windows.get(block + 1).map(|window| Packer::new(&window.key, buckets, runner.may_lack()));
        let waits = match &spec.order {
            Some(order) if by == Order::Arrival && block == 0 => Waits::For(order.partitions),
            Some(_) if by == Order::Arrival => Waits::Done,
            _ => Waits::No,
        };
        let (back, slices, came) = (None, VecDeque::new(), Vec::new());
        Ok(Self { runner, arrival, waits, buckets, next, back, slices, came, open: None, last: None })
    }

    /// The last block of a history, with what comes behind it: rows go through both without being packed in between.
    pub(super) fn with_back(
        spec: &PipelineSpec,
        mode: InputMode,
        block: usize,
        buckets: u32,
    ) -> Result<Self, SpecErrors> {
        let mut runner = Self::try_new(spec, mode, block, buckets, Order::Time)?;
        if runner.next.is_some() {
            return Err(SpecError::new("INTERNAL", "windows", format!("block {block} is not the last")).into());
        }
        let mut back = PipelineRunner::try_new(spec, mode, Some(Part::Back))?;
        back.open()?;
        runner.back = Some(back);
        Ok(runner)
    }

    /// What rows of a result are; `None` if results are pieces.
    pub fn output_schema(&self) -> Option<&SchemaRef> {
        self.back.as_ref().map(PipelineRunner::output_schema)
    }

    /// Works on the pieces that came, all of one bucket whose keys nobody knows before or after.
    ///
    /// # Errors
    /// [`BucketError`].
    pub fn run_whole(&mut self, cancelled: &AtomicBool) -> Result<(), BucketError> {
        let came = std::mem::take(&mut self.came);
        self.slices.clear();
        let Some(rows) = together(&came)? else { return Ok(()) };
        drop(came);
        let rows = self.arrival.ordered(rows)?;
        self.runner.windows_mut().restart();
        let result = self.runner.process(&rows, cancelled)?;
        self.runner.windows_mut().restart();
        self.slices = packed::slices(&result).collect();
        Ok(())
    }

    /// The next rows of the bucket that was worked on, as they come out of the pipeline; `None` behind the last.
    ///
    /// # Errors
    /// [`BucketError::Stage`].
    pub fn next_rows(&mut self, cancelled: &AtomicBool) -> Result<Option<RecordBatch>, BucketError> {
        let (Some(back), Some(rows)) = (&mut self.back, self.slices.pop_front()) else { return Ok(None) };
        Ok(Some(back.process_rows(&rows, cancelled)?))
    }

    /// Takes a piece for the bucket that is begun next.
    ///
    /// # Errors
    /// [`BucketError::Stage`] if it is none.
    pub fn add(&mut self, piece: Vec<u8>) -> Result<(), BucketError> {
        Ok(unpack(piece, &mut self.came)?)
    }

    /// Begins with a bucket: its book and the rows that it holds, if it has any, and the pieces that came for it. Gives the
    /// keys whose bytes are needed.
    ///
    /// # Errors
    /// [`BucketError`].
    pub fn begin(
        &mut self,
        number: u32,
        book: Option<&[u8]>,
        held: Option<&[u8]>,
    ) -> Result<Vec<Box<[u8]>>, BucketError> {
        let came = std::mem::take(&mut self.came);
        let windows = self.runner.windows_mut();
        let mut bucket = Bucket::open(windows, self.buckets, book)?;
        let mut holds = held.map(<[u8]>::to_vec);
        let rows = match self.waits {
            Waits::No => together(&came)?.map(|rows| self.arrival.ordered(rows)).transpose()?,
            Waits::Done => together(&came)?.map(|rows| waiting::in_order(&rows)).transpose()?,
            Waits::For(partitions) => waiting::release(&came, held, partitions)?.map(|released| {
                holds = Some(released.held);
                released.rows
            }),
        };
        let mut keys = Vec::new();
        if let Some(rows) = &rows {
            let rejected = rows.column_by_name(REJECTED);
            let live = |row: usize| rejected.is_none_or(|column| column.is_null(row));
            keys = bucket.keys_of(self.runner.windows_mut(), rows, live)?.to_vec();
        }
        self.open = Some(Open { bucket, number, rows, held: holds });
        Ok(keys)
    }

    /// Works on the bucket's rows; `kept` are the bytes of the keys that `begin` gave.
    ///
    /// # Errors
    /// [`BucketError`].
    pub fn run(&mut self, kept: &[Option<Vec<u8>>], cancelled: &AtomicBool) -> Result<BucketRun, BucketError> {
        let Some(Open { mut bucket, number, rows, held }) = self.open.take() else {
            return Err(StageError::internal("windows", "a bucket was run before it was begun".to_owned()).into());
        };
        bucket.take_up(self.runner.windows_mut(), kept)?;
        let mut pieces = Vec::new();
        if let Some(rows) = rows {
            let result = self.runner.process(&rows, cancelled)?;
            pieces = match &mut self.next {
                Some(packer) => packer.pack(&result)?,
                None => packed::pieces(number, &result)?,
            };
        }
        let windows = self.runner.windows_mut();
        let kept = bucket.hand_back(windows);
        let clean = bucket.cleaning_is_due(windows);
        let book = bucket.book()?;
        self.last = Some(bucket);
        Ok(BucketRun { pieces, kept, book, held, clean })
    }

    /// Whether a key with these bytes is over, by the bucket that was run last.
    pub fn is_over(&self, bytes: &[u8]) -> bool {
        self.last.as_ref().is_some_and(|bucket| bucket.is_over(bytes))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::{BTreeMap, HashMap};
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, BinaryArray, Int32Array, Int64Array, StringArray};
    use arrow::compute::{concat_batches, lexsort_to_indices, take_record_batch};

    use super::*;
    use crate::pipeline::{Compiled, PreparedParts, prepare_parts, prepare_pipeline};

    const YAML: &str = "
name: t
input: {schema: 'id BIGINT, k BIGINT, g STRING, ts TIMESTAMP, x DOUBLE, unused STRING'}
clean: [{check: id <> 3}]
features: {double: x * 2, far: double > 3 * k_mean_1h, farther: far AND k_n_1h > 1}
windows:
  - {key: k, time: ts, over: 1 hour, compute: {n: count(*), mean: avg(double), first: first(g)}}
  - {key: g, time: ts, over: [1 minute, 1 hour], compute: {n: count(*)}}
output: [id, k_n_1h, k_mean_1h, k_first_1h, g_n_1m, g_n_1h, far, farther]
";
    const BUCKETS: u32 = 3;

    fn records(from: i64, until: i64) -> RecordBatch {
        let value = |i: i64| match i % 23 {
            5 => "rubbish".to_owned(),
            7 => format!(r#"{{"id": {i}, "ts": "2026-01-01T00:00:00Z", "x": 1, "g": "a"}}"#),
            8 => format!(r#"{{"id": {i}, "k": 1, "ts": "2026-01-01T00:00:00Z", "x": 1}}"#),
            _ => {
                let (hour, minute) = (i / 20 % 24, i * 7 % 60);
                let (k, g, x) = (i % 11, ["a", "b", "c"][i as usize % 3], i * i);
                format!(
                    r#"{{"id": {i}, "k": {k}, "g": "{g}", "ts": "2026-01-01T{hour:02}:{minute:02}:00Z", "x": {x}}}"#
                )
            }
        };
        let rows = (until - from) as usize;
        let columns: [(&str, ArrayRef); 4] = [
            ("value", Arc::new(BinaryArray::from_iter_values((from..until).map(value)))),
            ("topic", Arc::new(StringArray::from(vec!["t"; rows]))),
            ("partition", Arc::new(Int32Array::from(vec![0; rows]))),
            ("offset", Arc::new(Int64Array::from_iter_values(from..until))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn prepared() -> PreparedParts {
        prepare_parts(YAML, "t.yaml", &[], InputMode::Bytes, BUCKETS, true).unwrap()
    }

    fn compiled(call: &str) -> Compiled {
        Compiled::new(&serde_json::from_str(call).unwrap()).unwrap()
    }

    fn run(compiled: &Compiled, batch: &RecordBatch) -> RecordBatch {
        compiled.runner().unwrap().process(batch, &AtomicBool::new(false)).unwrap()
    }

    fn pieces_of(packed: &RecordBatch) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for mut bytes in packed.column(0).as_binary::<i32>().iter().flatten() {
            while let Some((head, rest)) = bytes.split_first_chunk::<8>() {
                let bucket = u32::from_be_bytes(head[..4].try_into().unwrap());
                let (rows, rest) = rest.split_at(u32::from_be_bytes(head[4..].try_into().unwrap()) as usize);
                pieces.push(Piece { bucket, rows: rows.to_vec() });
                bytes = rest;
            }
        }
        pieces
    }

    type Histories = HashMap<Box<[u8]>, Vec<u8>>;

    /// What a state store holds of a block: books and histories by bucket.
    #[derive(Default)]
    struct Kept(HashMap<u32, Bytes>);

    /// Book, rows that wait, histories.
    type Bytes = (Vec<u8>, Option<Vec<u8>>, Histories);

    fn block(call: &str, pieces: Vec<Piece>, kept: &mut Kept) -> Vec<Piece> {
        let mut runner = compiled(call).bucket(BUCKETS, Order::Arrival).unwrap();
        let mut by_bucket: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
        // As after a shuffle: in no order.
        pieces.into_iter().rev().for_each(|piece| by_bucket.entry(piece.bucket).or_default().push(piece.rows));
        let mut out = Vec::new();
        for (number, pieces) in by_bucket {
            let (book, held, histories) = kept.0.entry(number).or_default();
            let had = Some(book.as_slice()).filter(|book| !book.is_empty());
            pieces.iter().for_each(|piece| runner.add(piece.to_vec()).unwrap());
            let keys = runner.begin(number, had, held.as_deref()).unwrap();
            let asked: Vec<Option<Vec<u8>>> = keys.iter().map(|key| histories.get(key).cloned()).collect();
            let run = runner.run(&asked, &AtomicBool::new(false)).unwrap();
            for (key, bytes) in keys.into_iter().zip(run.kept) {
                match bytes {
                    Some(bytes) => histories.insert(key, bytes),
                    None => histories.remove(&key),
                };
            }
            *book = run.book;
            *held = run.held;
            out.extend(run.pieces);
        }
        out
    }

    fn in_micro_batches(size: i64, until: i64) -> RecordBatch {
        let prepared = prepared();
        let (front, back) = (compiled(&prepared.front.call), compiled(&prepared.back.call));
        assert!(front.keeps_rows() && !back.keeps_rows());
        let mut kept: Vec<Kept> = prepared.blocks.iter().map(|_| Kept::default()).collect();
        let mut results = Vec::new();
        for from in (0..until).step_by(size as usize) {
            let packed = run(&front, &records(from, until.min(from + size)));
            assert_eq!(packed.num_rows() as i64, size.min(until - from));
            let mut pieces = pieces_of(&packed);
            for (call, kept) in prepared.blocks.iter().zip(&mut kept) {
                pieces = block(call, pieces, kept);
            }
            for piece in pieces {
                let one = RecordBatch::try_from_iter([(
                    packed::PACKED,
                    Arc::new(BinaryArray::from_iter_values([piece.rows])) as ArrayRef,
                )]);
                results.push(run(&back, &one.unwrap()));
            }
        }
        concat_batches(&results[0].schema(), &results).unwrap()
    }

    fn sorted(batch: &RecordBatch) -> RecordBatch {
        let by = |name: &str| arrow::compute::SortColumn {
            values: Arc::clone(batch.column_by_name(name).unwrap()),
            options: None,
        };
        take_record_batch(batch, &lexsort_to_indices(&[by("id")], None).unwrap()).unwrap()
    }

    #[test]
    fn the_last_block_of_a_history_gives_what_its_pieces_would() {
        let prepared = prepared();
        let (front, back, last) = (&prepared.front.call, &prepared.back.call, &prepared.blocks[1]);
        let cancelled = AtomicBool::new(false);
        // Pieces of different columns: in the second batch nothing is rejected, and nothing came from Kafka.
        let batches = [records(0, 300), records(300, 304).project(&[0]).unwrap()];
        let pieces = batches.iter().flat_map(|batch| pieces_of(&run(&compiled(front), batch))).collect();
        let pieces = block(&prepared.blocks[0], pieces, &mut Kept::default());
        let mut direct = compiled(last).last_bucket(BUCKETS).unwrap();
        let mut packed = compiled(last).bucket(BUCKETS, Order::Time).unwrap();
        let (mut rows, mut unpacked) = (Vec::new(), Vec::new());
        for bucket in 0..BUCKETS {
            for piece in pieces.iter().filter(|piece| piece.bucket == bucket) {
                direct.add(piece.rows.clone()).unwrap();
                packed.add(piece.rows.clone()).unwrap();
            }
            direct.run_whole(&cancelled).unwrap();
            rows.extend(std::iter::from_fn(|| direct.next_rows(&cancelled).unwrap()));
            let keys = packed.begin(bucket, None, None).unwrap();
            for piece in packed.run(&vec![None; keys.len()], &cancelled).unwrap().pieces {
                let one: ArrayRef = Arc::new(BinaryArray::from_iter_values([piece.rows]));
                unpacked.push(run(&compiled(back), &RecordBatch::try_from_iter([(packed::PACKED, one)]).unwrap()));
            }
        }
        assert!(direct.next_rows(&cancelled).unwrap().is_none());
        let together = |batches: &[RecordBatch]| concat_batches(&batches[0].schema(), batches).unwrap();
        let rows = together(&rows);
        assert_eq!(rows.num_rows(), 304);
        assert_eq!(rows, together(&unpacked));
    }

    #[test]
    fn packed_in_any_micro_batches_is_the_same_as_whole() {
        let whole = prepare_pipeline(YAML, "t.yaml", &[], InputMode::Bytes).unwrap();
        let expected = run(&compiled(&whole.call), &records(0, 500));
        let accepted = |batch: &RecordBatch| {
            let live = arrow::compute::is_null(batch.column_by_name(REJECTED).unwrap()).unwrap();
            sorted(&arrow::compute::filter_record_batch(batch, &live).unwrap())
        };
        let rejected = |batch: &RecordBatch| {
            let column = batch.column_by_name(REJECTED).unwrap().as_struct().clone();
            let text = |i: usize, row: usize| column.column(i).as_string::<i32>().value(row).to_owned();
            let mut rows: Vec<_> = (0..batch.num_rows())
                .filter(|row| column.is_valid(*row))
                .map(|row| {
                    (
                        column.column(2).as_primitive::<arrow::datatypes::Int64Type>().value(row),
                        text(4, row),
                        text(5, row),
                    )
                })
                .collect();
            rows.sort_unstable();
            rows
        };
        assert!(rejected(&expected).len() > 60);
        for size in [1, 7, 100, 500] {
            let result = in_micro_batches(size, 500);
            assert_eq!(result.num_rows(), 500, "{size}");
            let (result_rows, expected_rows) = (accepted(&result), accepted(&expected));
            for (field, column) in expected_rows.schema().fields().iter().zip(expected_rows.columns()) {
                let found = result_rows.column_by_name(field.name()).unwrap();
                let differs = (0..column.len()).find(|row| found.slice(*row, 1) != column.slice(*row, 1));
                let shown = differs.map(|row| (row, found.slice(row, 1), column.slice(row, 1)));
                assert!(shown.is_none(), "{size} {}: {shown:?}", field.name());
            }
            assert_eq!(rejected(&result), rejected(&expected), "{size}");
        }
    }

    #[test]
    fn another_number_of_buckets_is_refused() {
        let prepared = prepared();
        let packed = run(&compiled(&prepared.front.call), &records(0, 50));
        let mut kept = Kept::default();
        block(&prepared.blocks[0], pieces_of(&packed), &mut kept);
        let mut runner = compiled(&prepared.blocks[0]).bucket(BUCKETS + 1, Order::Arrival).unwrap();
        let error = runner.begin(0, Some(&kept.0[&0].0), None).unwrap_err().to_string();
        assert!(
            error.starts_with("STATE_INCOMPATIBLE") && error.contains("spark.firesteel.windows.buckets=3"),
            "{error}"
        );
    }

    const ORDERED: &str = "
name: t
input: {schema: 'id BIGINT, k BIGINT, g STRING, ts TIMESTAMP, x DOUBLE'}
order: {by: ts, partitions: 3}
windows:
  - {key: k, time: ts, over: 1 hour, late: {allow: 1 minute}, compute: {n: count(*), first: first(id), before: lag(id)}}
  - {key: g, time: ts, over: [1 minute, 1 hour], late: {allow: 1 minute}, compute: {n: count(*), last: lag(id)}}
output: [id, k_n_1h, k_first_1h, k_before, g_n_1m, g_last]
";

    /// Record `i` of a partition: 2 is quicker than 0, and now and then one comes out of order, or is none.
    fn spread(partition: i32, i: i64) -> (i64, String) {
        let seconds = i * [20, 30, 13][partition as usize] - if i % 9 == 4 { 40 } else { 0 };
        let id = i64::from(partition) * 1_000 + i;
        let time =
            format!("2026-01-01T{:02}:{:02}:{:02}Z", 1 + seconds / 3600, seconds / 60 % 60, seconds.rem_euclid(60));
        let value = match i % 17 {
            6 => "rubbish".to_owned(),
            _ => format!(
                r#"{{"id": {id}, "k": {}, "g": "{}", "ts": "{time}", "x": 1}}"#,
                id % 5,
                ["a", "b"][(i % 2) as usize]
            ),
        };
        (seconds, value)
    }

    fn of_partitions(parts: &[(i32, std::ops::Range<i64>)]) -> RecordBatch {
        let rows: Vec<(i32, i64, String)> = parts
            .iter()
            .flat_map(|(partition, range)| range.clone().map(|i| (*partition, i, spread(*partition, i).1)))
            .collect();
        let columns: [(&str, ArrayRef); 4] = [
            ("value", Arc::new(BinaryArray::from_iter_values(rows.iter().map(|row| &row.2)))),
            ("topic", Arc::new(StringArray::from(vec!["t"; rows.len()]))),
            ("partition", Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.0)))),
            ("offset", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn events_of_several_partitions_have_one_order_however_they_come() {
        let prepared = prepare_parts(ORDERED, "t.yaml", &[], InputMode::Bytes, BUCKETS, true).unwrap();
        let (front, back) = (compiled(&prepared.front.call), compiled(&prepared.back.call));
        assert!(!prepared.front.optional.contains(&"offset".to_owned()), "{:?}", prepared.front.optional);
        let lengths = [300_i64, 200, 460];
        // The log's one order: where the partition stood, then partition and offset.
        let mut order = Vec::new();
        for partition in 0..3 {
            let mut stands = i64::MIN;
            for i in 0..lengths[partition as usize] {
                if i % 17 != 6 {
                    stands = stands.max(spread(partition, i).0);
                }
                order.push((stands, partition, i));
            }
        }
        order.sort_unstable();
        let parts: Vec<_> = order.iter().map(|(_, partition, i)| (*partition, *i..*i + 1)).collect();
        let whole = prepare_pipeline(ORDERED, "t.yaml", &[], InputMode::Bytes).unwrap();
        let expected = sorted(&run(&compiled(&whole.call), &of_partitions(&parts)));
        for steps in [[300, 200, 460], [1, 1, 1], [7, 3, 1], [100, 9, 230]] {
            let mut kept: Vec<Kept> = prepared.blocks.iter().map(|_| Kept::default()).collect();
            let (mut at, mut results, mut rows) = ([0; 3], Vec::new(), 0);
            while at != lengths {
                let mut pieces = Vec::new();
                for partition in 0..3 {
                    let i = partition as usize;
                    let until = lengths[i].min(at[i] + steps[i]);
                    if until > at[i] {
                        pieces.extend(pieces_of(&run(&front, &of_partitions(&[(partition, at[i]..until)]))));
                    }
                    at[i] = until;
                }
                for (call, kept) in prepared.blocks.iter().zip(&mut kept) {
                    pieces = block(call, pieces, kept);
                }
                for piece in pieces {
                    let rows: ArrayRef = Arc::new(BinaryArray::from_iter_values([piece.rows]));
                    results.push(run(&back, &RecordBatch::try_from_iter([(packed::PACKED, rows)]).unwrap()));
                }
            }
            let result = concat_batches(&results[0].schema(), &results).unwrap();
            rows += result.num_rows();
            // Behind the partition that stands furthest back the others' last rows wait for more.
            assert!(rows > 600 && rows < 960, "{steps:?}: {rows}");
            let result = sorted(&result);
            let by_id = |batch: &RecordBatch| {
                let ids = batch.column(0).as_primitive::<arrow::datatypes::Int64Type>().clone();
                let found: BTreeMap<i64, String> = (0..batch.num_rows())
                    .filter(|row| ids.is_valid(*row))
                    .map(|row| (ids.value(row), format!("{:?}", batch.slice(row, 1).columns()[..6].to_vec())))
                    .collect();
                found
            };
            let expected = by_id(&expected);
            for (id, row) in by_id(&result) {
                assert_eq!(row, expected[&id], "{steps:?}: {id}");
            }
        }
    }
}
