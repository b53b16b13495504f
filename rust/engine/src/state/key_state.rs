//! All that is known of one key, and what happens when an event of it comes.
//!
//! A key with few events keeps nothing but them: its windows are looked through anew for each event, which is as fast
//! as sliding them and takes no memory. From [`FEW`] events on windows slide. Both give the same bits, because sums are
//! exact and everything else is a function of the rows in the window.

use super::acc::double;
use super::block::{Block, DecaySpec};
use super::log::{Log, Row};
use super::result::{Context, result};
use super::slide::{Place, Reach, Slides, start};
use super::tail::{Bound, Past, Tail};
use super::words::Texts;
use crate::spec::Late;

/// Up to so many events are looked through.
const FEW: usize = 24;

/// One key's history.
#[derive(Debug)]
pub(crate) struct KeyState {
    /// Time of the newest event.
    newest: i64,
    /// How far the clock of all keys had come when an event of this one was last seen.
    pub(crate) seen_at: i64,
    log: Log,
    /// What is older than the log, if the block's memory has a bound and the key has come to it.
    tail: Option<Box<Tail>>,
    /// One for each [`Block::decays`].
    decays: Box<[Decay]>,
    /// One for each window, while the key has more than a few events. Not saved: it follows from the rest.
    slides: Option<Box<Slides>>,
}

/// Mean of values with weights that halve, and the sum of the weights, 0 without a value; at the time of the key's newest
/// event. The mean and not the weighted sum, so that it stays when the weights have all but vanished.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Decay {
    pub(crate) mean: f64,
    pub(crate) weight: f64,
}

/// Room that is used again for every event: windows of keys with few, and the results.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    slides: Slides,
    /// One for each [`Block::outputs`].
    pub(crate) results: Vec<Option<u64>>,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Observed {
    /// It is in; its features are in [`Scratch::results`].
    Taken,
    /// Its features are there, but it is not in.
    Used,
    /// Nothing happened; the event is older than the newest one by so many microseconds.
    TooLate(i64),
}

impl KeyState {
    /// A key that was never seen.
    pub(crate) fn new(block: &Block) -> Self {
        Self {
            newest: i64::MIN,
            seen_at: i64::MIN,
            log: Log::default(),
            tail: None,
            decays: vec![Decay::default(); block.decays.len()].into(),
            slides: None,
        }
    }

    /// As it was saved; `rows` oldest first, `decays` as in the block.
    pub(crate) fn restored(
        (newest, seen_at): (i64, i64),
        rows: &[u64],
        tail: Tail,
        decays: Vec<Decay>,
        block: &Block,
    ) -> Self {
        let mut log = Log::default();
        rows.chunks_exact(block.width.words()).for_each(|row| {
            log.push(row, block.width);
        });
        let tail = (!tail.is_empty()).then(|| Box::new(tail));
        Self { newest, seen_at, log, tail, decays: decays.into(), slides: None }
    }

    /// Time of the newest event, in microseconds since 1970.
    pub(crate) fn newest(&self) -> i64 {
        self.newest
    }

