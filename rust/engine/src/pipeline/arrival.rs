//! The order in which rows that came in pieces, from several tasks, are worked on.
//!
//! Rows of one Kafka partition come by their offsets, always. Rows of several partitions are merged by time: a
//! partition stands where its newest event so far is, and the one that stands furthest back goes on. So partitions that
//! were read from far back at once keep together, as they were when they were written. Equal times: topic, partition.
//! Rows that did not come from Kafka are ordered by their time, and then by the block's `order` column. So is a history that
//! is all there at once; without that column Kafka's places break its ties.

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{SortColumn, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};

use super::rejected::{OFFSET, PARTITION, REJECTED, TOPIC};
use crate::error::StageError;

/// What a row's turn goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As rows come: a stream.
    Arrival,
    /// As if all had come in the order of their time: a history.
    Time,
}

/// Where the time of an event stands, and what breaks ties.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) time: String,
    pub(super) order: Option<String>,
    pub(super) by: Order,
    /// Whether topic, partition and offset are Kafka's, and not the pipeline's own columns of these names.
    pub(super) kafka: bool,
}

impl Arrival {
    /// The rows in their order.
    ///
    /// # Errors
    /// [`StageError`] if a column is missing.
    pub(super) fn ordered(&self, batch: RecordBatch) -> Result<RecordBatch, StageError> {
        let order = match (self.kafka && self.by == Order::Arrival).then(|| self.by_partition(&batch)).flatten() {
            Some(order) => order,
            None => self.by_time(&batch)?,
        };
        if order.iter().enumerate().all(|(i, row)| i == *row as usize) {
            return Ok(batch);
        }
        Ok(take_record_batch(&batch, &UInt32Array::from(order))?)
    }

    /// `None` if some row's place in Kafka is not known. Rejected rows have none behind the part that rejected them, nor
    /// does it matter where they stand.
    fn by_partition(&self, batch: &RecordBatch) -> Option<Vec<u32>> {
        let topics = batch.column_by_name(TOPIC)?.as_string_opt::<i32>()?;
        let partitions = batch.column_by_name(PARTITION)?.as_primitive_opt::<Int32Type>()?;
        let offsets = batch.column_by_name(OFFSET)?.as_primitive_opt::<Int64Type>()?;
        let times = batch.column_by_name(&self.time)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        let rejected = batch.column_by_name(REJECTED);
        let known = |row: usize| topics.is_valid(row) && partitions.is_valid(row) && offsets.is_valid(row);
        let live = |row: usize| rejected.is_none_or(|column| column.is_null(row));
        if (0..batch.num_rows()).any(|row| live(row) && !known(row)) {
            return None;
        }
        let mut names: Vec<&str> = topics.iter().flatten().collect();
        names.dedup();
        names.sort_unstable();
        names.dedup();
        let topic = |row: usize| names.partition_point(|name| *name < topics.value(row)) as u32;
        let place = |row: usize| match known(row) {
            true => (topic(row), partitions.value(row), offsets.value(row), row as u32),
            false => (0, i32::MIN, 0, row as u32),
        };
        let mut rows: Vec<(u32, i32, i64, u32)> = (0..batch.num_rows()).map(place).collect();
        if !rows.is_sorted() {
            rows.sort_unstable();
        }
        let (mut stands, mut at) = (i64::MIN, None);
        let mut merged: Vec<(i64, u32, u32)> = Vec::with_capacity(rows.len());
        for (place, (topic, partition, _, row)) in rows.into_iter().enumerate() {
            if at.replace((topic, partition)) != Some((topic, partition)) {
                stands = i64::MIN;
            }
            if times.is_valid(row as usize) {
                stands = stands.max(times.value(row as usize));
            }
            merged.push((stands, place as u32, row));
        }
        if !merged.is_sorted() {
            merged.sort_unstable();
        }
        Some(merged.into_iter().map(|(_, _, row)| row).collect())
    }

