//! The time that states wait.

use std::time::{Duration, Instant};

/// A clock that never goes back.
pub trait Clock {
    /// Time since some moment in the past, the same one each time.
    fn now(&self) -> Duration;
}

/// The process's own.
#[derive(Debug, Clone, Copy)]
pub struct Monotonic(Instant);

impl Default for Monotonic {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Monotonic {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
