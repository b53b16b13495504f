//! One seed's world, step by step: first with faults, in which nothing wrong may come out, then without, in which all
//! must come to an end.

use std::collections::BTreeMap;
use std::time::Duration;

use firesteel_engine::spec::WindowSpec;
use firesteel_engine::state::Windows;

use crate::canary::Canary;
use crate::chance::Chance;
use crate::driver::{Driver, Group, TRIES};
use crate::events::{Partition, schema};
use crate::plan::{Faults, PIPELINES, Plan};
use crate::process::{Attempt, Process, Time};
use crate::store::Files;
use crate::trace::Trace;

/// Without faults a world ends within so many steps, and so many more for each record that is left.
const CALM_STEPS: usize = 3_000;
const CALM_STEPS_PER_RECORD: usize = 60;
/// So many tasks one after the other find records lost before it is believed.
const LOST: usize = 2 * TRIES;

/// Kernels wait for the next world, as runners do for the next task.
#[derive(Default)]
pub(crate) struct Kernels(BTreeMap<usize, Vec<Windows>>);

impl Kernels {
    pub(crate) fn lease(&mut self, pipeline: usize) -> Windows {
        let mut windows = self.0.entry(pipeline).or_default().pop().unwrap_or_else(|| {
            let specs: Vec<WindowSpec> =
                PIPELINES[pipeline].iter().map(|spec| serde_json::from_str(spec).unwrap()).collect();
            Windows::try_new(&specs, &schema()).unwrap()
        });
        windows.restart();
        windows
    }

    pub(crate) fn give_back(&mut self, pipeline: usize, windows: Windows) {
        self.0.entry(pipeline).or_default().push(windows);
    }
}

/// How a world ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All records have come out.
    Done,
    /// Records are gone that no snapshot covers: it says so, and stops.
    Lost,
}

pub(crate) struct World<'a> {
    pub(crate) plan: Plan,
    pub(crate) trace: Trace,
    pub(crate) step: usize,
    pub(crate) chance: Chance,
    pub(crate) canary: Canary,
    pub(crate) kernels: &'a mut Kernels,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) files: Files,
    pub(crate) time: Time,
    pub(crate) processes: Vec<Process>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) driver: Driver,
    /// Numbers that were given away.
    pub(crate) numbers: usize,
    pub(crate) calm: bool,
    /// Tasks since the last commit that found records lost.
    pub(crate) lost: usize,
}

