//! Records that no pipeline should take, mixed between the payments, with a count of each kind.
//!
//! Each kind names the code under which Firesteel must reject it when the pipeline is that of `examples/fraud`.

use std::io::Write;

use crate::loadgen::mt19937::Mt19937;

/// A way for a record to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text that is no JSON.
    NotJson,
    /// An event cut off in the middle.
    Truncated,
    /// Two events in one record.
    TwoEvents,
    /// No bytes.
    Empty,
    /// No value at all.
    Tombstone,
    /// A word for an amount.
    WrongType,
    /// A transaction number above 2^63.
    OutOfRange,
    /// The 31st of a month that has 30 days.
    BadTimestamp,
    /// No amount.
    MissingAmount,
    /// An amount below zero.
    NegativeAmount,
    /// Nested ten thousand levels deep.
    TooDeep,
    /// A byte that no UTF-8 text has.
    InvalidUtf8,
}

impl Kind {
    /// Every kind, tombstone last: a file has no place for it.
    pub(crate) const ALL: [Self; 12] = [
        Self::NotJson,
        Self::Truncated,
        Self::TwoEvents,
        Self::Empty,
        Self::WrongType,
        Self::OutOfRange,
        Self::BadTimestamp,
        Self::MissingAmount,
        Self::NegativeAmount,
        Self::TooDeep,
        Self::InvalidUtf8,
        Self::Tombstone,
    ];

    /// Name in the manifest.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::Truncated => "truncated",
            Self::TwoEvents => "two_events",
            Self::Empty => "empty",
            Self::Tombstone => "tombstone",
            Self::WrongType => "wrong_type",
            Self::OutOfRange => "out_of_range",
            Self::BadTimestamp => "bad_timestamp",
            Self::MissingAmount => "missing_amount",
            Self::NegativeAmount => "negative_amount",
            Self::TooDeep => "too_deep",
            Self::InvalidUtf8 => "invalid_utf8",
        }
    }

    /// The code under which the engine rejects it.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::NotJson | Self::Truncated | Self::TwoEvents => "MALFORMED",
            Self::Empty => "EMPTY_VALUE",
            Self::Tombstone => "TOMBSTONE",
            Self::WrongType => "WRONG_TYPE",
            Self::OutOfRange => "OUT_OF_RANGE",
            Self::BadTimestamp => "BAD_TIMESTAMP",
            Self::MissingAmount => "REQUIRED_MISSING",
            Self::NegativeAmount => "CHECK_FAILED",
            Self::TooDeep => "TOO_DEEP",
            Self::InvalidUtf8 => "INVALID_UTF8",
        }
    }

    /// The record's value; none for a tombstone. `event` is a good JSON event that broken ones are made from.
    fn write<'a>(self, event: &[u8], text: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        const OPEN: &[u8] = &[b'['; 10_000];
        const CLOSE: &[u8] = &[b']'; 10_000];
        text.clear();
        // Writing into memory cannot fail.
        let _ = match self {
            Self::NotJson => text.write_all(b"<payment currency=EUR>12.50</payment>"),
            Self::Truncated => text.write_all(&event[..event.len() / 2]),
            Self::TwoEvents => text.write_all(event).and_then(|()| text.write_all(event)),
            Self::Empty => Ok(()),
            Self::Tombstone => return None,
            Self::WrongType => fields(text, "1", "2018-06-30 10:00:00", r#","amount":"plenty""#),
            Self::OutOfRange => fields(text, "99999999999999999999", "2018-06-30 10:00:00", r#","amount":1.5"#),
            Self::BadTimestamp => fields(text, "1", "2018-06-31 10:00:00", r#","amount":1.5"#),
            Self::MissingAmount => fields(text, "1", "2018-06-30 10:00:00", ""),
            Self::NegativeAmount => fields(text, "1", "2018-06-30 10:00:00", r#","amount":-12.5"#),
            Self::TooDeep => text
                .write_all(br#"{"note":"#)
                .and_then(|()| text.write_all(OPEN))
                .and_then(|()| text.write_all(CLOSE))
                .and_then(|()| text.write_all(b"}")),
            Self::InvalidUtf8 => text.write_all(b"{\"transaction_id\":1,\"shop\":\"Caf\xe9\"}"),
        };
        Some(text)
    }
}

fn fields(text: &mut Vec<u8>, id: &str, ts: &str, rest: &str) -> std::io::Result<()> {
    write!(text, r#"{{"transaction_id":{id},"ts":"{ts}","customer_id":1,"terminal_id":1{rest}}}"#)
}

/// Decides, event by event, whether a wrong record comes before it, and which.
pub(crate) struct Rubbish {
    random: Mt19937,
    fraction: f64,
    kinds: &'static [Kind],
    counts: [u64; Kind::ALL.len()],
    text: Vec<u8>,
}

impl Rubbish {
    /// `fraction` is the chance of a wrong record before each event; the same seed gives the same records.
    pub(crate) fn new(fraction: f64, seed: u32, with_tombstones: bool) -> Self {
        let kinds = if with_tombstones { &Kind::ALL[..] } else { &Kind::ALL[..Kind::ALL.len() - 1] };
        Self { random: Mt19937::from_u32(seed), fraction, kinds, counts: [0; Kind::ALL.len()], text: Vec::new() }
    }

    /// The value of a wrong record to write before `event`, counted here; the inner none is a tombstone.
    pub(crate) fn before(&mut self, event: &[u8]) -> Option<Option<&[u8]>> {
        if self.fraction <= 0.0 || self.random.next_f64() >= self.fraction {
            return None;
        }
        let place = (self.random.next_f64() * self.kinds.len() as f64) as usize;
        self.counts[place] += 1;
        Some(self.kinds[place].write(event, &mut self.text))
    }

    /// How many of each kind were written.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Kind, u64)> + '_ {
        self.kinds.iter().copied().zip(self.counts)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const EVENT: &[u8] =
        br#"{"transaction_id":7,"ts":"2018-05-01 00:00:31","customer_id":1,"terminal_id":2,"amount":5.1}"#;

    #[test]
    fn counts_are_those_of_the_records_written() {
        let mut rubbish = Rubbish::new(0.01, 1, true);
        let written = (0..100_000).filter(|_| rubbish.before(EVENT).is_some()).count() as u64;
        assert!((900..1100).contains(&written), "{written}");
        assert_eq!(rubbish.counts().map(|(_, count)| count).sum::<u64>(), written);
        assert!(rubbish.counts().all(|(_, count)| count > 0));
    }

    #[test]
    fn a_file_gets_no_tombstones() {
        let mut rubbish = Rubbish::new(1.0, 1, false);
        assert!((0..1000).all(|_| rubbish.before(EVENT).unwrap().is_some()));
    }

    #[test]
    fn no_fraction_means_no_rubbish() {
        let mut rubbish = Rubbish::new(0.0, 1, true);
        assert!((0..1000).all(|_| rubbish.before(EVENT).is_none()));
    }

    #[test]
    fn only_what_is_called_malformed_is_no_json() {
        for kind in Kind::ALL {
            let mut text = Vec::new();
            let Some(value) = kind.write(EVENT, &mut text) else { continue };
            let parsed = serde_json::from_slice::<serde_json::Value>(value);
            let broken = matches!(kind.code(), "MALFORMED" | "EMPTY_VALUE" | "TOO_DEEP" | "INVALID_UTF8");
            assert_eq!(parsed.is_err(), broken, "{kind:?}: {parsed:?}");
        }
    }
}
