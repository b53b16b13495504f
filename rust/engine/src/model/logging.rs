//! ONNX Runtime's log lines, passed to the `log` crate under the target `onnxruntime`.
//!
//! ONNX Runtime repeats a warning on every call (a model whose declared output shape is wrong gives one per batch), so
//! a line is counted by its kind: its text with the digits taken out, since sizes vary from batch to batch. The first
//! five of a kind pass, then the 10th, 100th, 1000th and so on, with the count. No clock: the same run logs the same.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use ort::logging::LogLevel;

/// Lines of one kind that pass unchanged.
pub(super) const PASSED_PER_KIND: u64 = 5;
/// Kinds told apart; later ones share one counter, so that the table can't grow without end.
const MAX_KINDS: usize = 512;

/// Counts lines by kind.
#[derive(Debug, Default)]
pub(super) struct RateLimit {
    seen: HashMap<String, u64>,
}

impl RateLimit {
    /// What to log for this line: nothing, the line, or the line with its count.
    pub(super) fn admit(&mut self, line: &str) -> Option<String> {
        let mut kind: String = line.chars().filter(|c| !c.is_ascii_digit()).collect();
        if self.seen.len() >= MAX_KINDS && !self.seen.contains_key(&kind) {
            kind.clear();
        }
        let count = self.seen.entry(kind).or_insert(0);
        *count += 1;
        match *count {
            n if n < PASSED_PER_KIND => Some(line.to_owned()),
            PASSED_PER_KIND => Some(format!("{line} (the same again is counted, not shown)")),
            n if is_power_of_ten(n) => Some(format!("{line} (seen {n} times)")),
            _ => None,
        }
    }
}

fn is_power_of_ten(mut n: u64) -> bool {
    while n >= 10 && n.is_multiple_of(10) {
        n /= 10;
    }
    n == 1
}

/// The logger that ONNX Runtime calls, from any of its threads. It never unwinds into C++.
pub(super) fn forward() -> ort::logging::LoggerFunction {
    let limit = Mutex::new(RateLimit::default());
    std::sync::Arc::new(move |level, _category, _id, location, message| {
        // A panic in the application's own log sink has nowhere to go: the caller is C++.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let level = match level {
                LogLevel::Verbose => log::Level::Trace,
                LogLevel::Info => log::Level::Debug,
                LogLevel::Warning => log::Level::Warn,
                LogLevel::Error | LogLevel::Fatal => log::Level::Error,
            };
            if !log::log_enabled!(target: "onnxruntime", level) {
                return;
            }
            let admitted = limit.lock().unwrap_or_else(PoisonError::into_inner).admit(message.trim_end());
            if let Some(line) = admitted {
                log::log!(target: "onnxruntime", level, "{line} [{location}]");
            }
        }));
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_five_then_powers_of_ten() {
        let mut limit = RateLimit::default();
        let passed: Vec<u64> =
            (1..=1000).filter(|n| limit.admit(&format!("shape {{{n}}} is wrong")).is_some()).collect();
        assert_eq!(passed, [1, 2, 3, 4, 5, 10, 100, 1000]);
        assert_eq!(limit.admit("another"), Some("another".to_owned()));
    }

    #[test]
    fn keeps_a_bounded_table() {
        let mut limit = RateLimit::default();
        for i in 0..5000u32 {
            let letters: String = i.to_string().bytes().map(|b| char::from(b - b'0' + b'a')).collect();
            limit.admit(&letters);
        }
        assert!(limit.seen.len() <= MAX_KINDS + 1, "{}", limit.seen.len());
    }
}
