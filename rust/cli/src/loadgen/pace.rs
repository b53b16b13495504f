//! Events at the times when they are due.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Shorter waits are spent in a longer sleep: the events of one sleep go out together, at most this late.
const SHORTEST_SLEEP: Duration = Duration::from_micros(300);

/// Microseconds since 1970.
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Waits for due times since its start. A generator that was held up catches up, and the due times do not move: a
/// latency measured from them counts the hold-up too.
pub(crate) struct Clock {
    started: Instant,
    started_us: i64,
}

impl Clock {
    /// Time 0 is now.
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), started_us: now_us() }
    }

    /// Sleeps until so long after the start; returns that time in microseconds since 1970.
    pub(crate) fn wait_until(&self, due: Duration) -> i64 {
        let early = due.saturating_sub(self.started.elapsed());
        if !early.is_zero() {
            std::thread::sleep(early.max(SHORTEST_SLEEP));
        }
        self.started_us.saturating_add(i64::try_from(due.as_micros()).unwrap_or(i64::MAX))
    }
}

/// Hands out due times on a fixed grid.
pub(crate) struct Pacer {
    interval: f64,
    clock: Clock,
    handed_out: u64,
}

impl Pacer {
    /// The first event is due now, the next one `1 / rate` seconds later.
    pub(crate) fn start(rate: f64) -> Self {
        Self { interval: 1.0 / rate, clock: Clock::start(), handed_out: 0 }
    }

    /// Sleeps until the next event is due; returns its due time in microseconds since 1970.
    pub(crate) fn wait(&mut self) -> i64 {
        let due = Duration::from_secs_f64(self.handed_out as f64 * self.interval);
        self.handed_out += 1;
        self.clock.wait_until(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_times_lie_on_the_grid_and_are_not_early() {
        let mut pacer = Pacer::start(10_000.0);
        let dues: Vec<i64> = (0..300).map(|_| pacer.wait()).collect();
        let now = now_us();
        assert!(dues.windows(2).all(|pair| (99..=101).contains(&(pair[1] - pair[0]))), "{dues:?}");
        assert!(dues.last().is_some_and(|&last| last <= now));
        assert!(pacer.clock.started.elapsed() >= Duration::from_micros(29_900));
    }
}
