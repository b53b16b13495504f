//! Consumers that outlive their task, so that the next range of the same partitions is fetched while nobody asks.
//!
//! A consumer serves one task at a time. When the task ends it waits here, still fetching up to its limits, until a
//! task of the same source wants some of its partitions, or for [`IDLE`] at most. One whose task failed is closed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::error::KafkaFault;
use crate::lane::{Lane, NativeTopic};
use crate::reader::{Range, ReadRequest};

/// How long a consumer waits for its next task.
const IDLE: Duration = Duration::from_secs(300);
/// Between two looks for consumers that have waited long enough.
const SWEEP: Duration = Duration::from_secs(5);

/// Bytes of one partition in one answer; a larger record comes alone, whole.
const FETCH_BYTES: usize = 1 << 20;

/// A client and the partitions that it fetches. The order of the fields is the order in which they are dropped: lanes
/// stop before their topics, and those go before the client.
#[derive(Debug)]
pub(crate) struct Fetcher {
    lanes: Vec<Lane>,
    topics: Vec<NativeTopic>,
    client: Client,
    source: String,
}

/// A consumer between two tasks.
#[derive(Debug)]
struct Idle {
    fetcher: Fetcher,
    since: Instant,
}

static IDLE_FETCHERS: Mutex<Vec<Idle>> = Mutex::new(Vec::new());
static SWEEPER: Once = Once::new();
/// Sources whose consumers are wanted no more, the last [`REMEMBERED`] of them: a task that is still being interrupted
/// when its query stops gives its consumer back afterwards.
static FORGOTTEN: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());
const REMEMBERED: usize = 1000;

fn idle() -> MutexGuard<'static, Vec<Idle>> {
    IDLE_FETCHERS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn forgotten() -> MutexGuard<'static, VecDeque<String>> {
    FORGOTTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes the idle consumers of a source, as when its query has stopped.
pub fn forget(source: &str) {
    let mut forgotten = forgotten();
    if forgotten.len() >= REMEMBERED {
        forgotten.pop_front();
    }
    forgotten.push_back(source.to_owned());
    drop(forgotten);
    let gone: Vec<Idle> = idle().extract_if(.., |idle| idle.fetcher.source == source).collect();
    // Outside the lock: closing takes a moment.
    close(gone);
}

/// Closes consumers. What they had fetched ahead was freed in the memory of threads that are gone, where `malloc`
/// keeps it: it is asked to give that back, or a process that opens one query after the other grows.
fn close(gone: Vec<Idle>) {
    if gone.is_empty() {
        return;
    }
    drop(gone);
    // SAFETY: takes no memory that is in use; glibc's own function.
    unsafe { malloc_trim(0) };
}

unsafe extern "C" {
    /// glibc: gives free memory at the ends and in the middle of heaps back to the system.
    fn malloc_trim(pad: usize) -> std::ffi::c_int;
}

/// Consumers that wait for a task now.
pub fn idle_consumers() -> usize {
    idle().len()
}

/// A consumer with one lane for each range of the request, in its order, at the place where the range begins.
pub(crate) fn lease(request: &ReadRequest) -> Result<Fetcher, KafkaFault> {
    let mut fetcher = match fitting(request) {
        Some(found) => found,
        None => Fetcher::connect(request)?,
    };
    fetcher.turn_to(&request.ranges)?;
    Ok(fetcher)
}

/// Takes back a consumer whose task ended well.
pub(crate) fn give_back(fetcher: Fetcher) {
    let returned = Idle { fetcher, since: Instant::now() };
    if forgotten().contains(&returned.fetcher.source) {
        close(vec![returned]);
        return;
    }
    idle().push(returned);
    SWEEPER.call_once(|| {
        // Without the thread consumers would wait longer than they need to, no more.
        let _ = thread::Builder::new().name("firesteel-kafka-idle".to_owned()).spawn(sweep);
    });
}

fn sweep() {
    loop {
        thread::sleep(SWEEP);
        let gone = idle().extract_if(.., |idle| idle.since.elapsed() > IDLE).collect();
        close(gone);
    }
}

