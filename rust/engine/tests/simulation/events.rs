//! The partitions' records, and what one pass over them makes of each.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use firesteel_engine::stage::{RejectCode, Staged};
use firesteel_engine::state::Windows;

use crate::chance::Chance;
use crate::plan::Plan;

pub(crate) const TOPIC: &str = "t";

pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("topic", DataType::Utf8, false),
        Field::new("partition", DataType::Int32, false),
        Field::new("offset", DataType::Int64, false),
        Field::new("k", DataType::Int64, true),
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new("x", DataType::Float64, true),
        Field::new("n", DataType::Int64, true),
        Field::new("s", DataType::Utf8, true),
        Field::new("b", DataType::Boolean, true),
    ]))
}

/// The results of some records of a partition, in their order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows {
    pub(crate) kept: RecordBatch,
    /// Offsets and reasons.
    pub(crate) rejected: Vec<(i64, RejectCode)>,
}

impl Rows {
    pub(crate) fn of(records: &RecordBatch, staged: Staged) -> Self {
        let offsets = offsets(records);
        let rejected = staged.rejected.iter().map(|row| (offsets[row.row as usize], row.code)).collect();
        Self { kept: staged.kept, rejected }
    }

    /// Those of the offsets from `from` to before `until`.
    pub(crate) fn between(&self, from: i64, until: i64) -> Self {
        let kept = offsets(&self.kept);
        let (low, high) = (kept.partition_point(|o| *o < from), kept.partition_point(|o| *o < until));
        let inside = |offset: i64| offset >= from && offset < until;
        let rejected = self.rejected.iter().copied().filter(|(offset, _)| inside(*offset)).collect();
        Self { kept: self.kept.slice(low, high - low), rejected }
    }
}

pub(crate) fn offsets(records: &RecordBatch) -> &[i64] {
    records.column_by_name("offset").unwrap().as_primitive::<Int64Type>().values()
}

/// A partition of the log.
#[derive(Debug)]
pub(crate) struct Partition {
    /// All records that there will ever be.
    pub(crate) records: RecordBatch,
    /// What must become of them.
    pub(crate) expected: Rows,
    /// Where the query begins.
    pub(crate) origin: i64,
    /// The first offset that was not dropped.
    pub(crate) begin: i64,
    /// The offset behind the last record that was written by now.
    pub(crate) end: i64,
    /// Where it will end.
    pub(crate) last: i64,
}

impl Partition {
    pub(crate) fn draw(number: usize, plan: &Plan, chance: &mut Chance, windows: &mut Windows) -> Self {
        let origin = if chance.often(500) { 0 } else { chance.between(1, 1_000) };
        let (mut offset, mut now) = (origin, 1_000_000_i64);
        let mut at = Vec::with_capacity(plan.events);
        let (mut keys, mut times, mut xs) = (Vec::new(), Vec::new(), Vec::new());
        let (mut ns, mut texts, mut truths) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..plan.events {
            while chance.often(plan.gaps) {
                offset += 1;
            }
            at.push(offset);
            offset += 1;
            now += *chance.pick(&[0, 0, 1, 1, 2, 5, 30]);
            let back = *chance.pick(&[0, 0, 0, 0, 0, 0, 1, 3, 8, 50]);
            let some = |chance: &mut Chance| !chance.often(40);
            keys.push(some(chance).then(|| chance.between(1, plan.keys)));
            times.push(some(chance).then_some((now - back) * 1_000_000));
            let x = if chance.often(10) { f64::NAN } else { chance.between(-400, 400) as f64 / 8.0 + 0.1 };
            xs.push(some(chance).then_some(x));
            ns.push(some(chance).then(|| chance.between(-20, 20)));
            texts.push(some(chance).then(|| *chance.pick(&["a", "b", "cc", ""])));
            truths.push(some(chance).then(|| chance.often(500)));
        }
        while chance.often(plan.gaps) {
            offset += 1;
        }
        let rows = at.len();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![TOPIC; rows])),
            Arc::new(Int32Array::from(vec![number as i32; rows])),
            Arc::new(Int64Array::from(at)),
            Arc::new(Int64Array::from(keys)),
            Arc::new(TimestampMicrosecondArray::from(times)),
            Arc::new(Float64Array::from(xs)),
            Arc::new(Int64Array::from(ns)),
            Arc::new(StringArray::from(texts)),
            Arc::new(BooleanArray::from(truths)),
        ];
        let records = RecordBatch::try_new(schema(), columns).unwrap();
        windows.restart();
        let staged = windows.process(records.clone()).unwrap();
        let expected = Rows::of(&records, staged);
        Self { records, expected, origin, begin: origin, end: origin, last: offset }
    }

    /// Records of the offsets from `from` to before `until`, at most so many.
    pub(crate) fn read(&self, from: i64, until: i64, most: usize) -> RecordBatch {
        let offsets = offsets(&self.records);
        let (low, high) = (offsets.partition_point(|o| *o < from), offsets.partition_point(|o| *o < until));
        self.records.slice(low, (high - low).min(most))
    }

    /// Where so many records more end.
    pub(crate) fn ahead(&self, from: i64, records: usize, until: i64) -> i64 {
        let offsets = offsets(&self.records);
        let low = offsets.partition_point(|o| *o < from);
        let high = low + records;
        if high >= offsets.len() { until } else { offsets[high].min(until) }
    }
}
