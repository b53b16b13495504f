//! Kafka's protocol for reading, from the socket to the record.
//!
//! librdkafka makes an object of every record, hands it from thread to thread and frees it again, which costs more than
//! all else that is done with a record here. This client reads a broker's answer into one buffer, and the task that
//! wants the records unpacks a batch at a time and copies each value straight into its column. What is fetched ahead
//! stays as the broker sent it, packed. Source: Kafka's protocol guide and the format of its record batches.

pub(crate) mod batch;
mod chunk;
mod codec;
mod compress;
mod connection;
mod lane;
mod options;
mod protocol;
mod sasl;
mod security;
mod shared;
mod slot;
mod stream;
#[cfg(test)]
mod testing;
mod threads;

use std::sync::Arc;

pub(crate) use lane::Lane;
pub(crate) use slot::Took;

use crate::error::KafkaFault;
use crate::settings::ClientSettings;
use options::FetchOptions;
use shared::Shared;

/// A client that fetches partitions ahead, on threads of its own. They end when it is dropped.
#[derive(Debug)]
pub(crate) struct Consumer {
    shared: Arc<Shared>,
}

impl Consumer {
    /// Connects in the background, when there is something to fetch. At most about `ahead_bytes` wait to be read.
    ///
    /// # Errors
    /// A setting that can't be honoured.
    pub(crate) fn open(settings: &ClientSettings, ahead_bytes: usize) -> Result<Self, KafkaFault> {
        let shared = Arc::new(Shared::new(FetchOptions::of(settings, ahead_bytes)?));
        threads::start(&shared)?;
        Ok(Self { shared })
    }

    /// Begins to fetch a partition.
    pub(crate) fn start(&self, topic: &Arc<str>, partition: i32, offset: i64) -> Lane {
        let slot = self.shared.start(Arc::clone(topic), partition, offset);
        Lane::new(slot, offset, self.shared.options.check, Arc::clone(&self.shared))
    }

    /// What went wrong last; empty if all is well.
    pub(crate) fn last_error(&self) -> String {
        self.shared.last_error()
    }

    /// Why the cluster refused our credentials, if it did.
    pub(crate) fn refused(&self) -> Option<String> {
        self.shared.refused()
    }

    /// A running mean of what an answer with records takes, in microseconds; 0 until known.
    pub(crate) fn round_trip_micros(&self) -> i64 {
        self.shared.round_trip_micros()
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

/// What goes wrong between here and a broker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The connection.
    #[error("{0}")]
    Io(std::io::Error),
    /// An answer that is no answer.
    #[error("the broker's answer can't be read: {0}")]
    Malformed(&'static str),
    /// Records that are damaged.
    #[error("damaged records: {0}")]
    Corrupt(String),
    /// The cluster does not let us in, whoever is asked and however often.
    #[error("{0}")]
    Refused(String),
}

impl From<std::io::Error> for WireError {
    fn from(error: std::io::Error) -> Self {
        // In TLS 1.3 a refused certificate shows only when something is read.
        stream::wire_error(error)
    }
}

impl WireError {
    pub(crate) const SHORT: Self = Self::Malformed("it ends too early");
}
