//! One window that slides over a key's events.

use smallvec::SmallVec;

use super::acc::Acc;
use super::block::{Block, Input};
use super::log::{Log, Row, Width};
use super::tail::{Past, Step, Tail};
use super::words::Texts;

/// How far a window reaches. Microseconds, events, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Time(i64),
    Last(u64),
    Session(i64),
}

/// Accumulators call rows by their id above this, and steps below: all steps are older.
const ROWS: u64 = 1 << 48;

/// Windows whose places stand in one piece of memory.
const FEW: usize = 3;

/// All windows of a key. Two pieces of memory for all of them: every event looks into each.
#[derive(Debug, Default)]
pub(crate) struct Slides {
    spots: SmallVec<[Spot; FEW]>,
    /// Of each window [`Block::slots`].
    accs: Vec<Acc>,
}

/// The steps and the rows `low..high` of a key's past that are in a window, by their ids.
#[derive(Debug, Clone, Copy, Default)]
struct Spot {
    low: u64,
    high: u64,
    steps: (u32, u32),
    /// Events in the steps.
    summed: u64,
}

/// A place in a key's past: step and row.
pub(crate) type Place = (u32, u64);

/// One window, and what is known of the events in it.
pub(crate) struct Slide<'a> {
    spot: &'a mut Spot,
    /// One for each slot of the block.
    accs: &'a mut [Acc],
}

/// One window, for looking.
#[derive(Clone, Copy, Default)]
pub(crate) struct View<'a> {
    spot: Spot,
    accs: &'a [Acc],
}

impl Slides {
    /// Empty windows, before the step and the row of `at`.
    pub(crate) fn at(at: Place, block: &Block) -> Self {
        let mut slides = Self::default();
        slides.fit(block);
        slides.each(block).for_each(|mut slide| slide.restart(at));
        slides
    }

    /// As many as the block has; where they were made for another block, what is in them is anything.
    pub(crate) fn fit(&mut self, block: &Block) {
        self.spots.resize_with(block.reaches.len(), Spot::default);
        self.accs.resize_with(block.reaches.len() * block.slots, Acc::default);
    }

    /// Window after window.
    pub(crate) fn each<'a>(&'a mut self, block: &Block) -> impl Iterator<Item = Slide<'a>> + use<'a> {
        let slots = block.slots;
        let mut accs = self.accs.as_mut_slice();
        self.spots.iter_mut().map(move |spot| {
            let (own, rest) = std::mem::take(&mut accs).split_at_mut(slots);
            accs = rest;
            Slide { spot, accs: own }
        })
    }

    /// A window.
    pub(crate) fn view(&self, window: usize, block: &Block) -> View<'_> {
        View { spot: self.spots[window], accs: &self.accs[window * block.slots..(window + 1) * block.slots] }
    }

    /// Bytes that they take, about.
    pub(crate) fn bytes(&self) -> usize {
        let spots = if self.spots.spilled() { self.spots.capacity() * size_of::<Spot>() } else { 0 };
        let accs = self.accs.capacity() * size_of::<Acc>() + self.accs.iter().map(Acc::bytes).sum::<usize>();
        size_of::<Self>() + spots + accs
    }
}

impl<'a> View<'a> {
    /// The rows that are in.
    pub(crate) fn ids(self) -> std::ops::Range<u64> {
        self.spot.low..self.spot.high
    }

    /// The steps that are in.
    pub(crate) fn steps(self, tail: Option<&Tail>) -> impl DoubleEndedIterator<Item = &Step> {
        self.spot.steps(tail)
    }

    /// Time of the newest event that is in.
    pub(crate) fn newest(self, past: Past<'_>, block: &Block) -> Option<i64> {
        self.spot.newest(past, block)
    }

    /// Events that an input counts, and what is known of their values.
    pub(crate) fn of(self, input: &Input) -> (u64, Option<&'a Acc>) {
        match input.slot.and_then(|slot| self.accs.get(slot)) {
            Some(acc) => (acc.count, Some(acc)),
            None if input.slot.is_none() => (self.spot.high - self.spot.low + self.spot.summed, None),
            None => (0, None),
        }
    }
}

