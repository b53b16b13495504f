//! What driver, tasks and writers do when it is their turn.

use firesteel_engine::state::Windows;
use firesteel_engine::state::home::{Kept, Place, Range, TakeUpError, Task};

use crate::canary::Canary;
use crate::events::TOPIC;
use crate::process::{Attempt, Progress};
use crate::store::{Access, StoreFault};
use crate::task::{Cursor, Fault, Luck, Reading, Working};
use crate::world::World;

impl World<'_> {
    /// One step of the driver.
    pub(crate) fn drive(&mut self) -> Result<(), String> {
        let Some(batch) = &mut self.driver.planned else {
            self.driver.plan(&self.plan, &self.partitions, &mut self.chance);
            if let Some(batch) = &self.driver.planned {
                self.trace.say(format_args!("batch {}: {:?} to {:?}", batch.number, batch.from, batch.until));
            }
            return Ok(());
        };
        if batch.sunk {
            self.trace.say(format_args!("batch {} is committed", batch.number));
            self.driver.commit();
            self.lost = 0;
        } else if batch.groups.iter().all(|group| group.rows.is_some()) {
            self.driver.sink(&self.partitions)?;
        } else if let Some(at) = batch.groups.iter().position(|group| group.rows.is_none() && group.attempt.is_none()) {
            self.launch(at);
        }
        Ok(())
    }

    fn launch(&mut self, at: usize) {
        if !self.processes.iter().any(|process| process.trusted) {
            self.start_process();
        }
        let trusted: Vec<usize> = self.processes.iter().filter(|p| p.trusted).map(|p| p.number).collect();
        let moved = self.chance.often(self.plan.faults.moved);
        let home = self.driver.home();
        let Some(batch) = &mut self.driver.planned else { return };
        let group = &mut batch.groups[at];
        let process = if moved { *self.chance.pick(&trusted) } else { trusted[group.number % trusted.len()] };
        if moved {
            self.trace.fault("partitions move");
        }
        self.numbers += 1;
        group.attempt = Some(self.numbers);
        let ranges = group.partitions.iter().map(|p| Range {
            topic: TOPIC.to_owned(),
            partition: *p as i32,
            from: batch.from[*p],
            until: batch.until[*p],
            origin: self.partitions[*p].origin,
        });
        self.trace.say(format_args!("task {}: partitions {:?} in process {process}", self.numbers, group.partitions));
        self.attempts.push(Attempt {
            number: self.numbers,
            process,
            home,
            ranges: ranges.collect(),
            wanted: true,
            repeated: batch.repeated,
            at: Progress::New,
            rows: Vec::new(),
        });
    }

    /// One step of a process's writing thread.
    pub(crate) fn write(&mut self, at: usize) {
        let mut store = Access {
            files: &mut self.files,
            chance: &mut self.chance,
            faults: &self.plan.faults,
            trace: &mut self.trace,
            now: self.step,
            canary: self.canary,
        };
        if self.processes[at].write(self.plan.snapshot_events, &mut store) == Err(StoreFault::Died) {
            self.die(at);
        }
    }

    /// One step of a task.
    pub(crate) fn work(&mut self, mut attempt: Attempt) -> Result<(), String> {
        let Some(at) = self.processes.iter().position(|process| process.number == attempt.process) else {
            return Ok(());
        };
        match attempt.at {
            Progress::New => {
                let homes = &mut self.processes[at].homes;
                let busy = attempt.ranges.iter().any(|range| homes.is_busy(&place(&attempt.home, range)));
                if !busy {
                    attempt.at = Progress::Taken(Task::take(&attempt.home, attempt.ranges.clone(), homes));
                } else {
                    attempt.at = Progress::New;
                    self.trace.count("tasks that wait for a snapshot");
                }
                self.attempts.push(attempt);
            }
            Progress::Taken(task) => {
                attempt.at = Progress::New;
                self.restore(attempt, task, at)?;
            }
            Progress::Reading(task, cursor, windows) => {
                attempt.at = Progress::New;
                self.read(attempt, task, cursor, windows)?;
            }
            Progress::Ended(task, windows) => {
                attempt.at = Progress::New;
                self.end(attempt, task, windows, at);
            }
        }
        Ok(())
    }

    fn restore(&mut self, mut attempt: Attempt, mut task: Task, at: usize) -> Result<(), String> {
        let usable: Vec<Option<i64>> = attempt.ranges.iter().map(|range| self.usable(range)).collect();
        let windows = self.kernels.lease(self.plan.pipeline);
        let mut store = Access {
            files: &mut self.files,
            chance: &mut self.chance,
            faults: &self.plan.faults,
            trace: &mut self.trace,
            now: self.step,
            canary: self.canary,
        };
        match task.restore(Some(&mut store), &windows) {
            Ok(()) => {
                self.look_back(&attempt, &task, &usable)?;
                let cursor = Cursor::of(&task);
                attempt.at = Progress::Reading(task, cursor, windows);
                self.attempts.push(attempt);
            }
            Err(TakeUpError::Store(fault)) => {
                task.give_back(&mut self.processes[at].homes);
                self.failed(&attempt);
                self.kernels.give_back(self.plan.pipeline, windows);
                if fault == StoreFault::Died {
                    self.die(at);
                }
            }
            Err(TakeUpError::Restore(error)) => return Err(format!("a good snapshot was refused: {error}")),
        }
        Ok(())
    }

    /// The offset from which a task could go on, by what is in log and store.
    fn usable(&self, range: &Range) -> Option<i64> {
        let begin = self.partitions[range.partition as usize].begin;
        self.files.usable(range.partition, begin, range.from).or((range.origin >= begin).then_some(range.origin))
    }

    /// Whether a task goes on from where the log still is, if that could be.
    fn look_back(&mut self, attempt: &Attempt, task: &Task, usable: &[Option<i64>]) -> Result<(), String> {
        for ((start, range), usable) in task.ranges().zip(usable) {
            self.trace.say(format_args!("  task {}: {} from {start}", attempt.number, range.partition));
            let begin = self.partitions[range.partition as usize].begin;
            if start < range.from {
                self.trace.count("tasks that replay the log");
            }
            if start >= begin {
                continue;
            }
            if let Some(usable) = usable {
                let at = range.partition;
                return Err(format!("partition {at} begins at {begin}: from {start} no, from {usable} it could go on"));
            }
            if self.plan.careful && attempt.wanted {
                return Err(format!(
                    "partition {} begins at {begin}, and no snapshot is left for that",
                    range.partition
                ));
            }
        }
        Ok(())
    }

    fn read(
        &mut self,
        mut attempt: Attempt,
        mut task: Task,
        mut cursor: Cursor,
        mut windows: Windows,
    ) -> Result<(), String> {
        let luck = Luck::new(&mut self.chance, &mut self.trace);
        let mut log = Reading { cursor: &mut cursor, partitions: &self.partitions, plan: &self.plan, luck: &luck };
        let next = task.next(&mut log, &mut Working { windows: &mut windows, plan: &self.plan, luck: &luck });
        match next {
            Ok(Some(rows)) => {
                attempt.rows.push(rows);
                attempt.at = Progress::Reading(task, cursor, windows);
                self.attempts.push(attempt);
            }
            Ok(None) => {
                attempt.at = Progress::Ended(task, windows);
                self.attempts.push(attempt);
            }
            Err(Fault::Engine(error)) => return Err(format!("the engine failed: {error}")),
            Err(fault) => {
                self.trace.say(format_args!("  task {}: {fault:?}", attempt.number));
                if matches!(fault, Fault::Lost) && attempt.wanted {
                    self.lost += 1;
                    self.trace.count("tasks whose records were lost");
                }
                self.failed(&attempt);
            }
        }
        Ok(())
    }

    /// A task has read everything.
    fn end(&mut self, attempt: Attempt, task: Task, mut windows: Windows, at: usize) {
        let homes = &mut self.processes[at].homes;
        task.close(&mut windows, homes);
        if self.canary == Canary::WrongVersion && attempt.repeated {
            for range in &attempt.ranges {
                let place = place(&attempt.home, range);
                if let Some(kept) = homes.take(&place, range.until) {
                    homes.put(place, Kept { version: range.from, ..kept });
                }
            }
        }
        self.kernels.give_back(self.plan.pipeline, windows);
        self.processes[at].woken.insert(attempt.home.clone());
        if self.chance.often(self.plan.faults.behind) {
            self.trace.fault("what is behind a task fails");
            self.failed(&attempt);
        } else if let Some(group) = self.group_of(attempt.number) {
            group.attempt = None;
            group.rows = Some(attempt.rows);
            self.trace.say(format_args!("  task {} is done", attempt.number));
        } else {
            self.trace.count("results that nobody wanted any more");
            self.trace.say(format_args!("  task {} is done, too late", attempt.number));
        }
    }
}

fn place(home: &str, range: &Range) -> Place {
    Place { home: home.to_owned(), topic: range.topic.clone(), partition: range.partition }
}
