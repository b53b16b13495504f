//! How much there is in a block, and what of it somebody asked for.

use firesteel_engine::state::{History, KeyPart, Layout};

/// A block of a snapshot, counted.
#[derive(Debug)]
pub(super) struct BlockSummary {
    pub(super) layout: Layout,
    /// Events that the block has seen, those that are forgotten included.
    pub(super) seen: u64,
    /// How far the time of all keys had come: microseconds since 1970.
    pub(super) clock: Option<i64>,
    /// Bytes of keys and histories.
    pub(super) bytes: u64,
    /// Of each key the events that are kept.
    events: Vec<u32>,
}

/// Least, middle and most of the events that keys have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spread {
    pub(super) least: u32,
    pub(super) median: u32,
    pub(super) most: u32,
}

/// A key with its history.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) block: usize,
    pub(super) key: Vec<KeyPart>,
    pub(super) history: History,
    /// Bytes of both in the snapshot.
    pub(super) bytes: usize,
}

impl BlockSummary {
    /// Nothing is counted yet.
    pub(super) fn new((layout, seen, clock): (&Layout, u64, Option<i64>)) -> Self {
        Self { layout: layout.clone(), seen, clock, bytes: 0, events: Vec::new() }
    }

    /// One key more.
    pub(super) fn add(&mut self, events: usize, bytes: usize) {
        self.events.push(u32::try_from(events).unwrap_or(u32::MAX));
        self.bytes += bytes as u64;
    }

    pub(super) fn keys(&self) -> usize {
        self.events.len()
    }

    /// Events that are kept.
    pub(super) fn kept(&self) -> u64 {
        self.events.iter().map(|events| u64::from(*events)).sum()
    }

    /// `None` without keys. Of an even number of keys the median is the lower of the middle two.
    pub(super) fn spread(&self) -> Option<Spread> {
        let mut sorted = self.events.clone();
        sorted.sort_unstable();
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        Some(Spread { least, median: sorted[(sorted.len() - 1) / 2], most })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_counted() {
        let layout: Layout =
            serde_json::from_str(r#"{"key": [], "time": "t", "columns": [], "filters": [], "decays": []}"#).unwrap();
        let mut summary = BlockSummary::new((&layout, 9, None));
        assert_eq!(summary.spread(), None);
        for (events, bytes) in [(5, 10), (1, 1), (3, 2), (100, 7)] {
            summary.add(events, bytes);
        }
        assert_eq!(summary.spread(), Some(Spread { least: 1, median: 3, most: 100 }));
        assert_eq!((summary.keys(), summary.kept(), summary.bytes), (4, 109, 20));
    }
}
