//! A key's history as people see it: the bytes of [`super::codec`] by their layout alone, without a pipeline.

use super::codec::{Bytes, Damaged, Layout, kind};
use super::keys::{self, KeyPart};
use super::step_codec;
use super::words::{Kind, Texts};

/// What is known of one key.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Time of the newest event, in microseconds since 1970.
    pub newest: i64,
    /// How far the time of all keys had come when an event of this one was last seen, in microseconds since 1970.
    pub seen_at: i64,
    /// Events that are summed up, where memory has a bound: oldest first, all before [`History::events`].
    pub steps: Vec<Summary>,
    /// Oldest first.
    pub events: Vec<Event>,
    /// Of each of [`Layout::decays`] the mean and the sum of its weights, which is 0 without a value; at the time of the
    /// newest event.
    pub means: Vec<(f64, f64)>,
}

/// Events that are kept as one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// How many.
    pub events: u64,
    /// Time of the oldest, in microseconds since 1970.
    pub oldest: i64,
    /// Time of the newest, in microseconds since 1970.
    pub newest: i64,
}

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Microseconds since 1970.
    pub time: i64,
    /// One for each of [`Layout::columns`].
    pub values: Vec<Option<Value>>,
    /// Whether each of [`Layout::filters`] held.
    pub filters: Vec<bool>,
}

/// A value that an event carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Whole numbers, booleans (0 and 1), dates (days) and timestamps (microseconds).
    Int(i64),
    /// FLOAT and DOUBLE.
    Float(f64),
    /// Text.
    Text(String),
}

impl Layout {
    /// The values of a key's columns.
    ///
    /// # Errors
    /// [`Damaged`] if the bytes are no key of this layout.
    pub fn key(&self, key: &[u8]) -> Result<Vec<KeyPart>, Damaged> {
        keys::read(&self.key, key)
    }

    /// Reads a history.
    ///
    /// # Errors
    /// [`Damaged`] if the bytes are no history of this layout, or one of a kind that this version does not know.
    pub fn history(&self, bytes: &[u8]) -> Result<History, Damaged> {
        let kinds: Result<Vec<Kind>, String> = self.columns.iter().map(|(_, word)| kind(word)).collect();
        let kinds = kinds.map_err(|_| Damaged)?;
        let mut from = Bytes(bytes);
        let (newest, seen_at) = (from.signed()?, from.signed()?);
        let count = from.varint()?;
        let (mut events, mut time) = (Vec::new(), 0_i64);
        for i in 0..count {
            time = if i == 0 { from.signed()? } else { time.wrapping_add(from.varint()? as i64) };
            events.push(self.event(time, &kinds, &mut from)?);
        }
        let means = self.decays.iter().map(|_| Ok((from.double()?, from.double()?)));
        let means = means.collect::<Result<_, Damaged>>()?;
        let steps = step_codec::outlines(&self.parts, &mut from, &mut Texts::default())?;
        let steps = steps.into_iter().map(|(events, oldest, newest)| Summary { events, oldest, newest }).collect();
        if from.0.is_empty() { Ok(History { newest, seen_at, steps, events, means }) } else { Err(Damaged) }
    }

