//! From a key's bytes to what is done with its value.
//!
//! Producers write their keys in the same order in every record. So each object level remembers the keys of the
//! record before, as they stood in the bytes, quotes included, and first compares the bytes at hand with the key whose
//! turn it is: two word compares for keys of up to 14 bytes. Only where that fails is the key read and looked up. What
//! was remembered never changes a result, only the time it takes.

use super::string;
use crate::decode::fault::{Fault, Parsed};
use crate::decode::swar;

/// What is done with the value of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// It goes into this column.
    Column(usize),
    /// It is an object with columns inside: the number of its level.
    Object(usize),
    /// No column wants it.
    Skip,
}

/// Keys remembered per level; a record with more is looked up beyond.
const MAX_REMEMBERED: usize = 512;

/// Longer keys are not remembered.
const MAX_TOKEN_BYTES: usize = 128;

/// How many remembered keys may be missing from a record before its next key is looked up.
const LOOK_AHEAD: usize = 4;

/// A key as it stood in a record, with its quotes.
#[derive(Debug)]
struct Remembered {
    token: Vec<u8>,
    head: u64,
    tail: u64,
    mask: u64,
    tail_at: usize,
    target: Target,
}

impl Remembered {
    fn set(&mut self, token: &[u8], target: Target) {
        self.token.clear();
        self.token.extend_from_slice(token);
        self.tail_at = token.len().saturating_sub(8);
        self.mask = if token.len() < 8 { (1 << (8 * token.len())) - 1 } else { u64::MAX };
        self.head = swar::load(token, 0);
        self.tail = swar::load(token, self.tail_at);
        self.target = target;
    }

    fn new(token: &[u8], target: Target) -> Self {
        let mut remembered = Self { token: Vec::new(), head: 0, tail: 0, mask: 0, tail_at: 0, target };
        remembered.set(token, target);
        remembered
    }

    /// Whether this key stands at `at`. Bytes past the end read as zeros and match no token, since none ends in zero.
    #[inline(always)]
    fn stands_at(&self, bytes: &[u8], at: usize) -> bool {
        let head = (swar::load(bytes, at) ^ self.head) & self.mask;
        let tail = (swar::load(bytes, at + self.tail_at) ^ self.tail) & self.mask;
        head | tail == 0
            && (self.token.len() <= 16 || bytes.get(at..at + self.token.len()) == Some(self.token.as_slice()))
    }
}

/// The keys of one object level.
#[derive(Debug)]
pub(super) struct Keys {
    wanted: Vec<(Box<[u8]>, Target)>,
    /// Open addressing over `wanted`: index + 1, or 0. At most half full, its length a power of two.
    table: Vec<u32>,
    remembered: Vec<Remembered>,
}

impl Keys {
    /// The wanted keys, each once.
    pub(super) fn new(wanted: Vec<(Box<[u8]>, Target)>) -> Self {
        let mut table = vec![0u32; (wanted.len() * 2).next_power_of_two().max(2)];
        for (index, (name, _)) in wanted.iter().enumerate() {
            let mut place = hash(name) & (table.len() - 1);
            while table[place] != 0 {
                place = (place + 1) & (table.len() - 1);
            }
            table[place] = index as u32 + 1;
        }
        Self { wanted, table, remembered: Vec::new() }
    }