    /// The columns that tell equal times apart. Of Kafka's those that have a value: pieces may have left out the others.
    fn ties<'a>(&'a self, batch: &RecordBatch) -> Vec<&'a str> {
        let has_value =
            |name: &&str| batch.column_by_name(name).is_some_and(|column| column.null_count() < column.len());
        match &self.order {
            Some(order) => vec![order],
            None if self.kafka => [TOPIC, PARTITION, OFFSET].into_iter().filter(has_value).collect(),
            None => Vec::new(),
        }
    }

    /// The order, where nothing but a time and the author's whole number decide and both are always there.
    fn by_whole_numbers(&self, batch: &RecordBatch, ties: &[&str]) -> Option<Vec<u32>> {
        if self.order.is_none() && !ties.is_empty() {
            return None;
        }
        let known = |name: &str| batch.column_by_name(name).filter(|column| column.null_count() == 0);
        let times = known(&self.time)?.as_primitive_opt::<TimestampMicrosecondType>()?.values();
        let ties = match &self.order {
            Some(order) => Some(known(order)?.as_primitive_opt::<Int64Type>()?.values()),
            None => None,
        };
        let mut rows: Vec<(i64, i64, u32)> = match ties {
            Some(ties) => times.iter().zip(ties).zip(0..).map(|((time, tie), row)| (*time, *tie, row)).collect(),
            None => times.iter().zip(0..).map(|(time, row)| (*time, 0, row)).collect(),
        };
        if !rows.is_sorted() {
            rows.sort_unstable();
        }
        Some(rows.into_iter().map(|(_, _, row)| row).collect())
    }

    fn by_time(&self, batch: &RecordBatch) -> Result<Vec<u32>, StageError> {
        let ties = self.ties(batch);
        if let Some(order) = self.by_whole_numbers(batch, &ties) {
            return Ok(order);
        }
        let mut columns = Vec::with_capacity(5);
        for name in std::iter::once(self.time.as_str()).chain(ties) {
            let missing = || StageError::internal("windows", format!("rows without the column {name}"));
            let values = batch.column_by_name(name).cloned().ok_or_else(missing)?;
            if values.null_count() < values.len() {
                columns.push(SortColumn { values, options: None });
            }
        }
        // What stood first stays first.
        let rows = UInt32Array::from_iter_values(0..batch.num_rows() as u32);
        columns.push(SortColumn { values: std::sync::Arc::new(rows), options: None });
        Ok(lexsort_to_indices(&columns, None)?.values().to_vec())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn ordered(rows: &[(&str, i32, i64, Option<i64>)]) -> Vec<i64> {
        let columns: [(&str, ArrayRef); 4] = [
            (TOPIC, Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)))),
            (PARTITION, Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.1)))),
            (OFFSET, Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.2)))),
            ("ts", Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|row| row.3)))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let arrival = Arrival { time: "ts".to_owned(), order: None, by: Order::Arrival, kafka: true };
        let ordered = arrival.ordered(batch).unwrap();
        ordered.column(2).as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn partitions_are_merged_by_time_and_keep_their_own_order() {
        let rows = [("t", 1, 100, Some(20)), ("t", 0, 7, Some(30)), ("t", 0, 5, Some(10)), ("t", 0, 6, Some(25))];
        assert_eq!(ordered(&rows), [5, 100, 6, 7]);
        let late = [("t", 0, 5, Some(40)), ("t", 0, 6, Some(10)), ("t", 1, 1, Some(20)), ("t", 1, 2, Some(50))];
        assert_eq!(ordered(&late), [1, 5, 6, 2], "an old event does not overtake its partition");
    }

    #[test]
    fn equal_times_go_by_their_places_also_where_some_rows_have_none() {
        let columns: [(&str, ArrayRef); 4] = [
            (TOPIC, Arc::new(StringArray::from(vec![Some("t"), None, Some("t"), Some("a")]))),
            (PARTITION, Arc::new(Int32Array::from(vec![Some(0), None, Some(0), Some(7)]))),
            (OFFSET, Arc::new(Int64Array::from(vec![Some(9), None, Some(3), Some(5)]))),
            ("ts", Arc::new(TimestampMicrosecondArray::from(vec![1, 1, 1, 1]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let arrival = Arrival { time: "ts".to_owned(), order: None, by: Order::Time, kafka: true };
        let ordered = arrival.ordered(batch).unwrap();
        let offsets: Vec<_> = ordered.column(2).as_primitive::<Int64Type>().iter().collect();
        assert_eq!(offsets, [None, Some(5), Some(3), Some(9)]);
    }

    #[test]
    fn equal_times_go_by_topic_and_partition_and_no_time_stands_still() {
        let rows =
            [("u", 0, 1, Some(5)), ("t", 1, 2, Some(5)), ("t", 0, 3, None), ("t", 0, 4, Some(5)), ("t", 0, 5, None)];
        assert_eq!(ordered(&rows), [3, 4, 5, 2, 1]);
    }
}
