//! What is known of the values in one window: grows and shrinks one row at a time.
//!
//! Everything here is a function of the values that are in, never of those that were: sums are exact, counts are
//! counts, and extremes are found by a monotonic queue (D. Lemire, "Streaming maximum-minimum filter using no more than
//! three comparisons per element", 2006).

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::exact::{ExactSum, Part};
use super::map::Map;
use super::part::{Part as StepPart, hash_of};
use super::sketch::{Histogram, Smallest};
use super::words::{Kind, Texts, compare};

/// What the aggregates over one input ask for beside the count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) sum: bool,
    pub(crate) squares: bool,
    pub(crate) lowest: bool,
    pub(crate) highest: bool,
    /// How often each value occurs.
    pub(crate) counts: bool,
    /// All values in order.
    pub(crate) sorted: bool,
    /// What follows says only what a tail's steps have to know.
    pub(crate) distinct: bool,
    pub(crate) mode: bool,
    pub(crate) ends: bool,
    pub(crate) trend: bool,
}

impl Needs {
    /// Everything that either asks for.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            sum: self.sum || other.sum,
            squares: self.squares || other.squares,
            lowest: self.lowest || other.lowest,
            highest: self.highest || other.highest,
            counts: self.counts || other.counts,
            sorted: self.sorted || other.sorted,
            distinct: self.distinct || other.distinct,
            mode: self.mode || other.mode,
            ends: self.ends || other.ends,
            trend: self.trend || other.trend,
        }
    }

    fn more(self) -> bool {
        self.squares || self.lowest || self.highest || self.counts || self.sorted
    }
}

/// The values of one input in one window.
#[derive(Debug, Default)]
pub(crate) struct Acc {
    /// Values.
    pub(crate) count: u64,
    /// Their sum, if it is needed.
    pub(crate) sum: ExactSum,
    /// The rest, if any of it is needed.
    more: Option<Box<More>>,
}

#[derive(Debug, Default)]
struct More {
    squares: ExactSum,
    /// Row and value of the lowest; behind it those that are lowest once it has left.
    lowest: VecDeque<(u64, u64)>,
    highest: VecDeque<(u64, u64)>,
    /// Value: how often, and the last row that has it.
    counts: Map<u64, (u64, u64)>,
    sorted: Vec<f64>,
    /// Of the steps in the window: their values, and of those and the rows the hashes.
    histogram: Histogram,
    different: Option<Smallest>,
}

/// A word as a part of a sum.
pub(crate) fn part(kind: Kind, word: u64) -> Part {
    match kind {
        Kind::Float => Part::of(f64::from_bits(word)),
        Kind::Int | Kind::Text => Part::of_int(word as i64),
    }
}

/// A word as a double.
pub(crate) fn double(kind: Kind, word: u64) -> f64 {
    match kind {
        Kind::Float => f64::from_bits(word),
        Kind::Int | Kind::Text => word as i64 as f64,
    }
}

impl Acc {
    /// A row comes in, the newest of those that are there.
    #[inline]
    pub(crate) fn add(&mut self, row: u64, word: u64, kind: Kind, needs: Needs, texts: &Texts) {
        self.count += 1;
        if needs.sum {
            self.sum.add(part(kind, word));
        }
        if needs.more() {
            self.more.get_or_insert_default().add(row, word, kind, needs, texts);
        }
    }

    /// A row that counts, without a value.
    #[inline]
    pub(crate) fn add_event(&mut self) {
        self.count += 1;
    }

    /// The oldest row leaves.
    #[inline]
    pub(crate) fn remove(&mut self, row: u64, word: u64, kind: Kind, needs: Needs) {
        self.count -= 1;
        if needs.sum {
            self.sum.remove(part(kind, word));
        }
        if let Some(more) = &mut self.more {
            more.remove(row, word, kind, needs);
        }
    }

    /// The oldest row that counts leaves, without a value.
    #[inline]
    pub(crate) fn remove_event(&mut self) {
        self.count -= 1;
    }

    /// A step comes in, newer than all that are there; `id` is below that of every row.
    pub(crate) fn add_step(&mut self, id: u64, step: &StepPart, kind: Kind, needs: Needs, texts: &Texts) {
        self.count += step.count;
        if needs.sum {
            self.sum.merge(&step.sum);
        }
        if needs.more() {
            self.more.get_or_insert_default().add_step(id, step, kind, needs, texts);
        }
    }

    /// The oldest step leaves.
    pub(crate) fn remove_step(&mut self, id: u64, step: &StepPart, needs: Needs) {
        self.count -= step.count;
        if needs.sum {
            self.sum.unmerge(&step.sum);
        }
        if let Some(more) = &mut self.more {
            more.remove_step(id, step, needs);
        }
    }

