//! One partition being fetched: its queue in librdkafka, and how far it has been read.
//!
//! librdkafka fetches ahead on its own threads; a lane takes what is there. It is read through librdkafka's partition
//! interface with explicit offsets: no group, no coordinator, no commits.

use std::collections::VecDeque;
use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

use crate::client::Client;
use crate::error::KafkaFault;
use crate::message::RawMessage;
use crate::reader::Range;

/// Messages taken from librdkafka at once.
const BATCH: usize = 1024;

/// A topic as librdkafka knows it in one client.
#[derive(Debug)]
pub(crate) struct NativeTopic {
    pointer: NonNull<sys::rd_kafka_topic_t>,
    name: Arc<str>,
}

// SAFETY: librdkafka's topics may be used from any thread.
unsafe impl Send for NativeTopic {}

impl NativeTopic {
    pub(crate) fn open(client: &Client, name: &str) -> Result<Self, KafkaFault> {
        let native =
            CString::new(name).map_err(|_| KafkaFault::other(format!("topic {name:?}"), "a name with a NUL"))?;
        // SAFETY: the client lives; a null configuration takes the client's.
        let pointer = unsafe {
            use rdkafka::consumer::Consumer;
            sys::rd_kafka_topic_new(client.consumer().client().native_ptr(), native.as_ptr(), ptr::null_mut())
        };
        let pointer = NonNull::new(pointer).ok_or_else(|| KafkaFault::other(format!("topic {name}"), last_error()))?;
        Ok(Self { pointer, name: name.into() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for NativeTopic {
    fn drop(&mut self) {
        // SAFETY: made by `rd_kafka_topic_new`, given back once, before the client ends (see `pool`).
        unsafe { sys::rd_kafka_topic_destroy(self.pointer.as_ptr()) };
    }
}

/// What came when a lane was asked for more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Took {
    /// Some records, now in the lane.
    Records,
    /// Nothing within the wait.
    Nothing,
    /// The partition ends here, at the lane's `fetched` offset.
    End,
    /// The offset that was asked for is not there.
    OutOfRange,
    /// The partition can't be read now; librdkafka goes on trying where that makes sense.
    Trouble(RDKafkaErrorCode, String),
}

/// A partition being fetched. Stopped when dropped.
#[derive(Debug)]
pub(crate) struct Lane {
    topic: NonNull<sys::rd_kafka_topic_t>,
    name: Arc<str>,
    partition: i32,
    /// The next offset that a caller wants: all records before it were handed out or do not exist.
    next: i64,
    /// All records before this offset have come: it is after the last that came, or the end that was told.
    fetched: i64,
    ready: VecDeque<RawMessage>,
    /// What came after the records that are ready.
    pending: Option<Took>,
}

// SAFETY: as for `NativeTopic`, which the holder of a lane keeps alive.
unsafe impl Send for Lane {}

impl Lane {
    /// Starts fetching at an offset.
    ///
    /// # Safety
    /// The topic outlives the lane, and no other lane of its client has the partition.
    pub(crate) unsafe fn start(topic: &NativeTopic, partition: i32, offset: i64) -> Result<Self, KafkaFault> {
        // SAFETY: a live topic.
        let code = unsafe { sys::rd_kafka_consume_start(topic.pointer.as_ptr(), partition, offset) };
        if code != 0 {
            return Err(KafkaFault::other(format!("{}-{partition}", topic.name), last_error()));
        }
        let name = Arc::clone(&topic.name);
        Ok(Self {
            topic: topic.pointer,
            name,
            partition,
            next: offset,
            fetched: offset,
            ready: VecDeque::new(),
            pending: None,
        })
    }

    /// Whether it fetches the partition of a range.
    pub(crate) fn is_of(&self, range: &Range) -> bool {
        *self.name == *range.topic && self.partition == range.partition
    }

    pub(crate) fn next(&self) -> i64 {
        self.next
    }

    /// Records before `offset` are given up: they are gone, and the fetching has stopped because of it.
    pub(crate) fn restart_at(&mut self, offset: i64) -> Result<(), KafkaFault> {
        self.ready.clear();
        self.pending = None;
        // SAFETY: a live topic whose partition was started; stopped, it may be started again.
        let code = unsafe {
            sys::rd_kafka_consume_stop(self.topic.as_ptr(), self.partition);
            sys::rd_kafka_consume_start(self.topic.as_ptr(), self.partition, offset)
        };
        if code != 0 {
            return Err(KafkaFault::other(format!("{}-{}", self.name, self.partition), last_error()));
        }
        self.next = offset;
        self.fetched = offset;
        Ok(())
    }

    /// Makes `offset` the next one: goes on if it is, else drops what was fetched and fetches from there.
    pub(crate) fn seek(&mut self, offset: i64) -> Result<(), KafkaFault> {
        if offset == self.next {
            return Ok(());
        }
        self.ready.clear();
        self.pending = None;
        // SAFETY: a live topic; no wait, so no answer.
        let code = unsafe { sys::rd_kafka_seek(self.topic.as_ptr(), self.partition, offset, 0) };
        if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(KafkaFault::other(format!("seek to offset {offset}"), KafkaError::Seek(format!("{code:?}"))));
        }
        self.next = offset;
        self.fetched = offset;
        Ok(())
    }

    /// The next record before `until`, if it has come. Records after it wait for the next range.
    #[inline]
    pub(crate) fn pop(&mut self, until: i64) -> Option<RawMessage> {
        let message = self.ready.pop_front_if(|message| message.offset() < until)?;
        self.next = message.offset() + 1;
        Some(message)
    }

    /// Whether every record before `until` was handed out.
    pub(crate) fn is_through(&mut self, until: i64) -> bool {
        let through = match self.ready.front() {
            Some(message) => message.offset() >= until,
            None => self.next >= until || self.fetched >= until,
        };
        if through {
            // Offsets without records (compaction, markers of transactions) were passed over.
            self.next = self.next.max(until);
        }
        through
    }

    /// Takes what has come; waits at most `wait` for the first record if nothing has. Call with nothing ready.
    pub(crate) fn take(&mut self, wait: Duration) -> Took {
        if let Some(pending) = self.pending.take() {
            return pending;
        }
        let mut batch = [ptr::null_mut(); BATCH];
        let mut count = self.consume(&mut batch, Duration::ZERO);
        if count == 0 && !wait.is_zero() {
            // librdkafka waits for a full batch, so only one is asked for.
            count = self.consume(&mut batch[..1], wait);
        }
        let mut took = Took::Nothing;
        for pointer in batch.into_iter().take(count) {
            // SAFETY: librdkafka filled the first `count` places with messages, ours from now on.
            let Some(message) = (unsafe { RawMessage::from_raw(pointer) }) else { continue };
            let error = message.error();
            if error == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                self.fetched = message.offset() + 1;
                self.ready.push_back(message);
                took = Took::Records;
            } else {
                let code = RDKafkaErrorCode::from(error);
                let what = match code {
                    RDKafkaErrorCode::PartitionEOF => {
                        self.fetched = self.fetched.max(message.offset());
                        Took::End
                    }
                    RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange => Took::OutOfRange,
                    code => Took::Trouble(code, message.error_text()),
                };
                if took == Took::Records {
                    self.pending = Some(what);
                } else {
                    took = what;
                }
            }
        }
        took
    }

    fn consume(&self, batch: &mut [*mut sys::rd_kafka_message_t], wait: Duration) -> usize {
        let millis = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: a live topic whose partition was started, and a place for each message asked for.
        let count = unsafe {
            sys::rd_kafka_consume_batch(self.topic.as_ptr(), self.partition, millis, batch.as_mut_ptr(), batch.len())
        };
        usize::try_from(count).unwrap_or(0)
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.ready.clear();
        // SAFETY: started by `start`, stopped once; the topic is still there.
        unsafe { sys::rd_kafka_consume_stop(self.topic.as_ptr(), self.partition) };
    }
}

fn last_error() -> String {
    // SAFETY: reads a number of this thread.
    let code = unsafe { sys::rd_kafka_last_error() };
    RDKafkaErrorCode::from(code).to_string()
}
