//! The older events of a key that has many: summed up in steps of time, so that memory is bounded.
//!
//! A step holds the events of one piece of the time line, `[k·step, (k + 1)·step)`; where a block has sessions, a pause of
//! a session's gap begins a new one. All of a step is older than every event that is kept one by one. A window has a step
//! in it as a whole, from when it reaches its newest event until it has passed its oldest.

use std::collections::VecDeque;

use super::block::Block;
use super::log::Row;
use super::part::Part;
use super::words::Texts;

/// What a block keeps of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    /// Newest events that are kept one by one, at least.
    pub(crate) events: usize,
    /// Microseconds of a step.
    pub(crate) step: i64,
    /// A pause of so many microseconds ends a step.
    pub(crate) gap: i64,
}

impl Bound {
    /// With so many events it is time to sum up all above [`Bound::events`]: some at once, since windows are made anew then.
    pub(crate) fn most(self) -> usize {
        self.events + (self.events / 8).max(1)
    }
}

/// Events that are summed up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// Times of the oldest and the newest, in microseconds since 1970.
    pub(crate) oldest: i64,
    pub(crate) newest: i64,
    pub(crate) events: u64,
    /// One for each of the block's inputs.
    pub(crate) parts: Box<[Part]>,
}

/// Steps, oldest first, called by numbers that stay the same when older ones leave.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    steps: VecDeque<Step>,
    /// Number of the first.
    first: u32,
}

impl Tail {
    /// As it was saved.
    pub(crate) fn of(steps: VecDeque<Step>) -> Self {
        Self { steps, first: 0 }
    }

    /// Numbers of the steps, from the oldest to behind the newest.
    pub(crate) fn ids(&self) -> std::ops::Range<u32> {
        self.first..self.first + self.steps.len() as u32
    }

    /// A step that is there.
    pub(crate) fn step(&self, id: u32) -> &Step {
        &self.steps[(id - self.first) as usize]
    }

    /// All steps, oldest first.
    pub(crate) fn steps(&self) -> impl ExactSizeIterator<Item = &Step> {
        self.steps.iter()
    }

    /// Time of the newest event in it.
    pub(crate) fn newest(&self) -> i64 {
        self.steps.back().map_or(i64::MIN, |step| step.newest)
    }

    /// Number of the first step all of which is later than `time`.
    pub(crate) fn after(&self, time: i64) -> u32 {
        self.first + self.steps.partition_point(|step| step.oldest <= time) as u32
    }

    /// Number of the first step that has something later than `time`.
    pub(crate) fn reaching_past(&self, time: i64) -> u32 {
        self.first + self.steps.partition_point(|step| step.newest <= time) as u32
    }

    /// The event after all that are in it.
    pub(crate) fn push(&mut self, row: Row<'_>, bound: Bound, block: &Block, texts: &Texts) {
        let time = row.time();
        let belongs = |step: &Step| {
            time.div_euclid(bound.step) == step.oldest.div_euclid(bound.step)
                && time.saturating_sub(step.newest) < bound.gap
        };
        if !self.steps.back().is_some_and(belongs) {
            let parts = block.inputs.iter().map(|_| Part::default()).collect();
            self.steps.push_back(Step { oldest: time, newest: time, events: 0, parts });
        }
        let Some(step) = self.steps.back_mut() else { return };
        step.newest = time;
        step.events += 1;
        let seconds = time.saturating_sub(step.oldest) as f64 / 1e6;
        for (part, input) in step.parts.iter_mut().zip(&block.inputs) {
            let word = input.value.map(|column| row.value(column));
            // A value that is null does not count; an event without one does.
            if let (true, Some(word)) = (input.counts(row), word.map_or(Some(None), |word| word.map(Some))) {
                part.add(word, seconds, input.kind(block), input.needs, texts);
            }
        }
    }

    /// Lets the steps before `id` go.
    pub(crate) fn drop_before(&mut self, id: u32) {
        self.steps.drain(..(id - self.first) as usize);
        self.first = id;
    }

    /// Nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Writes texts anew, those of the columns that `changes` says.
    pub(crate) fn change_words(&mut self, block: &Block, columns: &[u8], change: &mut impl FnMut(u64) -> u64) {
        for step in &mut self.steps {
            for (part, input) in step.parts.iter_mut().zip(&block.inputs) {
                if input.value.is_some_and(|column| columns.contains(&column)) {
                    part.change_words(change);
                }
            }
        }
    }

    /// Bytes that it holds, about.
    pub(crate) fn bytes(&self) -> usize {
        let parts = self.steps.iter().flat_map(|step| step.parts.iter());
        size_of::<Self>()
            + self.steps.capacity() * size_of::<Step>()
            + parts.map(|part| size_of::<Part>() + part.bytes()).sum::<usize>()
    }
}

/// All that is kept of a key's events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Past<'a> {
    pub(crate) log: &'a super::log::Log,
    pub(crate) tail: Option<&'a Tail>,
}
