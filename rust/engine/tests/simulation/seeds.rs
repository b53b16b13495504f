//! Many seeds, and what became of them.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use crate::canary::Canary;
use crate::world::{End, Kernels, World};

/// Between two lines of progress.
const REPORT: Duration = Duration::from_secs(10);

/// All that must have happened somewhere in a thousand seeds, or the simulation has lost its teeth.
const MUST: &[&str] = &[
    "batches replayed",
    "commit taken back",
    "damaged snapshots read",
    "driver dies",
    "hours pass",
    "late removal",
    "late write",
    "living process taken for dead",
    "living task given up",
    "number of processes changes",
    "old records dropped",
    "partitions move",
    "process dies",
    "process dies in a store call",
    "records do not come",
    "results that nobody wanted any more",
    "snapshot rots",
    "snapshots let go",
    "snapshots written",
    "store call fails",
    "tasks that replay the log",
    "tasks that wait for a snapshot",
    "tasks whose records were lost",
    "torn write",
    "what is behind a task fails",
    "work on a batch fails half-way",
    "write of which nothing is left",
    "write that arrives twice",
    "write that says it failed",
];

/// Figures of all seeds.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    seeds: u64,
    lost: u64,
    steps: u64,
    faults: BTreeMap<&'static str, u64>,
    others: BTreeMap<&'static str, u64>,
    took: Duration,
}

impl Totals {
    fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.lost += other.lost;
        self.steps += other.steps;
        other.faults.iter().for_each(|(kind, number)| *self.faults.entry(kind).or_default() += number);
        other.others.iter().for_each(|(kind, number)| *self.others.entry(kind).or_default() += number);
    }

    pub(crate) fn check_that_all_happened(&self) {
        for kind in MUST {
            assert!(self.faults.contains_key(kind) || self.others.contains_key(kind), "{kind}: never");
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |kinds: &BTreeMap<&str, u64>| {
            kinds.iter().map(|(kind, number)| format!("{kind} {number}")).collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "faults: {}", listed(&self.faults))?;
        writeln!(f, "besides: {}", listed(&self.others))?;
        write!(
            f,
            "simulation: {} seeds, {} steps, {} faults, {} worlds that had lost records, {:.1} s",
            self.seeds,
            self.steps,
            self.faults.values().sum::<u64>(),
            self.lost,
            self.took.as_secs_f64()
        )
    }
}

/// Runs a seed; gives its end and the hash of all that happened.
///
/// # Errors
/// What must never happen, with the seed and the last of what happened.
pub(crate) fn run(seed: u64, canary: Canary, kernels: &mut Kernels, totals: &mut Totals) -> Result<(End, u64), String> {
    let mut world = World::new(seed, canary, kernels);
    let ended = catch_unwind(AssertUnwindSafe(|| world.run()));
    let ended = ended.unwrap_or_else(|_| Err("a panic, see above".to_owned()));
    totals.add(&Totals {
        seeds: 1,
        lost: u64::from(ended == Ok(End::Lost)),
        steps: world.step as u64,
        faults: world.trace.faults().clone(),
        others: world.trace.others().clone(),
        took: Duration::ZERO,
    });
    match ended {
        Ok(end) => Ok((end, world.trace.hash())),
        Err(why) => Err(format!("seed {seed}: {why}\n{}seed {seed}: {why}\n", world.trace.end())),
    }
}

/// Runs so many seeds, as many at once as the machine has processors. Fails with the first that fails.
pub(crate) fn run_all(from: u64, seeds: u64) -> Totals {
    let began = Instant::now();
    let next = AtomicU64::new(from);
    let all = Mutex::new((Totals::default(), began));
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut kernels = Kernels::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    let mut totals = Totals::default();
                    if let Err(why) = run(seed, Canary::None, &mut kernels, &mut totals) {
                        next.store(from + seeds, Ordering::Relaxed);
                        failure.lock().unwrap().get_or_insert(why);
                        return;
                    }
                    let (sum, said) = &mut *all.lock().unwrap();
                    sum.add(&totals);
                    if said.elapsed() > REPORT {
                        *said = Instant::now();
                        let seconds = began.elapsed().as_secs_f64();
                        let rate = sum.seeds as f64 / seconds;
                        let left = (seeds - sum.seeds) as f64 / rate;
                        println!("{} of {seeds} seeds, {rate:.0} a second, {left:.0} s to go", sum.seeds);
                    }
                }
            });
        }
    });
    if let Some(why) = failure.into_inner().unwrap() {
        panic!("{why}");
    }
    let (mut totals, _) = all.into_inner().unwrap();
    totals.took = began.elapsed();
    totals
}
