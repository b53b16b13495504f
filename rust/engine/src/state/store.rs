//! The histories of all keys that one task, partition or bucket has to do with.

use serde::{Deserialize, Serialize};

use super::block::Block;
use super::key_state::KeyState;
use super::map::Map;
use super::words::{Kind, Texts};

/// Events after which keys that are over are forgotten. By events, not by time: a replay does it at the same places.
const FORGET_EVERY: u64 = 65_536;
/// Of so many events the oldest moves the clock, so that a few times far in the future do not.
const CLOCK_EVENTS: u64 = 256;
/// A key is forgotten when the clock has gone on by so many horizons since its last event. After one of its own time its
/// next event finds nothing anyway; by the clock's going on, not by its time, because a log may hold one series after the
/// other.
const FORGET_HORIZONS: i64 = 2;
/// Texts that nobody holds any more are let go when there are twice as many as were held, and more than this.
const FEW_TEXTS: usize = 4_096;

/// Keys and their histories.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) keys: Map<Box<[u8]>, KeyState>,
    pub(crate) texts: Texts,
    pub(crate) clock: Clock,
    /// Keys that were last seen before this by the clock are forgotten; it never goes back.
    pub(crate) forgotten: i64,
    /// What `forgotten` was when keys were last let go.
    swept: i64,
    held_texts: usize,
}

/// An event's place among those of all keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    /// How far event time had come.
    pub(crate) now: i64,
    /// Keys that were last seen before this had been forgotten.
    pub(crate) forgotten: i64,
}

/// How far event time has come, and when to look for keys that are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clock {
    /// Events seen.
    pub(crate) events: u64,
    /// Microseconds since 1970.
    pub(crate) time: i64,
    /// Oldest of the events since the clock was last looked at.
    pub(crate) oldest: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Self { events: 0, time: i64::MIN, oldest: i64::MAX }
    }
}

impl Clock {
    /// How far event time has come; until it is known, as far as this event.
    #[inline]
    pub(crate) fn now(&self, time: i64) -> i64 {
        if self.time == i64::MIN { time } else { self.time }
    }
}

impl Store {
    /// Nobody is known.
    pub(crate) fn new() -> Self {
        Self {
            keys: Map::default(),
            texts: Texts::default(),
            clock: Clock::default(),
            forgotten: i64::MIN,
            swept: i64::MIN,
            held_texts: 0,
        }
    }

    /// An event comes: what its key needs to know of the others. Now and then more keys are forgotten.
    #[inline]
    pub(crate) fn turn(&mut self, time: i64, block: &Block) -> Turn {
        let turn = Turn { now: self.clock.now(time), forgotten: self.forgotten };
        let clock = &mut self.clock;
        clock.events += 1;
        clock.oldest = clock.oldest.min(time);
        if clock.events.is_multiple_of(CLOCK_EVENTS) {
            clock.time = clock.time.max(clock.oldest);
            clock.oldest = i64::MAX;
            if clock.events.is_multiple_of(FORGET_EVERY) {
                let before = clock.time.saturating_sub(block.horizon.saturating_mul(FORGET_HORIZONS));
                self.forgotten = self.forgotten.max(before);
            }
        }
        turn
    }

    /// Lets go what was forgotten since it was last looked for.
    pub(crate) fn sweep(&mut self, block: &Block) {
        if self.swept == self.forgotten {
            return;
        }
        self.swept = self.forgotten;
        self.keys.retain(|_, state| state.seen_at >= self.swept);
        if self.texts.len() > FEW_TEXTS.max(2 * self.held_texts) {
            self.tidy_texts(block);
        }
    }

    /// Numbers anew the texts that some history holds; the others go.
    fn tidy_texts(&mut self, block: &Block) {
        let columns: Vec<u8> = (0..block.columns.len() as u8)
            .filter(|column| block.columns[usize::from(*column)].kind == Kind::Text)
            .collect();
        let old = std::mem::take(&mut self.texts);
        let texts = &mut self.texts;
        for state in self.keys.values_mut() {
            state.change_words(block, &columns, |word| texts.number(old.text(word)));
        }
        self.held_texts = self.texts.len();
    }

    /// Bytes that the histories take, about.
    pub(crate) fn bytes(&self) -> usize {
        let each = size_of::<(Box<[u8]>, KeyState)>() + 1;
        let inside: usize = self.keys.iter().map(|(key, state)| key.len() + state.bytes()).sum();
        self.keys.capacity() * each + inside
    }
}
