//! What the task that reads and the threads that fetch for it have in common.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::WireError;
use super::chunk::{Buffers, Chunk};
use super::connection::Closer;
use super::options::FetchOptions;
use super::protocol::{Fetched, Metadata, Node, code};
use super::slot::{Slot, Took};

/// How often a broker is asked about partitions that have nothing new, while others are full.
const GLANCE: Duration = Duration::from_millis(100);
/// Less of a partition is not asked for, however little may wait: a batch of a producer's usual size.
const LEAST_BYTES: usize = 64 << 10;

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
        state.slots.insert(id, Slot::new(topic, partition, offset));
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
            slot.restart(offset);
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
            let mine = |slot: &&Slot| slot.broker() == Some(node) && !slot.halted;
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
        slot.hear(said, end, chunk);
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
            for slot in state.slots.values_mut().filter(|slot| slot.broker() == Some(node)) {
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
            let unknown = state.slots.values().filter(|slot| !attended(slot.broker()) && !slot.halted);
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
mod tests;