    fn event(&self, time: i64, kinds: &[Kind], from: &mut Bytes<'_>) -> Result<Event, Damaged> {
        if kinds.is_empty() && self.filters.is_empty() {
            return Ok(Event { time, values: Vec::new(), filters: Vec::new() });
        }
        let flags = from.varint()?;
        let is_set = |bit: usize| flags.checked_shr(bit as u32).unwrap_or_default() & 1 != 0;
        let mut values = Vec::with_capacity(kinds.len());
        for (i, kind) in kinds.iter().enumerate() {
            values.push(match kind {
                _ if !is_set(i) => None,
                Kind::Int => Some(Value::Int(from.signed()?)),
                Kind::Float => Some(Value::Float(from.double()?)),
                Kind::Text => Some(Value::Text(from.text()?.to_owned())),
            });
        }
        let filters = (0..self.filters.len()).map(|f| is_set(kinds.len() + f)).collect();
        Ok(Event { time, values, filters })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
    use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

    use super::*;
    use crate::state::{Snapshot, Windows};

    const SPEC: &str = r#"{"key": ["k", "s"], "time": "ts", "over": ["1 hour"], "compute": {
        "mean": "avg(x) FILTER (WHERE b)", "kinds": "distinct(s)", "n": "sum(n)", "smooth": "ewma(x, '30 s')"}}"#;

    fn state() -> Vec<u8> {
        let fields = [
            ("k", DataType::Int64),
            ("ts", DataType::Timestamp(TimeUnit::Microsecond, None)),
            ("x", DataType::Float64),
            ("n", DataType::Int64),
            ("s", DataType::Utf8),
            ("b", DataType::Boolean),
        ];
        let schema = Arc::new(Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type, true)).to_vec()));
        let batch = RecordBatch::try_new(
            Arc::clone(&schema),
            vec![
                Arc::new(Int64Array::from(vec![7, -1, 7])),
                Arc::new(TimestampMicrosecondArray::from(vec![1_000, 2_000, 30_001_000])),
                Arc::new(Float64Array::from(vec![Some(1.5), None, Some(4.5)])),
                Arc::new(Int64Array::from(vec![None, Some(-3), Some(9)])),
                Arc::new(StringArray::from(vec!["a", "ü", "a"])),
                Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            ],
        )
        .unwrap();
        let mut windows = Windows::try_new(&[serde_json::from_str(SPEC).unwrap()], &schema).unwrap();
        windows.process(batch).unwrap();
        windows.state().save().unwrap()
    }

    #[test]
    fn a_state_is_read_without_its_pipeline() {
        let bytes = state();
        let snapshot = Snapshot::open(&bytes).unwrap();
        let blocks: Vec<_> = snapshot.blocks().collect();
        assert_eq!(blocks.len(), 1);
        let (layout, events, time) = blocks[0];
        assert_eq!((events, time), (3, None));
        assert_eq!(layout.filters, ["b"]);
        let mut found = Vec::new();
        snapshot
            .each_key(|block, key, history| {
                found.push((block, layout.key(key)?, layout.history(history)?));
                Ok(())
            })
            .unwrap();
        let column = |name: &str| layout.columns.iter().position(|(sql, _)| sql == name).unwrap();
        let (x, n, s) = (column("x"), column("n"), column("s"));

        // By the bytes of their keys, which sort as the numbers do.
        let (block, key, history) = &found[0];
        assert_eq!((*block, key.as_slice()), (0, [KeyPart::Whole(-1), KeyPart::Text("ü".to_owned())].as_slice()));
        assert_eq!((history.newest, history.seen_at, history.events.len()), (2_000, 2_000, 1));
        assert_eq!(history.means, [(0.0, 0.0)]);
        let event = &history.events[0];
        assert_eq!((event.time, &event.filters), (2_000, &vec![false]));
        assert_eq!((&event.values[x], &event.values[n]), (&None, &Some(Value::Int(-3))));
        assert_eq!(event.values[s], Some(Value::Text("ü".to_owned())));

        let (_, key, history) = &found[1];
        assert_eq!(key.as_slice(), [KeyPart::Whole(7), KeyPart::Text("a".to_owned())]);
        assert_eq!((history.newest, history.events.len()), (30_001_000, 2));
        assert_eq!(history.events.iter().map(|event| event.filters[0]).collect::<Vec<_>>(), [true, false]);
        assert_eq!(history.events[1].values[x], Some(Value::Float(4.5)));
        // 1.5 with half a weight, 4.5 with a whole one.
        assert_eq!(history.means, [(3.5, 1.5)]);
    }

    #[test]
    fn what_is_no_history_is_refused() {
        let bytes = state();
        let snapshot = Snapshot::open(&bytes).unwrap();
        let (layout, _, _) = snapshot.blocks().next().unwrap();
        let mut histories = Vec::new();
        let each = snapshot.each_key(|_, _, history| {
            histories.push(history.to_vec());
            Ok(())
        });
        each.unwrap();
        for history in histories {
            for length in 0..history.len() {
                assert_eq!(layout.history(&history[..length]), Err(Damaged), "{length}");
            }
            assert_eq!(layout.history(&[history.as_slice(), &[0]].concat()), Err(Damaged));
        }
    }
}
