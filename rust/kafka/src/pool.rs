//! Consumers that outlive their task, so that the next range of the same partitions is fetched while nobody asks.
//!
//! A consumer serves one task at a time. When the task ends it waits here, still fetching up to its limits, until a
//! task of the same source wants some of its partitions, or for [`IDLE`] at most. One whose task failed is closed.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::error::KafkaFault;
use crate::reader::{Range, ReadRequest};
use crate::settings::ClientSettings;
use crate::wire::{Consumer, Lane};

/// How long a consumer waits for its next task.
const IDLE: Duration = Duration::from_secs(300);
/// Between two looks for consumers that have waited long enough.
const SWEEP: Duration = Duration::from_secs(5);

/// A consumer and the partitions that it fetches.
#[derive(Debug)]
pub(crate) struct Fetcher {
    lanes: Vec<(Range, Lane)>,
    consumer: Consumer,
    /// For the rare questions about the cluster; opened by the first.
    client: OnceCell<Client>,
    settings: ClientSettings,
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
    fetcher.turn_to(&request.ranges);
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
        let lanes = &idle.fetcher.lanes;
        let mine = |range: &&Range| lanes.iter().any(|(of, _)| of.is_beside(range));
        let here = |range: &&Range| lanes.iter().any(|(of, lane)| of.is_beside(range) && lane.next() == range.from);
        (request.ranges.iter().filter(here).count(), request.ranges.iter().filter(mine).count())
    };
    let best = idle.iter().enumerate().max_by_key(|(_, candidate)| fit(candidate))?.0;
    (fit(&idle[best]).1 > 0).then(|| idle.swap_remove(best).fetcher)
}

impl Fetcher {
    fn connect(request: &ReadRequest) -> Result<Self, KafkaFault> {
        Ok(Self {
            lanes: Vec::new(),
            consumer: Consumer::open(&request.settings, request.prefetch_bytes)?,
            client: OnceCell::new(),
            settings: request.settings.clone(),
            source: request.source.clone(),
        })
    }

    /// One lane for each range, in order; others are stopped.
    fn turn_to(&mut self, ranges: &[Range]) {
        let mut before = std::mem::take(&mut self.lanes);
        before.retain(|(of, _)| ranges.iter().any(|range| of.is_beside(range)));
        for range in ranges {
            let lane = match before.iter().position(|(of, _)| of.is_beside(range)) {
                Some(found) => {
                    let (_, mut lane) = before.swap_remove(found);
                    lane.seek(range.from);
                    lane
                }
                None => self.consumer.start(&Arc::from(range.topic.as_str()), range.partition, range.from),
            };
            self.lanes.push((range.clone(), lane));
        }
    }

    pub(crate) fn consumer(&self) -> &Consumer {
        &self.consumer
    }

    /// A client for questions about the cluster.
    pub(crate) fn client(&self) -> Result<&Client, KafkaFault> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = Client::connect(&self.settings, &[])?;
        Ok(self.client.get_or_init(|| client))
    }

    pub(crate) fn servers(&self) -> String {
        self.settings.servers().to_owned()
    }

    pub(crate) fn lane(&self, range: usize) -> &Lane {
        &self.lanes[range].1
    }

    pub(crate) fn lane_mut(&mut self, range: usize) -> &mut Lane {
        &mut self.lanes[range].1
    }
}
