//! Restarts at places drawn by chance: a snapshot, some more records, everything lost, and back.

use super::{report::StateLoss, tape::Check, way::Way};
use crate::error::CliError;

/// Largest micro-batch between restarts.
const LARGEST: u64 = 2_000;

/// Where a state is saved, where it is lost, and how it is won back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Restart {
    saved_at: u64,
    lost_at: u64,
    /// The rows since the snapshot are given once more, as by a micro-batch that was not committed. Else they only bring
    /// the state up to where it was.
    again: bool,
}

/// The restarts of one way, in the log's order.
#[derive(Debug)]
pub(super) struct Schedule {
    restarts: Vec<Restart>,
    chance: Chance,
}

impl Schedule {
    /// The same seed draws the same places in a log of so many rows.
    pub(super) fn draw(seed: u64, restarts: u32, rows: u64) -> Self {
        let mut chance = Chance(seed);
        let mut places: Vec<u64> = (0..restarts).map(|_| chance.up_to(rows)).collect();
        places.sort_unstable();
        let mut before = 0;
        let restarts = places.into_iter().map(|lost_at| {
            let saved_at = before + chance.up_to(lost_at - before);
            before = lost_at;
            Restart { saved_at, lost_at, again: chance.up_to(1) == 1 }
        });
        let restarts = restarts.collect();
        Self { restarts, chance }
    }

    /// Goes through the log with all of them.
    pub(super) fn run(mut self, way: &mut Way<'_, Check<'_>>, rows: u64) -> Result<(), CliError> {
        let chance = &mut self.chance;
        for (number, restart) in self.restarts.iter().enumerate() {
            way.forward(restart.saved_at, || chance.size())?;
            let (saved, place, mark) = (way.saved()?, way.place(), way.to.mark()?);
            way.forward(restart.lost_at, || chance.size())?;
            let lost = way.aside(Way::saved)?;
            way.restart(saved.as_deref(), place)?;
            if restart.again {
                way.to.rewind(mark)?;
                way.forward(restart.lost_at, || chance.size())?;
            } else {
                way.catch_up(restart.lost_at, || chance.size())?;
            }
            if way.aside(Way::saved)? != lost {
                way.losses.push(StateLoss { number: number + 1, saved_at: restart.saved_at, lost_at: restart.lost_at });
            }
        }
        way.forward(rows, || chance.size())
    }
}

/// SplitMix64 (G. Steele, D. Lea, C. Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// From 0 to `most`, both included. The bias of a remainder is far below what anybody could see here.
    fn up_to(&mut self, most: u64) -> u64 {
        let drawn = self.next();
        most.checked_add(1).map_or(drawn, |count| drawn % count)
    }

    fn size(&mut self) -> usize {
        1 + self.up_to(LARGEST - 1) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_in_the_log_in_order() {
        for rows in [0, 1, 10, 1_000_000] {
            let schedule = Schedule::draw(7, 50, rows);
            let mut before = 0;
            for restart in &schedule.restarts {
                assert!(before <= restart.saved_at && restart.saved_at <= restart.lost_at, "{restart:?}");
                before = restart.lost_at;
            }
            assert!(before <= rows);
            assert_eq!(schedule.restarts, Schedule::draw(7, 50, rows).restarts);
        }
        let (one, other) = (Schedule::draw(1, 9, 1_000).restarts, Schedule::draw(2, 9, 1_000).restarts);
        assert_ne!(one, other);
        assert!(one.iter().any(|restart| restart.again) && one.iter().any(|restart| !restart.again));
    }
}
