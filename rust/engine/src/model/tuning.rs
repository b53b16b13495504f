//! How many rows go into one call of ONNX Runtime: measured once for a process, before the first batch.
//!
//! Few rows pay for the call, many for a cache that their intermediate results no longer fit, and all of those results
//! stay in the arena. So rows of zeros run in ascending sizes, which warms the session up too, and the largest size is
//! taken unless a smaller one is clearly faster by the row, or its results take too much memory. Scores do not depend
//! on the choice: a row has the same bits in any batch.

use std::fmt;
use std::time::{Duration, Instant};

use arrow::datatypes::Schema;
use serde::Serialize;

use super::bind::{Plan, RowsAtATime};
use super::call::run;
use super::convert::Buffer;
use super::session::{SharedSession, Wanted};
use super::trial::zeros;
use crate::spec::BatchBounds;

/// From one size to the next.
const STEP: usize = 4;
/// Measurements of a size; the quickest counts.
const RUNS: usize = 3;
/// After this long no larger size is begun.
const LIMIT: Duration = Duration::from_millis(200);
/// A smaller size must be this much faster by the row to be taken: less is noise.
const CLEARLY: f64 = 0.9;
/// Most bytes that the intermediate results of one call may take.
const MAX_WORKING_BYTES: u64 = 64 << 20;

/// A choice and its reasons.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowsPerCall {
    /// Most rows of one call.
    pub rows: usize,
    /// What was measured, in ascending order; empty if nothing was.
    pub tried: Vec<Tried>,
}

/// One size and its cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tried {
    /// Rows of the call.
    pub rows: usize,
    /// Time of one row.
    pub nanos_per_row: f64,
    /// Intermediate results of the call.
    pub working_bytes: u64,
}

impl fmt::Display for RowsPerCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows a call", self.rows)?;
        if let Some(last) = self.tried.iter().find(|tried| tried.rows == self.rows) {
            write!(f, ", {:.2} \u{b5}s each", last.nanos_per_row / 1000.0)?;
        }
        Ok(())
    }
}

impl RowsPerCall {
    /// A size that nothing was measured for.
    pub(super) fn fixed(rows: usize) -> Self {
        Self { rows, tried: Vec::new() }
    }
}

/// Runs rows of zeros, and chooses. Where they can't run (texts that the model does not know) it is the largest size.
pub(super) fn measure(
    session: &SharedSession,
    plan: &Plan,
    input: &Schema,
    wanted: &Wanted,
    bounds: BatchBounds,
) -> RowsPerCall {
    if plan.rows != RowsAtATime::Any || bounds.min >= bounds.max {
        return RowsPerCall::fixed(bounds.max);
    }
    let plain = plan.without_nan();
    let mut buffers: Vec<Buffer> = plan.bindings.iter().map(|binding| Buffer::new(binding.element)).collect();
    let (start, mut tried) = (Instant::now(), Vec::<Tried>::new());
    for rows in sizes(bounds) {
        let Some((took, working_bytes)) = one(session, &plain, input, wanted, &mut buffers, rows) else { break };
        let nanos_per_row = took.as_nanos() as f64 / rows as f64;
        tried.push(Tried { rows, nanos_per_row, working_bytes });
        // The next one takes some four times as long, three times.
        if start.elapsed() + took * (STEP * RUNS) as u32 > LIMIT || working_bytes > MAX_WORKING_BYTES {
            break;
        }
    }
    RowsPerCall { rows: chosen(&tried).unwrap_or(bounds.max), tried }
}

/// From the smallest to the largest.
fn sizes(bounds: BatchBounds) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(bounds.min), move |&rows| {
        (rows < bounds.max).then(|| rows.saturating_mul(STEP).min(bounds.max))
    })
}

fn chosen(tried: &[Tried]) -> Option<usize> {
    let fits = |tried: &&Tried| tried.working_bytes <= MAX_WORKING_BYTES;
    let mut descending = tried.iter().rev().filter(fits);
    let mut best = descending.next().or(tried.first())?;
    for smaller in descending {
        if smaller.nanos_per_row < best.nanos_per_row * CLEARLY {
            best = smaller;
        }
    }
    Some(best.rows)
}

/// The quickest of some runs, and the bytes that it needed; `None` if it does not run.
fn one(
    session: &SharedSession,
    plan: &Plan,
    input: &Schema,
    wanted: &Wanted,
    buffers: &mut [Buffer],
    rows: usize,
) -> Option<(Duration, u64)> {
    // Lengths that vary are those of the trial.
    const LENGTH: usize = 2;
    let intake = zeros(plan, input, rows, LENGTH).ok()?;
    let mut quickest = Duration::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        let computed = run(session, plan, buffers, &intake, 0..rows, wanted).ok()?.ok()?;
        quickest = quickest.min(start.elapsed());
        drop(computed);
        if quickest > LIMIT {
            break;
        }
    }
    Some((quickest, session.memory().working))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(rows: usize, nanos_per_row: f64, mib: u64) -> Tried {
        Tried { rows, nanos_per_row, working_bytes: mib << 20 }
    }

    #[test]
    fn sizes_end_at_the_bounds() {
        let of = |min, max| sizes(BatchBounds { min, max }).collect::<Vec<_>>();
        assert_eq!(of(64, 4096), [64, 256, 1024, 4096]);
        assert_eq!(of(10, 100), [10, 40, 100]);
        assert_eq!(of(1, 1), [1]);
    }

    #[test]
    fn the_largest_is_taken_unless_a_smaller_one_is_clearly_faster_or_it_is_too_large() {
        assert_eq!(chosen(&[]), None);
        assert_eq!(chosen(&[tried(64, 95.0, 1), tried(256, 100.0, 2)]), Some(256));
        assert_eq!(chosen(&[tried(64, 50.0, 1), tried(256, 80.0, 2), tried(1024, 100.0, 3)]), Some(64));
        assert_eq!(chosen(&[tried(64, 200.0, 20), tried(256, 100.0, 80)]), Some(64));
        assert_eq!(chosen(&[tried(64, 200.0, 80)]), Some(64), "there is nothing smaller");
    }
}
