//! A store of snapshots in which everything happens that its contract allows, and rot besides.

use std::collections::BTreeMap;

use firesteel_engine::state::home::{Place, SnapshotStore, Stored};

use crate::canary::Canary;
use crate::chance::Chance;
use crate::plan::Faults;
use crate::trace::Trace;

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreFault {
    /// It just did.
    Failed,
    /// The process that called died in the middle of it.
    Died,
}

#[derive(Debug, Clone)]
struct File {
    bytes: Vec<u8>,
    /// How long it should be.
    whole: usize,
    rotten: bool,
}

impl File {
    fn is_whole(&self) -> bool {
        self.bytes.len() == self.whole && !self.rotten
    }
}

/// What will happen to a file.
#[derive(Debug, Clone)]
enum Effect {
    Lands(File),
    Goes,
}

type Name = (i32, i64);

/// The files, and what is still under way to them.
#[derive(Debug, Default)]
pub(crate) struct Files {
    files: BTreeMap<Name, File>,
    /// When, what, to which.
    coming: Vec<(usize, Name, Effect)>,
}

impl Files {
    /// Lets happen what is due.
    pub(crate) fn pass(&mut self, now: usize, trace: &mut Trace) {
        let mut at = 0;
        while at < self.coming.len() {
            if self.coming[at].0 > now {
                at += 1;
                continue;
            }
            let (_, name, effect) = self.coming.remove(at);
            trace.say(format_args!(
                "    store: {}-{} {}",
                name.0,
                name.1,
                match &effect {
                    Effect::Goes => "goes late",
                    Effect::Lands(_) => "lands late",
                }
            ));
            self.happens(name, effect);
        }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.coming.is_empty()
    }

    fn happens(&mut self, name: Name, effect: Effect) {
        match effect {
            Effect::Goes => {
                self.files.remove(&name);
            }
            Effect::Lands(file) => match self.files.get(&name) {
                // Renaming does not put a beginning in place of a whole, nor the same over the same.
                Some(there) if there.bytes.len() == there.whole => {}
                _ => {
                    self.files.insert(name, file);
                }
            },
        }
    }

    /// The newest snapshot from which a state at an offset from `low` to `high` could be taken up.
    pub(crate) fn usable(&self, partition: i32, low: i64, high: i64) -> Option<i64> {
        if low > high {
            return None;
        }
        let mut range = self.files.range((partition, low)..=(partition, high));
        range.rfind(|(_, file)| file.is_whole()).map(|((_, version), _)| *version)
    }

    /// Spoils a file, in the middle or at its end.
    pub(crate) fn rot(&mut self, chance: &mut Chance) -> Option<Name> {
        if self.files.is_empty() {
            return None;
        }
        let at = chance.below(self.files.len());
        let (name, file) = self.files.iter_mut().nth(at)?;
        file.rotten = true;
        if file.bytes.is_empty() {
            return None;
        }
        let byte = chance.below(file.bytes.len());
        if chance.often(500) {
            file.bytes[byte] ^= 1 << chance.below(8);
        } else {
            file.bytes[byte..].fill(0);
        }
        Some(*name)
    }
}

/// The store as a process sees it.
pub(crate) struct Access<'a> {
    pub(crate) files: &'a mut Files,
    pub(crate) chance: &'a mut Chance,
    pub(crate) faults: &'a Faults,
    pub(crate) trace: &'a mut Trace,
    pub(crate) now: usize,
    pub(crate) canary: Canary,
}

impl Access<'_> {
    fn fails(&mut self) -> Result<(), StoreFault> {
        if self.chance.often(self.faults.store) {
            self.trace.fault("store call fails");
            return Err(StoreFault::Failed);
        }
        Ok(())
    }

    fn dies(&mut self) -> bool {
        let dies = self.chance.often(self.faults.dies);
        if dies {
            self.trace.fault("process dies in a store call");
        }
        dies
    }

    fn later(&mut self, name: Name, effect: Effect) {
        let at = self.now + self.chance.between(1, 150) as usize;
        self.files.coming.push((at, name, effect));
    }
}

