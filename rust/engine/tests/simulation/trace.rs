//! What happened: the last lines in words, all of them as a hash, faults by number.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Arguments;
use std::hash::{DefaultHasher, Hasher};

const LINES: usize = 120;

#[derive(Debug, Default)]
pub(crate) struct Trace {
    lines: VecDeque<String>,
    hash: DefaultHasher,
    faults: BTreeMap<&'static str, u64>,
    others: BTreeMap<&'static str, u64>,
    step: usize,
}

impl Trace {
    pub(crate) fn at(&mut self, step: usize) {
        self.step = step;
    }

    pub(crate) fn say(&mut self, what: Arguments<'_>) {
        let line = format!("{:>6} {what}", self.step);
        self.hash.write(line.as_bytes());
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Something went wrong.
    pub(crate) fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
        self.say(format_args!("  ! {kind}"));
    }

    /// Something worth knowing happened.
    pub(crate) fn count(&mut self, kind: &'static str) {
        *self.others.entry(kind).or_default() += 1;
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash.finish()
    }

    pub(crate) fn end(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    pub(crate) fn faults(&self) -> &BTreeMap<&'static str, u64> {
        &self.faults
    }

    pub(crate) fn others(&self) -> &BTreeMap<&'static str, u64> {
        &self.others
    }
}