impl Spot {
    fn steps<'a>(&self, tail: Option<&'a Tail>) -> impl DoubleEndedIterator<Item = &'a Step> + use<'a> {
        let (low, high) = self.steps;
        tail.into_iter().flat_map(move |tail| (low..high).map(|id| tail.step(id)))
    }

    fn newest(&self, past: Past<'_>, block: &Block) -> Option<i64> {
        if self.high > self.low {
            return Some(past.log.row(self.high - 1, block.width).time());
        }
        self.steps(past.tail).next_back().map(|step| step.newest)
    }
}

impl Slide<'_> {
    /// Empty, before the step and the row of `at`.
    pub(crate) fn restart(&mut self, (step, row): Place) {
        *self.spot = Spot { low: row, high: row, steps: (step, step), summed: 0 };
        self.accs.iter_mut().for_each(Acc::clear);
    }

    /// Id of the first row that is in, or would be.
    pub(crate) fn low(&self) -> u64 {
        self.spot.low
    }

    /// Steps before `id` are not in, nor will they be; none is.
    pub(crate) fn skip_steps(&mut self, id: u32) {
        self.spot.steps = (id, id);
    }

    /// Moves the window to the time `until`, where it ends; rows from `limit` on stay out whatever their time.
    pub(crate) fn advance(
        &mut self,
        reach: Reach,
        until: i64,
        limit: u64,
        past: Past<'_>,
        block: &Block,
        texts: &Texts,
    ) {
        let before = self.spot.steps;
        if let Some(tail) = past.tail {
            self.add_steps(reach, until, tail, block, texts);
        }
        let log = past.log;
        while self.spot.high < limit {
            let row = log.row(self.spot.high, block.width);
            if row.time() > until {
                break;
            }
            if let Reach::Session(gap) = reach
                && self.spot.newest(past, block).is_some_and(|newest| row.time().saturating_sub(newest) >= gap)
            {
                self.restart((self.spot.steps.1, self.spot.high));
            }
            self.add(self.spot.high, row, block, texts);
            self.spot.high += 1;
        }
        match reach {
            Reach::Time(length) => {
                let after = until.saturating_sub(length);
                if let Some(tail) = past.tail {
                    while self.spot.steps.0 < self.spot.steps.1 && tail.step(self.spot.steps.0).oldest <= after {
                        self.remove_oldest_step(tail, block);
                    }
                }
                while self.spot.low < self.spot.high && log.row(self.spot.low, block.width).time() <= after {
                    self.remove_oldest(log, block);
                }
            }
            Reach::Last(events) => {
                while self.spot.high - self.spot.low > events {
                    self.remove_oldest(log, block);
                }
            }
            Reach::Session(_) => {}
        }
        if self.spot.steps != before {
            self.recount(past.tail, block, texts);
        }
    }

    #[cold]
    fn add_steps(&mut self, reach: Reach, until: i64, tail: &Tail, block: &Block, texts: &Texts) {
        if let Reach::Last(_) = reach {
            // So many events are always among those that are kept one by one.
            self.spot.steps = (tail.ids().end, tail.ids().end);
            return;
        }
        while self.spot.steps.1 < tail.ids().end {
            let id = self.spot.steps.1;
            let step = tail.step(id);
            if step.newest > until {
                break;
            }
            if let Reach::Session(gap) = reach
                && self.spot.steps.0 < id
                && step.oldest.saturating_sub(tail.step(id - 1).newest) >= gap
            {
                self.restart((id, self.spot.high));
            }
            for (input, part) in block.inputs.iter().zip(&step.parts) {
                if let Some(slot) = input.slot {
                    self.accs[slot].add_step(step_id(id), part, input.kind(block), input.needs, texts);
                }
            }
            self.spot.summed += step.events;
            self.spot.steps.1 += 1;
        }
    }

    #[cold]
    fn remove_oldest_step(&mut self, tail: &Tail, block: &Block) {
        let id = self.spot.steps.0;
        let step = tail.step(id);
        for (input, part) in block.inputs.iter().zip(&step.parts) {
            if let Some(slot) = input.slot {
                self.accs[slot].remove_step(step_id(id), part, input.needs);
            }
        }
        self.spot.summed -= step.events;
        self.spot.steps.0 += 1;
    }

    #[cold]
    fn recount(&mut self, tail: Option<&Tail>, block: &Block, texts: &Texts) {
        let (low, high) = self.spot.steps;
        for (i, input) in block.inputs.iter().enumerate() {
            let Some(slot) = input.slot else { continue };
            let parts = tail.into_iter().flat_map(|tail| (low..high).map(move |id| &tail.step(id).parts[i]));
            self.accs[slot].recount(parts, input.kind(block), input.needs, texts);
        }
    }

    /// Takes what is before `first` out: it leaves the log.
    pub(crate) fn forget_before(&mut self, (step, first): Place, past: Past<'_>, block: &Block, texts: &Texts) {
        let before = self.spot.steps;
        if let Some(tail) = past.tail {
            while self.spot.steps.0 < step && self.spot.steps.0 < self.spot.steps.1 {
                self.remove_oldest_step(tail, block);
            }
        }
        self.spot.steps = (self.spot.steps.0.max(step), self.spot.steps.1.max(step));
        while self.spot.low < first && self.spot.low < self.spot.high {
            self.remove_oldest(past.log, block);
        }
        self.spot.low = self.spot.low.max(first);
        self.spot.high = self.spot.high.max(first);
        if self.spot.steps != before {
            self.recount(past.tail, block, texts);
        }
    }

    /// A row was put into the log at `id`; false if the window must be made anew. The window reaches from after `after` to
    /// `until`.
    pub(crate) fn inserted(
        &mut self,
        id: u64,
        row: Row<'_>,
        (after, until): (i64, i64),
        block: &Block,
        texts: &Texts,
    ) -> bool {
        if row.time() > until {
            return true;
        }
        if block.ordered {
            return false;
        }
        if row.time() > after {
            self.add(id, row, block, texts);
        } else {
            // Also where the window is empty and begins with this very row: it has been passed by.
            self.spot.low += 1;
        }
        self.spot.high += 1;
        true
    }

    fn add(&mut self, id: u64, row: Row<'_>, block: &Block, texts: &Texts) {
        for input in &block.inputs {
            let Some(slot) = input.slot else { continue };
            let acc = &mut self.accs[slot];
            if !input.counts(row) {
                continue;
            }
            match input.value {
                Some(column) => {
                    if let Some(word) = row.value(column) {
                        acc.add(ROWS + id, word, input.kind(block), input.needs, texts);
                    }
                }
                None => acc.add_event(),
            }
        }
    }

    fn remove_oldest(&mut self, log: &Log, block: &Block) {
        let (id, row) = (self.spot.low, log.row(self.spot.low, block.width));
        self.spot.low += 1;
        for input in &block.inputs {
            let Some(slot) = input.slot else { continue };
            let acc = &mut self.accs[slot];
            if !input.counts(row) {
                continue;
            }
            match input.value {
                Some(column) => {
                    if let Some(word) = row.value(column) {
                        acc.remove(ROWS + id, word, input.kind(block), input.needs);
                    }
                }
                None => acc.remove_event(),
            }
        }
    }
}