impl SnapshotStore for Access<'_> {
    type Error = StoreFault;

    fn list(&mut self, place: &Place) -> Result<Vec<Stored>, StoreFault> {
        self.fails()?;
        let range = (place.partition, i64::MIN)..=(place.partition, i64::MAX);
        let stored =
            |((_, version), file): (&Name, &File)| Stored { version: *version, bytes: file.bytes.len() as u64 };
        Ok(self.files.files.range(range).map(stored).collect())
    }

    fn read(&mut self, place: &Place, version: i64) -> Result<Option<Vec<u8>>, StoreFault> {
        self.fails()?;
        let file = self.files.files.get(&(place.partition, version));
        if file.is_some_and(|file| !file.is_whole()) {
            self.trace.count("damaged snapshots read");
        }
        Ok(file.map(|file| if file.rotten { file.bytes.clone() } else { self.canary.read(file.bytes.clone()) }))
    }

    fn write(&mut self, place: &Place, version: i64, saved: &[u8]) -> Result<(), StoreFault> {
        let name = (place.partition, self.canary.version(version));
        let whole = File { bytes: saved.to_vec(), whole: saved.len(), rotten: false };
        let mut effect = Effect::Lands(whole.clone());
        if self.chance.often(self.faults.torn) {
            self.trace.fault("torn write");
            let length = tear(saved, self.chance, self.canary);
            effect = Effect::Lands(File { bytes: saved[..length].to_vec(), ..whole.clone() });
        }
        if self.chance.often(self.faults.twice) {
            self.trace.fault("write that arrives twice");
            self.later(name, Effect::Lands(whole));
        }
        let dies = self.dies();
        let fails = dies || self.chance.often(self.faults.write);
        if fails && self.chance.often(400) {
            self.trace.fault("write of which nothing is left");
        } else if self.chance.often(self.faults.late) {
            self.trace.fault("late write");
            self.later(name, effect);
        } else {
            self.files.happens(name, effect);
        }
        match (dies, fails) {
            (true, _) => Err(StoreFault::Died),
            (false, true) => {
                self.trace.fault("write that says it failed");
                Err(StoreFault::Failed)
            }
            (false, false) => Ok(()),
        }
    }

    fn remove(&mut self, place: &Place, version: i64) -> Result<(), StoreFault> {
        self.fails()?;
        self.trace.count("snapshots let go");
        let name = (place.partition, version);
        if self.chance.often(self.faults.late) {
            self.trace.fault("late removal");
            self.later(name, Effect::Goes);
        } else {
            self.files.happens(name, Effect::Goes);
        }
        if self.canary == Canary::KeepsTheNewestOnly {
            let newest = self.files.files.range((place.partition, 0)..=(place.partition, i64::MAX)).next_back();
            let newest = newest.map(|(name, _)| *name);
            self.files.files.retain(|name, _| name.0 != place.partition || Some(*name) == newest);
        }
        if self.dies() { Err(StoreFault::Died) } else { Ok(()) }
    }
}

/// Where a write ends too soon: anywhere, but best between two messages of the stream, where it looks as if it were whole.
fn tear(saved: &[u8], chance: &mut Chance, canary: Canary) -> usize {
    // A message begins with -1 and the length of what describes it.
    let begins = |at: &usize| {
        let words = |at: usize| u32::from_le_bytes([saved[at], saved[at + 1], saved[at + 2], saved[at + 3]]);
        words(*at) == u32::MAX && words(*at + 4) < 1_000_000
    };
    let seams: Vec<usize> = (0..saved.len().saturating_sub(8)).step_by(8).filter(begins).collect();
    let at_seam = chance.often(500) || canary == Canary::TornIsWhole;
    if at_seam && !seams.is_empty() { *chance.pick(&seams) } else { chance.below(saved.len()) }
}