    /// Other steps are in than were: their hashes are put together anew with those of the rows.
    pub(crate) fn recount<'a>(
        &mut self,
        steps: impl Iterator<Item = &'a StepPart>,
        kind: Kind,
        needs: Needs,
        texts: &Texts,
    ) {
        if !needs.distinct {
            return;
        }
        let more = self.more.get_or_insert_default();
        let mut found: Option<Smallest> = None;
        for step in steps {
            found.get_or_insert_default().merge(&step.different);
        }
        if let Some(found) = &mut found {
            more.counts.keys().for_each(|word| found.add(hash_of(kind, *word, texts)));
        }
        more.different = found;
    }

    /// Everything leaves.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.sum.clear();
        if let Some(more) = &mut self.more {
            more.squares.clear();
            more.lowest.clear();
            more.highest.clear();
            more.counts.clear();
            more.sorted.clear();
            more.histogram.clear();
            more.different = None;
        }
    }

    pub(crate) fn squares(&self) -> Option<&ExactSum> {
        self.more.as_ref().map(|more| &more.squares)
    }

    pub(crate) fn lowest(&self) -> Option<u64> {
        self.more.as_ref()?.lowest.front().map(|(_, word)| *word)
    }

    pub(crate) fn highest(&self) -> Option<u64> {
        self.more.as_ref()?.highest.front().map(|(_, word)| *word)
    }

    pub(crate) fn distinct(&self) -> u64 {
        self.more.as_ref().map_or(0, |more| match &more.different {
            Some(different) => different.count(),
            None => more.counts.len() as u64,
        })
    }

    /// The most frequent value; of several the one seen last.
    pub(crate) fn mode(&self) -> Option<u64> {
        let counts = &self.more.as_ref()?.counts;
        counts.iter().max_by_key(|(_, seen)| **seen).map(|(word, _)| *word)
    }

    /// The rows' values in order, NaN last.
    pub(crate) fn sorted(&self) -> &[f64] {
        self.more.as_ref().map_or(&[], |more| &more.sorted)
    }

    /// The steps' values, if there are any.
    pub(crate) fn histogram(&self) -> Option<&Histogram> {
        self.more.as_ref().map(|more| &more.histogram).filter(|histogram| !histogram.is_empty())
    }

    /// Bytes that it holds beside itself, about.
    pub(crate) fn bytes(&self) -> usize {
        let more = self.more.as_ref().map_or(0, |more| {
            size_of::<More>()
                + more.squares.bytes()
                + 16 * (more.lowest.capacity() + more.highest.capacity())
                + 32 * more.counts.capacity()
                + 8 * more.sorted.capacity()
                + more.histogram.bytes()
                + more.different.as_ref().map_or(0, Smallest::bytes)
        });
        self.sum.bytes() + more
    }
}

impl More {
    fn add(&mut self, row: u64, word: u64, kind: Kind, needs: Needs, texts: &Texts) {
        if needs.squares {
            self.squares.add(part(kind, word).squared());
        }
        if needs.lowest {
            queue(&mut self.lowest, (row, word), |there| compare(kind, there, word, texts) != Ordering::Less);
        }
        if needs.highest {
            queue(&mut self.highest, (row, word), |there| compare(kind, there, word, texts) != Ordering::Greater);
        }
        if needs.counts {
            let seen = self.counts.entry(word).or_default();
            *seen = (seen.0 + 1, row);
        }
        if let Some(different) = &mut self.different {
            different.add(hash_of(kind, word, texts));
        }
        if needs.sorted {
            let value = double(kind, word);
            let at = self.sorted.partition_point(|there| order(*there, value) != Ordering::Greater);
            self.sorted.insert(at, value);
        }
    }

    fn remove(&mut self, row: u64, word: u64, kind: Kind, needs: Needs) {
        if needs.squares {
            self.squares.remove(part(kind, word).squared());
        }
        self.leave(row);
        if needs.counts {
            self.uncount(word, 1);
        }
        if needs.sorted {
            let value = double(kind, word);
            let at = self.sorted.partition_point(|there| order(*there, value) == Ordering::Less);
            self.sorted.remove(at);
        }
    }
}

impl More {
    fn add_step(&mut self, id: u64, step: &StepPart, kind: Kind, needs: Needs, texts: &Texts) {
        if needs.squares {
            self.squares.merge(&step.squares);
        }
        if let Some(word) = step.lowest {
            queue(&mut self.lowest, (id, word), |there| compare(kind, there, word, texts) != Ordering::Less);
        }
        if let Some(word) = step.highest {
            queue(&mut self.highest, (id, word), |there| compare(kind, there, word, texts) != Ordering::Greater);
        }
        for (rank, (word, count)) in step.frequent.counts().iter().enumerate() {
            let seen = self.counts.entry(*word).or_default();
            *seen = (seen.0 + count, id + rank as u64);
        }
        self.histogram.merge(&step.histogram);
    }

    fn remove_step(&mut self, id: u64, step: &StepPart, needs: Needs) {
        if needs.squares {
            self.squares.unmerge(&step.squares);
        }
        self.leave(id);
        for (word, count) in step.frequent.counts() {
            self.uncount(*word, *count);
        }
        self.histogram.unmerge(&step.histogram);
    }

    /// The extreme that a row or step brought, if it is one still.
    fn leave(&mut self, id: u64) {
        for queue in [&mut self.lowest, &mut self.highest] {
            if queue.front().is_some_and(|(first, _)| *first == id) {
                queue.pop_front();
            }
        }
    }

    fn uncount(&mut self, word: u64, times: u64) {
        if let Some(seen) = self.counts.get_mut(&word) {
            seen.0 -= times;
            if seen.0 == 0 {
                self.counts.remove(&word);
            }
        }
    }
}

/// Appends to a monotonic queue: those at its end that can't become the extreme any more go.
fn queue(queue: &mut VecDeque<(u64, u64)>, new: (u64, u64), gone: impl Fn(u64) -> bool) {
    while queue.back().is_some_and(|(_, there)| gone(*there)) {
        queue.pop_back();
    }
    queue.push_back(new);
}

/// Numbers in order, NaN last.
fn order(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}
