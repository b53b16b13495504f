//! The threads that fetch: one that knows where partitions are, one for each broker that has some.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::WireError;
use super::chunk::Answer;
use super::connection::Connection;
use super::protocol::{self, FetchRequest, Node};
use super::shared::{Shared, Work};
use crate::error::KafkaFault;

/// They keep all they have on the heap.
const STACK: usize = 256 << 10;
/// Between two questions where partitions are, so that a cluster that has no leader is not asked without end.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How long one of several brokers may take to say where partitions are.
const QUESTION: Duration = Duration::from_secs(10);
/// A connection is made anew when so much of its session is over.
const SESSION_SHARE: f64 = 0.85;

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new().name(name).stack_size(STACK).spawn(work).map(|_| ())
}

/// Starts to find and to fetch partitions. The threads end soon after [`Shared::stop`].
pub(crate) fn start(shared: &Arc<Shared>) -> Result<(), KafkaFault> {
    let shared = Arc::clone(shared);
    spawn("firesteel-leaders".to_owned(), move || find_leaders(&shared))
        .map_err(|error| KafkaFault::other("no thread for a Kafka client", error))
}

/// Asks where partitions are whenever some are lost.
fn find_leaders(shared: &Arc<Shared>) {
    let (mut questions, mut failures, mut again) = (0, 0, 0);
    let mut before = Vec::new();
    while let Some(topics) = shared.lost_topics() {
        // What stays lost, as a topic that was deleted, is asked for less and less often.
        again = if topics == before { again + 1 } else { 0 };
        before.clone_from(&topics);
        let topics: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
        questions += 1;
        match ask_metadata(shared, &topics, questions - 1) {
            Ok(metadata) => {
                failures = 0;
                shared.all_is_well(None, None);
                for id in shared.metadata(&metadata) {
                    let of_thread = Arc::clone(shared);
                    if let Err(error) = spawn(format!("firesteel-fetch-{id}"), move || fetch(&of_thread, id)) {
                        shared.unattended(id);
                        shared.lost(None, &error.into());
                    }
                }
                shared.nap(ASK_AGAIN.saturating_mul(1 << again.min(4)));
            }
            Err(error) => {
                shared.lost(None, &error);
                failures += 1;
                shared.nap(pause(shared, failures));
            }
        }
    }
}

/// How long to wait after so many failures.
fn pause(shared: &Shared, failures: u32) -> Duration {
    let (first, most) = shared.options.backoff;
    first.saturating_mul(1 << failures.min(10)).min(most).max(Duration::from_millis(10))
}

/// Asks one broker, another with each question: one that is dead or behind must not be the only one to be asked.
fn ask_metadata(shared: &Shared, topics: &[&str], question: usize) -> Result<protocol::Metadata, WireError> {
    let options = &shared.options;
    let addresses = shared.addresses();
    let (host, port) = &addresses[question % addresses.len()];
    let patience = options.connect_patience.min(QUESTION);
    let told = |error| at(error, host, *port);
    let mut connection =
        Connection::open(host, *port, &options.client_id, &options.security, patience).map_err(told)?;
    let write = |writer: &mut super::codec::Writer| protocol::write_metadata(writer, topics);
    let answer = connection.ask(protocol::METADATA, protocol::METADATA_VERSION, write).map_err(told)?;
    protocol::read_metadata(&answer)
}

/// An error with the place it happened at.
fn at(error: WireError, host: &str, port: u16) -> WireError {
    match error {
        WireError::Io(error) => WireError::Io(std::io::Error::new(error.kind(), format!("{host}:{port}: {error}"))),
        WireError::Refused(reason) => WireError::Refused(format!("{host}:{port}: {reason}")),
        other => other,
    }
}