    /// The events that are kept, oldest first.
    pub(crate) fn rows<'a>(&'a self, block: &'a Block) -> impl ExactSizeIterator<Item = Row<'a>> + 'a {
        let first = self.log.ids(block.width).start;
        (0..self.log.len(block.width)).map(move |i| self.log.row(first + i as u64, block.width))
    }

    /// The events that are summed up.
    pub(crate) fn tail(&self) -> Option<&Tail> {
        self.tail.as_deref()
    }

    /// See [`Decay`].
    pub(crate) fn decays(&self) -> &[Decay] {
        &self.decays
    }

    /// An event comes: a row of the block's width. Fills the results, unless it is too late and late ones are rejected.
    pub(crate) fn observe(&mut self, row: &[u64], block: &Block, texts: &Texts, scratch: &mut Scratch) -> Observed {
        let time = Row(row).time();
        scratch.results.clear();
        if let Some(bound) = block.bound
            && self.log.len(block.width) >= bound.most()
        {
            self.sum_up(bound, block, texts);
        }
        if time >= self.newest {
            self.in_order(row, block, texts, scratch);
            return Observed::Taken;
        }
        let late = self.newest.saturating_sub(time);
        if late <= block.allow && self.tail.as_ref().is_none_or(|tail| time >= tail.newest()) {
            self.out_of_order(row, true, block, texts, scratch);
            Observed::Taken
        } else if block.late == Late::Use {
            self.out_of_order(row, false, block, texts, scratch);
            Observed::Used
        } else {
            Observed::TooLate(late)
        }
    }

    fn in_order(&mut self, row: &[u64], block: &Block, texts: &Texts, scratch: &mut Scratch) {
        let time = Row(row).time();
        self.expire(time, block, texts);
        for (decay, spec) in self.decays.iter_mut().zip(&block.decays) {
            decay.age(time.saturating_sub(self.newest), spec);
            decay.add(Row(row), spec, block);
        }
        self.newest = time;
        let id = self.log.push(row, block.width);
        let until = time.saturating_sub(block.delay);
        let limit = if block.include_current { id + 1 } else { id };
        if self.slides.is_none() && (self.log.len(block.width) > FEW || self.tail.is_some()) {
            self.slides = Some(Box::new(Slides::at(self.beginning(block), block)));
        }
        let past = Past { log: &self.log, tail: self.tail.as_deref() };
        let context = Context { id, until, past, decays: &self.decays, block };
        match &mut self.slides {
            Some(slides) => {
                for (mut slide, reach) in slides.each(block).zip(&block.reaches) {
                    slide.advance(*reach, until, limit, past, block, texts);
                }
                scratch.results.extend(block.outputs.iter().map(|output| result(output, slides, &context)));
            }
            None => look_through(&context, limit, texts, scratch),
        }
    }

    /// The oldest that there is.
    fn beginning(&self, block: &Block) -> Place {
        (self.tail.as_ref().map_or(0, |tail| tail.ids().start), self.log.ids(block.width).start)
    }

    /// Sums up the oldest events, so that no more than the bound's are left one by one.
    #[cold]
    fn sum_up(&mut self, bound: Bound, block: &Block, texts: &Texts) {
        let ids = self.log.ids(block.width);
        let first = ids.end - bound.events as u64;
        let tail = self.tail.get_or_insert_default();
        for id in ids.start..first {
            tail.push(self.log.row(id, block.width), bound, block, texts);
        }
        self.log.drop_oldest((first - ids.start) as usize, block.width);
        let end = (tail.ids().end, first);
        let until = self.newest.saturating_sub(block.delay);
        let past = Past { log: &self.log, tail: self.tail.as_deref() };
        let slides = self.slides.iter_mut().flat_map(|slides| slides.each(block));
        for (mut slide, reach) in slides.zip(&block.reaches) {
            if slide.low() >= first {
                // All that was summed up had left it.
                slide.skip_steps(end.0);
            } else {
                slide.restart(start(*reach, until, ids.end, past, block.width));
            }
        }
    }

    /// Lets go what no window can reach any more.
    fn expire(&mut self, time: i64, block: &Block, texts: &Texts) {
        let before = time.saturating_sub(block.horizon);
        if self.newest <= before && self.newest != i64::MIN {
            self.decays.fill(Decay::default());
        }
        let ids = self.log.ids(block.width);
        let mut first = ids.start;
        while first < ids.end && self.log.row(first, block.width).time() <= before {
            first += 1;
        }
        let step = self.tail.as_ref().map_or(0, |tail| tail.reaching_past(before));
        if (step, first) == self.beginning(block) {
            return;
        }
        let past = Past { log: &self.log, tail: self.tail.as_deref() };
        for mut slide in self.slides.iter_mut().flat_map(|slides| slides.each(block)) {
            slide.forget_before((step, first), past, block, texts);
        }
        if let Some(tail) = &mut self.tail {
            tail.drop_before(step);
        }
        self.tail.take_if(|tail| tail.is_empty());
        self.log.drop_oldest((first - ids.start) as usize, block.width);
        if self.log.len(block.width) < FEW / 2 && self.tail.is_none() {
            self.slides = None;
        }
    }

    fn out_of_order(&mut self, row: &[u64], stays: bool, block: &Block, texts: &Texts, scratch: &mut Scratch) {
        let time = Row(row).time();
        let id = self.log.after(time, block.width);
        self.log.insert(id, row, block.width);
        let until = time.saturating_sub(block.delay);
        let limit = if block.include_current { id + 1 } else { id };
        let of_its_time: Vec<Decay> =
            block.decays.iter().map(|spec| Decay::of_events(id, &self.log, spec, block)).collect();
        let past = Past { log: &self.log, tail: self.tail.as_deref() };
        look_through(&Context { id, until, past, decays: &of_its_time, block }, limit, texts, scratch);
        if !stays {
            self.log.take_out(id, block.width);
            return;
        }
        for (decay, spec) in self.decays.iter_mut().zip(&block.decays) {
            decay.add_old(Row(row), self.newest.saturating_sub(time), spec, block);
        }
        let (end, beginning) = (self.newest.saturating_sub(block.delay), self.beginning(block));
        if let Some(slides) = &mut self.slides {
            for (mut slide, reach) in slides.each(block).zip(&block.reaches) {
                let kept = match *reach {
                    Reach::Time(length) => {
                        slide.inserted(id, Row(row), (end.saturating_sub(length), end), block, texts)
                    }
                    Reach::Last(_) | Reach::Session(_) => false,
                };
                if !kept {
                    slide.restart(beginning);
                }
            }
        }
    }

    /// Writes the values of some columns anew; they stay equal or different as they were.
    pub(crate) fn change_words(&mut self, block: &Block, columns: &[u8], mut change: impl FnMut(u64) -> u64) {
        self.slides = None;
        self.log.change_words(block.width, columns, &mut change);
        if let Some(tail) = &mut self.tail {
            tail.change_words(block, columns, &mut change);
        }
    }

    /// Bytes that it holds beside itself, about.
    pub(crate) fn bytes(&self) -> usize {
        let slides = self.slides.as_ref().map_or(0, |slides| slides.bytes());
        self.log.bytes() + self.tail.as_ref().map_or(0, |tail| tail.bytes()) + size_of_val(&*self.decays) + slides
    }
}