impl<'a> World<'a> {
    pub(crate) fn new(seed: u64, canary: Canary, kernels: &'a mut Kernels) -> Self {
        let mut chance = Chance::new(seed);
        let plan = Plan::draw(&mut chance);
        let mut windows = kernels.lease(plan.pipeline);
        let partitions: Vec<_> =
            (0..plan.partitions).map(|p| Partition::draw(p, &plan, &mut chance, &mut windows)).collect();
        kernels.give_back(plan.pipeline, windows);
        let driver = Driver::new(&plan, &partitions);
        let mut world = Self {
            trace: Trace::default(),
            step: 0,
            chance,
            canary,
            kernels,
            partitions,
            files: Files::default(),
            time: Time::default(),
            processes: Vec::new(),
            attempts: Vec::new(),
            driver,
            numbers: 0,
            calm: false,
            lost: 0,
            plan,
        };
        world.trace.say(format_args!("seed {seed}: {:?}", world.plan));
        (0..world.plan.processes).for_each(|_| world.start_process());
        world
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// What must never happen.
    pub(crate) fn run(&mut self) -> Result<End, String> {
        while self.step < self.plan.steps && self.lost < LOST {
            self.step()?;
        }
        self.trace.say(format_args!("calm"));
        (self.calm, self.lost) = (true, 0);
        self.plan.faults = Faults::default();
        self.plan.retention = 0;
        self.partitions.iter_mut().for_each(|partition| partition.end = partition.last);
        let left = self.partitions.iter().zip(&self.driver.committed).map(|(log, at)| (log.last - at) as usize);
        let end = self.step + CALM_STEPS + CALM_STEPS_PER_RECORD * left.sum::<usize>();
        let ended = loop {
            if self.is_done() {
                break End::Done;
            }
            if self.lost >= LOST {
                break End::Lost;
            }
            if self.step > end {
                return Err("no end, long after the last fault".to_owned());
            }
            self.step()?;
        };
        self.driver.check(&self.partitions)?;
        self.trace.say(format_args!("{ended:?}"));
        Ok(ended)
    }

    fn is_done(&self) -> bool {
        let read = self.driver.committed.iter().zip(&self.partitions).all(|(at, partition)| *at == partition.last);
        let quiet = self.attempts.is_empty() && self.files.is_quiet() && !self.processes.iter().any(Process::writes);
        read && quiet && self.driver.planned.is_none()
    }

    fn step(&mut self) -> Result<(), String> {
        self.step += 1;
        self.trace.at(self.step);
        self.time.0.set(self.time.0.get() + Duration::from_millis(100));
        self.files.pass(self.step, &mut self.trace);
        if !self.calm {
            self.disturb();
        }
        match self.chance.below(10) {
            0 | 1 => self.drive()?,
            2 => self.append(),
            3 | 4 if !self.processes.is_empty() => {
                let at = self.chance.below(self.processes.len());
                self.write(at);
            }
            _ if self.attempts.is_empty() => self.drive()?,
            _ => {
                let at = self.chance.below(self.attempts.len());
                let attempt = self.attempts.remove(at);
                self.work(attempt)?;
            }
        }
        Ok(())
    }

    fn append(&mut self) {
        let records = 1 + self.chance.below(20);
        let at = self.chance.below(self.partitions.len());
        let partition = &mut self.partitions[at];
        partition.end = partition.ahead(partition.end, records, partition.last);
    }

    /// What goes wrong by itself.
    fn disturb(&mut self) {
        let faults = self.plan.faults.clone();
        if self.chance.often(faults.crash) && !self.processes.is_empty() {
            let at = self.chance.below(self.processes.len());
            self.trace.fault("process dies");
            self.die(at);
        }
        if self.chance.often(faults.lost_contact) && !self.processes.is_empty() {
            let at = self.chance.below(self.processes.len());
            self.processes[at].trusted = false;
            let number = self.processes[at].number;
            self.trace.fault("living process taken for dead");
            self.trace.say(format_args!("  process {number} is given up"));
            let given_up: Vec<usize> =
                self.attempts.iter().filter(|a| a.process == number && a.wanted).map(|a| a.number).collect();
            given_up.into_iter().for_each(|attempt| self.give_up(attempt));
        }
        // Nobody pays for a process that is of no use.
        if let Some(at) = self.processes.iter().position(|process| !process.trusted)
            && self.chance.often(8)
        {
            self.die(at);
        }
        if self.chance.often(faults.given_up)
            && let Some(attempt) = self.attempts.iter().find(|attempt| attempt.wanted).map(|attempt| attempt.number)
        {
            self.trace.fault("living task given up");
            self.give_up(attempt);
        }
        if self.chance.often(faults.restart) {
            self.trace.fault("driver dies");
            self.restart();
        }
        if self.chance.often(faults.rescale) {
            self.trace.fault("number of processes changes");
            if self.chance.often(500) || self.processes.is_empty() {
                self.start_process();
            } else {
                let at = self.chance.below(self.processes.len());
                self.die(at);
            }
        }
        if self.chance.often(faults.rot)
            && let Some((partition, version)) = self.files.rot(&mut self.chance)
        {
            self.trace.fault("snapshot rots");
            self.trace.say(format_args!("    store: {partition}-{version} is spoilt"));
        }
        if self.chance.often(faults.hours) {
            self.trace.fault("hours pass");
            let minutes = self.chance.between(20, 200) as u64;
            self.time.0.set(self.time.0.get() + Duration::from_secs(60 * minutes));
        }
        if self.chance.often(self.plan.retention) {
            self.drop_records();
        }
    }

    fn drop_records(&mut self) {
        let at = self.chance.below(self.partitions.len());
        let (partition, committed) = (&mut self.partitions[at], self.driver.committed[at]);
        let bound = match self.plan.careful {
            true => self.files.usable(at as i32, i64::MIN, committed).unwrap_or(partition.origin),
            false => committed,
        };
        if bound > partition.begin {
            partition.begin = self.chance.between(partition.begin + 1, bound);
            self.trace.fault("old records dropped");
            self.trace.say(format_args!("  partition {at} begins at {}", self.partitions[at].begin));
        }
    }

    pub(crate) fn start_process(&mut self) {
        self.numbers += 1;
        self.processes.push(Process::new(self.numbers, self.time.clone()));
        self.trace.say(format_args!("process {} starts", self.numbers));
    }

    pub(crate) fn die(&mut self, at: usize) {
        let number = self.processes.remove(at).number;
        self.trace.say(format_args!("process {number} is gone"));
        let attempts = std::mem::take(&mut self.attempts);
        for attempt in attempts {
            if attempt.process == number {
                self.failed(&attempt);
            } else {
                self.attempts.push(attempt);
            }
        }
    }

    fn give_up(&mut self, number: usize) {
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.number == number) {
            attempt.wanted = false;
        }
        if let Some(group) = self.group_of(number) {
            group.attempt = None;
        }
    }

    pub(crate) fn group_of(&mut self, attempt: usize) -> Option<&mut Group> {
        let batch = self.driver.planned.as_mut()?;
        batch.groups.iter_mut().find(|group| group.attempt == Some(attempt))
    }

    /// An attempt is over and has nothing to show.
    pub(crate) fn failed(&mut self, attempt: &Attempt) {
        self.trace.say(format_args!("  task {} fails", attempt.number));
        let Some(group) = self.group_of(attempt.number) else { return };
        group.attempt = None;
        group.failures += 1;
        if group.failures == TRIES {
            self.trace.count("queries failed");
            self.restart();
        }
    }

    /// The query begins again from its checkpoint.
    fn restart(&mut self) {
        let old = self.driver.home();
        self.attempts.iter_mut().for_each(|attempt| attempt.wanted = false);
        // Where the driver's process is, it can tell; others find out when nobody comes for their states.
        for process in &mut self.processes {
            if self.chance.often(300) {
                process.homes.forget(&old);
            }
        }
        let tasks = 1 + self.chance.below(self.plan.partitions);
        let taken_back = self.chance.often(self.plan.faults.taken_back);
        if self.driver.restart(tasks, taken_back) {
            self.trace.fault("commit taken back");
        }
        self.trace.say(format_args!("{} begins, {tasks} tasks", self.driver.home()));
    }
}