/// The idle consumer of the source that has most of the partitions, best where the ranges begin.
fn fitting(request: &ReadRequest) -> Option<Fetcher> {
    let mut idle = idle();
    let fit = |idle: &Idle| {
        if idle.fetcher.source != request.source {
            return (0, 0);
        }
        let mine = |range: &&Range| idle.fetcher.lanes.iter().any(|lane| lane.is_of(range));
        let here =
            |range: &&Range| idle.fetcher.lanes.iter().any(|lane| lane.is_of(range) && lane.next() == range.from);
        (request.ranges.iter().filter(here).count(), request.ranges.iter().filter(mine).count())
    };
    let best = idle.iter().enumerate().max_by_key(|(_, candidate)| fit(candidate))?.0;
    (fit(&idle[best]).1 > 0).then(|| idle.swap_remove(best).fetcher)
}

impl Fetcher {
    fn connect(request: &ReadRequest) -> Result<Self, KafkaFault> {
        let partitions = request.ranges.len().max(1);
        let kilobytes = (request.prefetch_bytes / partitions / 1024).clamp(64, 2_097_151);
        let defaults = [
            ("isolation.level", "read_uncommitted".to_owned()),
            ("enable.partition.eof", "true".to_owned()),
            ("auto.offset.reset", "error".to_owned()),
            ("enable.auto.commit", "false".to_owned()),
            ("enable.auto.offset.store", "false".to_owned()),
            // Limits of what is fetched ahead hold for each partition.
            ("queued.max.messages.kbytes", kilobytes.to_string()),
            ("queued.min.messages", request.prefetch_records.clamp(1, 10_000_000).to_string()),
            // Small answers, so that their memory is used again and again; larger ones were not faster.
            ("max.partition.fetch.bytes", FETCH_BYTES.to_string()),
            ("fetch.max.bytes", (request.prefetch_bytes / 2).clamp(FETCH_BYTES, 50 << 20).to_string()),
            ("fetch.queue.backoff.ms", "2".to_owned()),
            ("fetch.error.backoff.ms", "100".to_owned()),
            ("reconnect.backoff.max.ms", "2000".to_owned()),
            // After a broker's restart a topic may be unknown for a moment; librdkafka's default looks again in 5 minutes.
            ("topic.metadata.refresh.interval.ms", "10000".to_owned()),
            ("statistics.interval.ms", "5000".to_owned()),
        ];
        let client = Client::connect(&request.settings, &defaults)?;
        Ok(Self { lanes: Vec::new(), topics: Vec::new(), client, source: request.source.clone() })
    }

    /// One lane for each range, in order; others are stopped.
    fn turn_to(&mut self, ranges: &[Range]) -> Result<(), KafkaFault> {
        let mut before = std::mem::take(&mut self.lanes);
        before.retain(|lane| ranges.iter().any(|range| lane.is_of(range)));
        for range in ranges {
            let lane = match before.iter().position(|lane| lane.is_of(range)) {
                Some(found) => {
                    let mut lane = before.swap_remove(found);
                    lane.seek(range.from)?;
                    lane
                }
                None => {
                    let topic = self.topic(&range.topic)?;
                    // SAFETY: topics are dropped after lanes, and no other lane of this client has the partition.
                    unsafe { Lane::start(topic, range.partition, range.from)? }
                }
            };
            self.lanes.push(lane);
        }
        Ok(())
    }

    fn topic(&mut self, name: &str) -> Result<&NativeTopic, KafkaFault> {
        let position = match self.topics.iter().position(|topic| topic.name() == name) {
            Some(position) => position,
            None => {
                self.topics.push(NativeTopic::open(&self.client, name)?);
                self.topics.len() - 1
            }
        };
        Ok(&self.topics[position])
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn lane(&self, range: usize) -> &Lane {
        &self.lanes[range]
    }

    pub(crate) fn lane_mut(&mut self, range: usize) -> &mut Lane {
        &mut self.lanes[range]
    }
}
