//! What the task that reads and the threads that fetch for it have in common.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::WireError;
use super::chunk::{Buffers, Chunk};
use super::connection::Closer;
use super::options::FetchOptions;
use super::protocol::{Fetched, Metadata, Node, code};

/// How often a broker is asked about partitions that have nothing new, while others are full.
const GLANCE: Duration = Duration::from_millis(100);
/// Less of a partition is not asked for, however little may wait: a batch of a producer's usual size.
const LEAST_BYTES: usize = 64 << 10;

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
struct Slot {
    topic: Arc<str>,
    partition: i32,
    /// Counts the restarts: an answer to a question from before is dropped.
    turn: u64,
    /// The offset to fetch next.
    position: i64,
    queue: VecDeque<Chunk>,
    queued: usize,
    /// What the task should hear when it has read the queue.
    event: Option<Took>,
    /// No use in asking before a restart.
    halted: bool,
    leader: Option<i32>,
    /// A nearer replica that the leader named.
    replica: Option<i32>,
    /// There is nothing more, as the broker said last.
    at_end: bool,
    /// Answers without records, one after the other.
    empty: u32,
    /// Why it can't be read now.
    problem: Option<String>,
}

impl Slot {
    /// It can't be read on, and asking again would bring the same.
    fn halt(&mut self, problem: &str) {
        self.event = Some(Took::Trouble(problem.to_owned()));
        self.problem = Some(problem.to_owned());
        self.halted = true;
    }
}

#[derive(Debug, Default)]
struct State {
    slots: BTreeMap<usize, Slot>,
    next_slot: usize,
    nodes: HashMap<i32, Node>,
    /// Brokers that have a thread; what ends their connections.
    brokers: HashMap<i32, Option<Closer>>,
    stop: bool,
    /// What went wrong last with each broker; with [`ANY`] one that was asked where partitions are.
    errors: BTreeMap<i32, String>,
    /// Who refused our credentials, and why.
    refused: Option<(i32, String)>,
    round_trip_micros: i64,
}

/// Stands for a broker whose number is not known.
const ANY: i32 = -1;
/// So many answers without records are taken for the end, whatever the broker says the end is; and a replica that gives
/// so many is left for the leader, who may have more.
const EMPTY: u32 = 10;

/// What one request asks for: slot, turn, topic, partition, offset.
pub(crate) type Wish = (usize, u64, Arc<str>, i32, i64);

/// A question to a broker.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) wishes: Vec<Wish>,
    pub(crate) max_wait_ms: i32,
    /// Most bytes of one partition.
    pub(crate) partition_bytes: i32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: FetchOptions,
    pub(crate) buffers: Arc<Buffers>,
    state: Mutex<State>,
    /// Something came for the task.
    arrived: Condvar,
    /// There is something to do for the threads.
    wanted: Condvar,
}

impl Shared {
    pub(crate) fn new(options: FetchOptions) -> Self {
        Self {
            options,
            buffers: Arc::default(),
            state: Mutex::default(),
            arrived: Condvar::new(),
            wanted: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rest<'a>(&self, state: MutexGuard<'a, State>, condition: &Condvar, wait: Duration) -> MutexGuard<'a, State> {
        condition.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
    }

    // What the task calls.

    /// Begins to fetch a partition; gives its slot.
    pub(crate) fn start(&self, topic: Arc<str>, partition: i32, offset: i64) -> usize {
        let mut state = self.state();
        let id = state.next_slot;
        state.next_slot += 1;
        let slot = Slot {
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
        };
        state.slots.insert(id, slot);
        self.wanted.notify_all();
        id
    }

    /// Fetches a partition no more.
    pub(crate) fn end(&self, slot: usize) {
        self.state().slots.remove(&slot);
        // The others may have more now.
        self.wanted.notify_all();
    }