/// Fetches from one broker until all is over.
fn fetch(shared: &Arc<Shared>, id: i32) {
    let _attending = Attending { shared, id };
    let mut failures = 0;
    while let Some(node) = next_node(shared, id) {
        let mut worked = false;
        let Err(error) = converse(shared, &node, &mut worked) else { return };
        failures = if worked { 1 } else { failures + 1 };
        log::info!("broker {}:{}: {error}", node.host, node.port);
        shared.lost(Some(id), &at(error, &node.host, node.port));
        shared.nap(pause(shared, failures));
    }
}

/// While a broker's thread lives. Should it panic, another can be started, and the reader hears of it.
struct Attending<'a> {
    shared: &'a Shared,
    id: i32,
}

impl Drop for Attending<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.shared.lost(Some(self.id), &WireError::Malformed("the thread that reads it has panicked"));
        }
        self.shared.unattended(self.id);
    }
}

/// The broker's address, when there is something to ask it.
fn next_node(shared: &Shared, id: i32) -> Option<Node> {
    loop {
        // Waits until some of our partitions are there.
        shared.work(id)?;
        if let Some(node) = shared.node(id) {
            return Some(node);
        }
        // The cluster knows it no more: its partitions are somewhere else.
        shared.lost(Some(id), &WireError::Malformed("a broker that the cluster does not list"));
        shared.nap(ASK_AGAIN);
    }
}

/// One connection, question by question. Ends well when all is over, or when the session is.
fn converse(shared: &Arc<Shared>, node: &Node, worked: &mut bool) -> Result<(), WireError> {
    let options = &shared.options;
    loop {
        let mut connection =
            Connection::open(&node.host, node.port, &options.client_id, &options.security, options.connect_patience)?;
        if !shared.connected(node.id, connection.closer()?) {
            return Ok(());
        }
        connection.set_patience(options.patience + Duration::from_millis(options.max_wait_ms as u64))?;
        let renew = connection.session().map(|session| Instant::now() + session.mul_f64(SESSION_SHARE));
        while renew.is_none_or(|renew| Instant::now() < renew) {
            let Some(work) = shared.work(node.id) else { return Ok(()) };
            let throttle = ask(shared, node.id, &mut connection, &work)?;
            *worked = true;
            if throttle > 0 {
                shared.nap(Duration::from_millis(throttle));
            }
        }
    }
}

/// One question and its answer; gives how long the broker wants to be left alone, in milliseconds.
fn ask(shared: &Arc<Shared>, node: i32, connection: &mut Connection, work: &Work) -> Result<u64, WireError> {
    let options = &shared.options;
    let partitions: Vec<(&str, i32, i64)> = work.wishes.iter().map(|w| (&*w.2, w.3, w.4)).collect();
    let request = FetchRequest {
        max_wait_ms: work.max_wait_ms,
        min_bytes: options.min_bytes,
        max_bytes: options.max_bytes,
        read_committed: options.read_committed,
        rack: &options.rack,
        partitions: &partitions,
        partition_max_bytes: work.partition_bytes,
    };
    let version = connection.fetch_version();
    let mut bytes = shared.buffers.take();
    let asked = Instant::now();
    let body = connection.ask_into(protocol::FETCH, version, |writer| request.write(writer, version), &mut bytes)?;
    let took = asked.elapsed();
    let answer = Arc::new(Answer::new(bytes, Arc::clone(&shared.buffers)));
    let mut any = false;
    let part = &answer.bytes()[body.clone()];
    let throttle = protocol::read_fetch(part, version, options.read_committed, |mut said| {
        let wish = work.wishes.iter().find(|wish| *wish.2 == *said.topic && wish.3 == said.partition);
        let Some(wish) = wish else { return };
        let records = said.records.start + body.start..said.records.end + body.start;
        let aborted = if options.read_committed { std::mem::take(&mut said.aborted) } else { Vec::new() };
        let chunk = (!records.is_empty()).then(|| answer.chunk(records, aborted));
        any |= chunk.is_some();
        shared.hear(wish, &said, chunk);
    })?;
    shared.all_is_well(Some(node), any.then_some(took));
    Ok(throttle)
}
