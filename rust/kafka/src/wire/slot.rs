//! One partition as the threads see it: where they are with it, what waits for the task, what is wrong.

use std::collections::VecDeque;
use std::sync::Arc;

use super::WireError;
use super::chunk::Chunk;
use super::protocol::{Fetched, code};

/// So many answers without records are taken for the end, whatever the broker says the end is; and a replica that gives
/// so many is left for the leader, who may have more.
const EMPTY: u32 = 10;

/// What came when a lane was asked for more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Took {
    /// Some records, now in the lane.
    Records,
    /// Nothing within the wait.
    Nothing,
    /// The offset that was asked for is not there.
    OutOfRange,
    /// The broker does not know the topic or the partition, perhaps only for the moment.
    Unknown,
    /// We may not read the topic.
    NotAuthorized(String),
    /// The partition can't be read now; the threads go on trying.
    Trouble(String),
}

/// A partition, from the threads' side.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    /// Counts the restarts: an answer to a question from before is dropped.
    pub(super) turn: u64,
    /// The offset to fetch next.
    pub(super) position: i64,
    pub(super) queue: VecDeque<Chunk>,
    pub(super) queued: usize,
    /// What the task should hear when it has read the queue.
    pub(super) event: Option<Took>,
    /// No use in asking before a restart.
    pub(super) halted: bool,
    pub(super) leader: Option<i32>,
    /// A nearer replica that the leader named.
    pub(super) replica: Option<i32>,
    /// There is nothing more, as the broker said last.
    pub(super) at_end: bool,
    /// Answers without records, one after the other.
    pub(super) empty: u32,
    /// Why it can't be read now.
    pub(super) problem: Option<String>,
}

impl Slot {
    /// To be fetched from `offset`, once it is known who leads it.
    pub(super) fn new(topic: Arc<str>, partition: i32, offset: i64) -> Self {
        Self {
            topic,
            partition,
            turn: 0,
            position: offset,
            queue: VecDeque::new(),
            queued: 0,
            event: None,
            halted: false,
            leader: None,
            replica: None,
            at_end: false,
            empty: 0,
            problem: None,
        }
    }

    /// Fetches from another offset; what came before is dropped.
    pub(super) fn restart(&mut self, offset: i64) {
        self.turn += 1;
        self.position = offset;
        self.queue.clear();
        self.queued = 0;
        (self.event, self.halted, self.at_end, self.empty) = (None, false, false, 0);
    }

    /// The broker to ask.
    pub(super) fn broker(&self) -> Option<i32> {
        self.replica.or(self.leader)
    }

    /// Takes in what a broker said; `end` is the offset after the chunk's last whole batch.
    pub(super) fn hear(
        &mut self,
        said: &Fetched<'_>,
        end: Result<Option<Option<i64>>, WireError>,
        chunk: Option<Chunk>,
    ) {
        if said.error == code::NONE && !self.halted {
            (self.event, self.problem) = (None, None);
        }
        match said.error {
            code::NONE if said.preferred >= 0 => self.replica = Some(said.preferred),
            code::NONE => match (end, chunk) {
                (Ok(Some(Some(end))), Some(chunk)) if end > self.position => {
                    self.position = end;
                    (self.at_end, self.empty) = (false, 0);
                    self.queued += chunk.size();
                    self.queue.push_back(chunk);
                }
                (Ok(Some(Some(_))), _) => self.halt("records of before the offset that was asked for"),
                (Err(error), _) => self.halt(&error.to_string()),
                _ => {
                    // Answers are empty too when other partitions had filled them.
                    self.empty += 1;
                    self.at_end = self.position >= said.end || self.empty >= EMPTY;
                    if self.empty.is_multiple_of(EMPTY) {
                        self.replica = None;
                    }
                }
            },
            code::OFFSET_OUT_OF_RANGE if self.replica.is_none() => {
                self.event = Some(Took::OutOfRange);
                self.halted = true;
            }
            error => {
                // Whoever leads the partition now is asked for; see `metadata`.
                (self.leader, self.replica) = (None, None);
                let text = format!("{}-{}: {}", self.topic, self.partition, code::name(error));
                match error {
                    code::TOPIC_AUTHORIZATION_FAILED => self.event = Some(Took::NotAuthorized(text)),
                    code::UNKNOWN_TOPIC_OR_PARTITION => self.event = Some(Took::Unknown),
                    _ => self.problem = Some(text),
                }
            }
        }
    }

    /// It can't be read on, and asking again would bring the same.
    fn halt(&mut self, problem: &str) {
        self.event = Some(Took::Trouble(problem.to_owned()));
        self.problem = Some(problem.to_owned());
        self.halted = true;
    }
}