    /// The target of the key at `at`, and one past its closing quote. `turn` counts the keys of the object and is
    /// moved on.
    #[inline(always)]
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        at: usize,
        turn: &mut usize,
        scratch: &mut Vec<u8>,
    ) -> Parsed<(Target, usize)> {
        if let Some(key) = self.remembered.get(*turn)
            && key.stands_at(bytes, at)
        {
            *turn += 1;
            return Ok((key.target, at + key.token.len()));
        }
        self.read_unexpected(bytes, at, turn, scratch)
    }

    #[inline(never)]
    fn read_unexpected(
        &mut self,
        bytes: &[u8],
        at: usize,
        turn: &mut usize,
        scratch: &mut Vec<u8>,
    ) -> Parsed<(Target, usize)> {
        for ahead in *turn + 1..=*turn + LOOK_AHEAD {
            if let Some(key) = self.remembered.get(ahead)
                && key.stands_at(bytes, at)
            {
                *turn = ahead + 1;
                return Ok((key.target, at + key.token.len()));
            }
        }
        match bytes.get(at) {
            Some(b'"') => {}
            Some(_) => return Err(Fault::malformed(at, "expected a key in double quotes")),
            None => return Err(Fault::malformed(at, "the record ends inside an object")),
        }
        let (name, end) = string::read(bytes, at + 1, scratch)?;
        let target = self.find(name);
        let token = bytes.get(at..end).unwrap_or_default();
        if token.len() <= MAX_TOKEN_BYTES {
            if let Some(old) = self.remembered.get_mut(*turn) {
                old.set(token, target);
            } else if self.remembered.len() == *turn && *turn < MAX_REMEMBERED {
                self.remembered.push(Remembered::new(token, target));
            }
        }
        *turn += 1;
        Ok((target, end))
    }

    fn find(&self, name: &[u8]) -> Target {
        let mut place = hash(name) & (self.table.len() - 1);
        while let Some((wanted, target)) =
            self.table[place].checked_sub(1).and_then(|index| self.wanted.get(index as usize))
        {
            if wanted.as_ref() == name {
                return *target;
            }
            place = (place + 1) & (self.table.len() - 1);
        }
        Target::Skip
    }
}

/// Length, first and last eight bytes. The table holds the author's keys only, so records cannot crowd it.
fn hash(name: &[u8]) -> usize {
    let head = swar::load(name, 0);
    let tail = swar::load(name, name.len().saturating_sub(8));
    let mixed = (head ^ tail.rotate_left(29) ^ name.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 32) as usize
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn keys(names: &[&str]) -> Keys {
        let wanted = names.iter().enumerate();
        Keys::new(wanted.map(|(i, name)| (name.as_bytes().into(), Target::Column(i))).collect())
    }

    #[test]
    fn finds_every_wanted_key_and_no_other() {
        let names: Vec<String> = (0..300).map(|i| format!("a_rather_long_key_{i}_with_the_same_ends")).collect();
        let keys = keys(&names.iter().map(String::as_str).collect::<Vec<_>>());
        for (i, name) in names.iter().enumerate() {
            assert_eq!(keys.find(name.as_bytes()), Target::Column(i));
            assert_eq!(keys.find(&name.as_bytes()[1..]), Target::Skip);
        }
        assert_eq!(keys.find(b""), Target::Skip);
    }

    #[test]
    fn prediction_never_takes_one_key_for_another() {
        let names =
            ["a", "ab", "abcdef", "abcdefg", "abcdefgh", "abcdefghijklmn", "abcdefghijklmno", "abcdefghijXlmnopqrstuv"];
        let others = [
            "b",
            "aa",
            "abcdeg",
            "abcdef\\u0067",
            "abcdefgi",
            "abcdefXhijklmn",
            "abcdefghijklmnoo",
            "abcdefghijYlmnopqrstuv",
        ];
        for (i, name) in names.iter().enumerate() {
            let mut keys = keys(&names);
            let mut target = |text: &str| {
                let token = format!("\"{text}\"");
                let (target, end) = keys.read(token.as_bytes(), 0, &mut 0, &mut Vec::new()).unwrap();
                assert_eq!(end, token.len());
                target
            };
            assert_eq!(target(name), Target::Column(i));
            assert_eq!(target(name), Target::Column(i), "remembered");
            let expected = if others[i].contains('\\') { Target::Column(3) } else { Target::Skip };
            assert_eq!(target(others[i]), expected, "{} after {name}", others[i]);
        }
    }
}