fn step_id(id: u32) -> u64 {
    u64::from(id) << 8
}

/// Where a fresh window has to start so that nothing is missed and little is added in vain.
pub(crate) fn start(reach: Reach, until: i64, limit: u64, past: Past<'_>, width: Width) -> Place {
    let (log, first) = (past.log, past.log.ids(width).start);
    let row = match reach {
        Reach::Time(length) => log.after(until.saturating_sub(length), width).min(limit),
        Reach::Last(events) => log.after(until, width).min(limit).saturating_sub(events).max(first),
        Reach::Session(_) => first,
    };
    let step = past.tail.map_or(0, |tail| match reach {
        Reach::Time(length) => tail.after(until.saturating_sub(length)),
        Reach::Last(_) => tail.ids().end,
        Reach::Session(_) => tail.ids().start,
    });
    (step, row)
}

/// Rows that an input counts, oldest first.
pub(crate) fn values<'a>(
    ids: std::ops::Range<u64>,
    log: &'a Log,
    input: &'a Input,
    width: Width,
) -> impl DoubleEndedIterator<Item = (i64, u64)> + Clone + 'a {
    ids.filter_map(move |id| {
        let row = log.row(id, width);
        input
            .counts(row)
            .then(|| input.value.and_then(|column| row.value(column)))
            .flatten()
            .map(|word| (row.time(), word))
    })
}