/// Results by windows that are made for this event alone; rows from `limit` on stay out.
fn look_through(context: &Context<'_>, limit: u64, texts: &Texts, scratch: &mut Scratch) {
    let Context { until, past, block, .. } = *context;
    scratch.slides.fit(block);
    for (mut slide, reach) in scratch.slides.each(block).zip(&block.reaches) {
        slide.restart(start(*reach, until, limit, past, block.width));
        slide.advance(*reach, until, limit, past, block, texts);
    }
    scratch.results.extend(block.outputs.iter().map(|output| result(output, &scratch.slides, context)));
}

impl Decay {
    /// So many microseconds pass.
    fn age(&mut self, micros: i64, spec: &DecaySpec) {
        if self.weight != 0.0 {
            self.weight = (self.weight * halved(micros, spec.half_life)).max(f64::MIN_POSITIVE);
        }
    }

    /// A value of now.
    fn add(&mut self, row: Row<'_>, spec: &DecaySpec, block: &Block) {
        self.add_weighted(row, 1.0, spec, block);
    }

    fn add_weighted(&mut self, row: Row<'_>, weight: f64, spec: &DecaySpec, block: &Block) {
        let counts = spec.filter.is_none_or(|filter| row.passes(filter));
        if let (true, Some(word)) = (counts, row.value(spec.value)) {
            let value = double(block.columns[usize::from(spec.value)].kind, word);
            let all = self.weight + weight;
            self.mean = if self.weight == 0.0 { value } else { self.mean + (value - self.mean) * (weight / all) };
            self.weight = all;
        }
    }

    /// A value that is older than the newest event.
    fn add_old(&mut self, row: Row<'_>, micros: i64, spec: &DecaySpec, block: &Block) {
        self.add_weighted(row, halved(micros, spec.half_life).max(f64::MIN_POSITIVE), spec, block);
    }

    /// Of the events up to `id`, as far as they are kept.
    fn of_events(id: u64, log: &Log, spec: &DecaySpec, block: &Block) -> Self {
        let (mut decay, mut before) = (Self::default(), None);
        for row in (log.ids(block.width).start..=id).map(|id| log.row(id, block.width)) {
            decay.age(row.time().saturating_sub(before.unwrap_or(row.time())), spec);
            decay.add(row, spec, block);
            before = Some(row.time());
        }
        decay
    }

    /// The weighted mean.
    pub(crate) fn value(self) -> Option<f64> {
        (self.weight > 0.0).then_some(self.mean)
    }
}

/// What is left of a weight of 1; the same bits on every machine.
fn halved(micros: i64, half_life: i64) -> f64 {
    libm::exp2(-(micros as f64) / half_life as f64)
}