    /// Fetches from another offset; what came before is dropped.
    pub(crate) fn restart(&self, slot: usize, offset: i64) {
        let mut state = self.state();
        if let Some(slot) = state.slots.get_mut(&slot) {
            slot.turn += 1;
            slot.position = offset;
            slot.queue.clear();
            slot.queued = 0;
            (slot.event, slot.halted, slot.at_end, slot.empty) = (None, false, false, 0);
        }
        self.wanted.notify_all();
    }

    /// What has come of a partition, or what was told in its place.
    pub(crate) fn take(&self, slot: usize, wait: Duration) -> Result<Chunk, Took> {
        let end = Instant::now() + wait;
        let mut state = self.state();
        loop {
            let limit = self.limit(&state);
            let Some(found) = state.slots.get_mut(&slot) else { return Err(Took::Nothing) };
            if let Some(chunk) = found.queue.pop_front() {
                let was_full = found.queued >= limit;
                found.queued -= chunk.size();
                if (was_full && found.queued < limit) || found.queue.is_empty() {
                    self.wanted.notify_all();
                }
                return Ok(chunk);
            }
            if let Some(event) = found.event.take() {
                return Err(event);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || state.refused.is_some() {
                return Err(Took::Nothing);
            }
            state = self.rest(state, &self.arrived, left);
        }
    }

    /// What went wrong last; empty if all is well.
    pub(crate) fn last_error(&self) -> String {
        let state = self.state();
        let mut all: Vec<&str> = state.slots.values().filter_map(|slot| slot.problem.as_deref()).collect();
        all.extend(state.errors.values().map(String::as_str));
        all.dedup();
        all.truncate(3);
        all.join("; ")
    }

    /// Why the cluster refused our credentials, if it did.
    pub(crate) fn refused(&self) -> Option<String> {
        self.state().refused.as_ref().map(|(_, reason)| reason.clone())
    }

    /// A running mean of what an answer with records takes.
    pub(crate) fn round_trip_micros(&self) -> i64 {
        self.state().round_trip_micros
    }

    /// Ends the threads; those that wait for a broker hear of it at once.
    pub(crate) fn stop(&self) {
        let mut state = self.state();
        state.stop = true;
        state.brokers.values().flatten().for_each(Closer::close);
        state.slots.clear();
        drop(state);
        self.wanted.notify_all();
    }

    // What the threads call.

    /// Bytes that may wait for the task, for each partition.
    fn limit(&self, state: &State) -> usize {
        self.options.ahead_bytes / state.slots.len().max(1)
    }

    /// What a broker is to be asked next; waits for it. `None` when all is over.
    pub(crate) fn work(&self, node: i32) -> Option<Work> {
        let mut state = self.state();
        let mut glance = None;
        loop {
            if state.stop {
                return None;
            }
            let limit = self.limit(&state);
            let mine = |slot: &&Slot| slot.replica.or(slot.leader) == Some(node) && !slot.halted;
            let full = state.slots.values().filter(mine).any(|slot| slot.queued >= limit);
            let hungry: Vec<(&usize, &Slot)> =
                state.slots.iter().filter(|(_, slot)| mine(slot) && slot.queued < limit).collect();
            // A question about partitions with nothing new is held by the broker, and what is full now may be read
            // meanwhile: such a question is put seldom, and is not held.
            let wait = if hungry.is_empty() {
                Duration::from_secs(60)
            } else if full && hungry.iter().all(|(_, slot)| slot.at_end) {
                // Others may wake this thread again and again meanwhile.
                let now = Instant::now();
                glance.get_or_insert(now + GLANCE).saturating_duration_since(now)
            } else {
                Duration::ZERO
            };
            if !wait.is_zero() {
                state = self.rest(state, &self.wanted, wait);
                continue;
            }
            let wish = |(id, slot): &(&usize, &Slot)| {
                (**id, slot.turn, Arc::clone(&slot.topic), slot.partition, slot.position)
            };
            let mut wishes: Vec<Wish> = hungry.iter().map(wish).collect();
            // An answer holds so many bytes, of the first partitions first: those that have least go first.
            wishes.sort_by_cached_key(|wish| {
                let queued = state.slots.get(&wish.0).map_or(0, |slot| slot.queued);
                (queued, wish.4)
            });
            // Partitions of a topic follow each other in a question.
            let mut topics: Vec<Arc<str>> = Vec::new();
            for wish in &wishes {
                if !topics.contains(&wish.2) {
                    topics.push(Arc::clone(&wish.2));
                }
            }
            wishes.sort_by_key(|wish| topics.iter().position(|topic| *topic == wish.2));
            let max_wait_ms = if full { 0 } else { self.options.max_wait_ms };
            let share = i32::try_from(limit.max(LEAST_BYTES)).unwrap_or(i32::MAX);
            return Some(Work { wishes, max_wait_ms, partition_bytes: self.options.partition_bytes.min(share) });
        }
    }

    /// Takes in what a broker said of a partition. `chunk` is made of the answer's bytes if there are some.
    pub(crate) fn hear(&self, wish: &Wish, said: &Fetched<'_>, chunk: Option<Chunk>) {
        let end = chunk.as_ref().map(Chunk::end_offset).transpose();
        let mut state = self.state();
        let Some(slot) = state.slots.get_mut(&wish.0).filter(|slot| slot.turn == wish.1) else { return };
        if said.error == code::NONE && !slot.halted {
            (slot.event, slot.problem) = (None, None);
        }
        match said.error {
            code::NONE if said.preferred >= 0 => slot.replica = Some(said.preferred),
            code::NONE => match (end, chunk) {
                (Ok(Some(Some(end))), Some(chunk)) if end > slot.position => {
                    slot.position = end;
                    (slot.at_end, slot.empty) = (false, 0);
                    slot.queued += chunk.size();
                    slot.queue.push_back(chunk);
                }
                (Ok(Some(Some(_))), _) => slot.halt("records of before the offset that was asked for"),
                (Err(error), _) => slot.halt(&error.to_string()),
                _ => {
                    // Answers are empty too when other partitions had filled them.
                    slot.empty += 1;
                    slot.at_end = slot.position >= said.end || slot.empty >= EMPTY;
                    if slot.empty % EMPTY == 0 {
                        slot.replica = None;
                    }
                }
            },
            code::OFFSET_OUT_OF_RANGE if slot.replica.is_none() => {
                slot.event = Some(Took::OutOfRange);
                slot.halted = true;
            }
            error => {
                // Whoever leads the partition now is asked for; see `metadata`.
                (slot.leader, slot.replica) = (None, None);
                let text = format!("{}-{}: {}", slot.topic, slot.partition, code::name(error));
                match error {
                    code::TOPIC_AUTHORIZATION_FAILED => slot.event = Some(Took::NotAuthorized(text)),
                    code::UNKNOWN_TOPIC_OR_PARTITION => slot.event = Some(Took::Unknown),
                    _ => slot.problem = Some(text),
                }
            }
        }
        drop(state);
        self.arrived.notify_all();
        self.wanted.notify_all();
    }

    /// An answer of a broker came; `None` is one that was asked where partitions are.
    pub(crate) fn all_is_well(&self, node: Option<i32>, took: Option<Duration>) {
        let node = node.unwrap_or(ANY);
        let mut state = self.state();
        state.errors.remove(&node);
        if state.refused.as_ref().is_some_and(|(who, _)| *who == node) {
            state.refused = None;
        }
        if let Some(micros) = took.and_then(|took| i64::try_from(took.as_micros()).ok()) {
            let mean = state.round_trip_micros;
            state.round_trip_micros = if mean == 0 { micros } else { (mean * 7 + micros) / 8 };
        }
    }

    /// A broker can't be spoken with: its partitions may be led by another soon.
    pub(crate) fn lost(&self, node: Option<i32>, error: &WireError) {
        let mut state = self.state();
        if state.stop {
            return;
        }
        let who = node.unwrap_or(ANY);
        if let WireError::Refused(reason) = error {
            state.refused = Some((who, reason.clone()));
        }
        state.errors.insert(who, error.to_string());
        if let Some(node) = node {
            state.brokers.insert(node, None);
            for slot in state.slots.values_mut().filter(|slot| slot.replica.or(slot.leader) == Some(node)) {
                (slot.leader, slot.replica) = (None, None);
            }
        }
        drop(state);
        self.arrived.notify_all();
        self.wanted.notify_all();
    }

    /// A connection that a thread is about to wait on; false if all is over.
    pub(crate) fn connected(&self, node: i32, closer: Closer) -> bool {
        let mut state = self.state();
        if !state.stop {
            state.brokers.insert(node, Some(closer));
        }
        !state.stop
    }

    /// Where a broker is, as metadata said last.
    pub(crate) fn node(&self, id: i32) -> Option<Node> {
        self.state().nodes.get(&id).cloned()
    }

    /// Every address to ask at: those of the user's, then those that a broker told.
    pub(crate) fn addresses(&self) -> Vec<(String, u16)> {
        let state = self.state();
        let told = state.nodes.values().map(|node| (node.host.clone(), node.port));
        self.options.bootstrap.iter().cloned().chain(told).collect()
    }

    /// Topics of partitions that nobody fetches, as their leader is not known or has no thread; waits for some. `None`
    /// when all is over.
    pub(crate) fn lost_topics(&self) -> Option<Vec<Arc<str>>> {
        let mut state = self.state();
        loop {
            if state.stop {
                return None;
            }
            let attended = |node: Option<i32>| node.is_some_and(|node| state.brokers.contains_key(&node));
            let unknown = state.slots.values().filter(|slot| !attended(slot.replica.or(slot.leader)) && !slot.halted);
            let mut topics: Vec<Arc<str>> = unknown.map(|slot| Arc::clone(&slot.topic)).collect();
            topics.sort_unstable();
            topics.dedup();
            if !topics.is_empty() {
                return Some(topics);
            }
            state = self.rest(state, &self.wanted, Duration::from_secs(60));
        }
    }

    /// Takes in where partitions are; gives the brokers that need a thread now.
    pub(crate) fn metadata(&self, metadata: &Metadata) -> Vec<i32> {
        let mut state = self.state();
        let state = &mut *state;
        state.nodes = metadata.nodes.iter().map(|node| (node.id, node.clone())).collect();
        for slot in state.slots.values_mut().filter(|slot| slot.leader.is_none() && !slot.halted) {
            let error = metadata.topics.iter().find(|(topic, _)| **topic == *slot.topic).map(|(_, error)| *error);
            let place = metadata
                .leaders
                .iter()
                .find(|(topic, partition, _)| **topic == *slot.topic && *partition == slot.partition);
            match (error, place) {
                (Some(code::TOPIC_AUTHORIZATION_FAILED), _) => {
                    let text = format!("{}: {}", slot.topic, code::name(code::TOPIC_AUTHORIZATION_FAILED));
                    slot.event = Some(Took::NotAuthorized(text));
                }
                (_, Some(&(_, _, leader))) if leader >= 0 => (slot.leader, slot.event) = (Some(leader), None),
                (Some(code::UNKNOWN_TOPIC_OR_PARTITION), _) | (Some(code::NONE), None) => {
                    slot.event = Some(Took::Unknown);
                }
                _ => slot.problem = Some(format!("{}-{} has no leader now", slot.topic, slot.partition)),
            }
        }
        let mut wanted: Vec<i32> = state.slots.values().filter_map(|slot| slot.leader).collect();
        wanted.extend(state.slots.values().filter_map(|slot| slot.replica));
        wanted.sort_unstable();
        wanted.dedup();
        wanted.retain(|id| !state.brokers.contains_key(id));
        state.brokers.extend(wanted.iter().map(|&id| (id, None)));
        self.arrived.notify_all();
        self.wanted.notify_all();
        wanted
    }

    /// A broker has no thread after all.
    pub(crate) fn unattended(&self, node: i32) {
        self.state().brokers.remove(&node);
    }

    /// A nap that ends when all is over.
    pub(crate) fn nap(&self, wait: Duration) {
        let end = Instant::now() + wait;
        let mut state = self.state();
        while !state.stop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.rest(state, &self.wanted, left);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::testing::{Made, asked, say, shared};
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    fn topics(work: &Work) -> Vec<&str> {
        work.wishes.iter().map(|wish| &*wish.2).collect()
    }

    #[test]
    fn what_was_asked_before_a_restart_is_not_heard() {
        let (shared, slots) = shared(&["a"], 1 << 20);
        let work = asked(&shared);
        shared.restart(slots[0], 100);
        say(&shared, &work.wishes[0], code::NONE, &[Made::plain(0, 10)]);
        assert_eq!(shared.take(slots[0], AT_ONCE).unwrap_err(), Took::Nothing);
        assert_eq!(asked(&shared).wishes[0].4, 100);
    }

    #[test]
    fn the_next_question_begins_after_the_last_answer() {
        let (shared, slots) = shared(&["a"], 1 << 20);
        let compacted = Made { gone: 5, ..Made::plain(0, 10) };
        say(&shared, &asked(&shared).wishes[0], code::NONE, &[compacted]);
        assert_eq!(asked(&shared).wishes[0].4, 15);
        assert!(shared.take(slots[0], AT_ONCE).is_ok());
    }

    #[test]
    fn what_is_full_is_not_asked_for_until_it_was_read() {
        let (shared, slots) = shared(&["a", "b"], 200);
        let work = asked(&shared);
        assert_eq!((topics(&work), work.max_wait_ms), (vec!["a", "b"], 500));
        say(&shared, &work.wishes[0], code::NONE, &[Made::plain(0, 100)]);
        let work = asked(&shared);
        // A question that is held would keep the full one waiting when it is full no more.
        assert_eq!((topics(&work), work.max_wait_ms), (vec!["b"], 0));
        say(&shared, &work.wishes[0], code::NONE, &[]);
        let before = Instant::now();
        assert_eq!(topics(&asked(&shared)), ["b"]);
        assert!(before.elapsed() >= GLANCE, "a partition that has nothing new is asked for without a pause");
        assert!(shared.take(slots[0], AT_ONCE).is_ok());
        assert_eq!(topics(&asked(&shared)).len(), 2);
    }

    #[test]
    fn what_one_had_is_for_the_others_when_it_ends() {
        let (shared, slots) = shared(&["a", "b"], 20_000);
        let work = asked(&shared);
        say(&shared, &work.wishes[0], code::NONE, &[Made::plain(0, 600)]);
        assert_eq!(topics(&asked(&shared)), ["b"]);
        let waiting = Arc::clone(&shared);
        shared.hear(&work.wishes[1], &said_nothing("b"), None);
        let thread = std::thread::spawn(move || asked(&waiting).wishes.remove(0).2);
        shared.end(slots[1]);
        assert_eq!(&*thread.join().unwrap(), "a");
    }

    fn said_nothing(topic: &str) -> Fetched<'_> {
        Fetched { topic, partition: 0, error: code::NONE, end: 0, aborted: Vec::new(), preferred: -1, records: 0..0 }
    }

    #[test]
    fn what_was_wrong_and_works_again_is_not_told() {
        let (shared, slots) = shared(&["a"], 1 << 20);
        let wish = asked(&shared).wishes.remove(0);
        say(&shared, &wish, code::TOPIC_AUTHORIZATION_FAILED, &[]);
        say(&shared, &wish, code::NONE, &[Made::plain(0, 3)]);
        assert!(shared.take(slots[0], AT_ONCE).is_ok());
        assert_eq!(shared.take(slots[0], AT_ONCE).unwrap_err(), Took::Nothing);
        assert_eq!(shared.last_error(), "");
    }

    #[test]
    fn records_that_lead_nowhere_are_an_error_and_not_asked_for_again() {
        let (shared, slots) = shared(&["a"], 1 << 20);
        shared.restart(slots[0], 50);
        let wish = asked(&shared).wishes.remove(0);
        say(&shared, &wish, code::NONE, &[Made::plain(0, 3)]);
        assert!(matches!(shared.take(slots[0], AT_ONCE), Err(Took::Trouble(_))));
    }

    #[test]
    fn one_brokers_answer_does_not_heal_another() {
        let (shared, _slots) = shared(&["a"], 1 << 20);
        shared.lost(Some(2), &WireError::Refused("no".to_owned()));
        shared.all_is_well(Some(1), None);
        assert_eq!(shared.refused().as_deref(), Some("no"));
        assert_eq!(shared.last_error(), "no");
        shared.all_is_well(Some(2), None);
        assert_eq!((shared.refused(), shared.last_error()), (None, String::new()));
    }

    #[test]
    fn partitions_of_a_topic_follow_each_other_in_a_question() {
        let (shared, slots) = shared(&["a", "b", "a"], 1 << 20);
        let work = asked(&shared);
        say(&shared, &work.wishes[0], code::NONE, &[Made::plain(0, 100)]);
        let names = asked(&shared);
        let names = topics(&names);
        assert!(names == ["b", "a", "a"] || names == ["a", "a", "b"], "{names:?}");
        drop(slots);
    }

    #[test]
    fn trouble_is_told_after_the_records_before_it_and_stops_the_asking() {
        let (shared, slots) = shared(&["a", "b"], 1 << 20);
        let work = asked(&shared);
        say(&shared, &work.wishes[0], code::NONE, &[Made::plain(0, 10)]);
        say(&shared, &work.wishes[0], code::OFFSET_OUT_OF_RANGE, &[]);
        assert!(shared.take(slots[0], AT_ONCE).is_ok());
        assert_eq!(shared.take(slots[0], AT_ONCE).unwrap_err(), Took::OutOfRange);
        assert_eq!(topics(&asked(&shared)), ["b"]);
        shared.restart(slots[0], 50);
        assert_eq!(topics(&asked(&shared)).len(), 2);
    }

    #[test]
    fn a_partition_that_moved_is_looked_for_again() {
        let (shared, _slots) = shared(&["a", "b"], 1 << 20);
        let not_leader = 6;
        say(&shared, &asked(&shared).wishes[0], not_leader, &[]);
        assert_eq!(shared.lost_topics().unwrap(), [Arc::from("a")]);
        assert_eq!(topics(&asked(&shared)), ["b"]);
        assert!(shared.last_error().contains("NOT_LEADER_OR_FOLLOWER"));
        shared.lost(Some(1), &WireError::SHORT);
        assert_eq!(shared.lost_topics().unwrap().len(), 2);
    }

    #[test]
    fn a_nearer_replica_gets_a_thread() {
        let (shared, _slots) = shared(&["a"], 1 << 20);
        let wish = asked(&shared).wishes.remove(0);
        let nearer = Fetched {
            topic: "a",
            partition: 0,
            error: code::NONE,
            end: 0,
            aborted: Vec::new(),
            preferred: 2,
            records: 0..0,
        };
        shared.hear(&wish, &nearer, None);
        assert_eq!(shared.lost_topics().unwrap(), [Arc::from("a")]);
        assert_eq!(shared.metadata(&Metadata::default()), [2]);
        assert_eq!(topics(&shared.work(2).unwrap()), ["a"]);
    }

    #[test]
    fn when_all_is_over_nobody_waits() {
        let (shared, slots) = shared(&["a"], 1 << 20);
        shared.stop();
        assert!(shared.work(1).is_none());
        assert!(shared.lost_topics().is_none());
        assert_eq!(shared.take(slots[0], Duration::from_secs(60)).unwrap_err(), Took::Nothing);
    }
}
