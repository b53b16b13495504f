//! Writing to Kafka as the border sees it: open writers, and the JSON of rows for those who write it themselves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use arrow::array::{BinaryArray, RecordBatch};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use firesteel_engine::error::StageError;
use firesteel_kafka::json::RowEncoder;
use firesteel_kafka::producer::{self, Layout, Settings, Writer};

use crate::error::{BridgeError, internal};
use crate::ffi;
use crate::handle::{Handle, Table};
use crate::session::{Session, StageTimes, Work, schema_of};

/// A task's writer. One thread writes; any thread may cancel.
pub(crate) struct Producing {
    writer: Mutex<Writer>,
    input: SchemaRef,
    cancelled: AtomicBool,
}

pub(crate) static WRITERS: Table<Producing> = Table::new();

/// Open writers now.
pub(crate) fn open_count() -> usize {
    WRITERS.count()
}

/// Opens a writer; `settings` are a client's in JSON, `layout` is a [`Layout`] in JSON, `input` the batches' columns in DDL.
pub(crate) fn open(settings: &str, layout: &str, input: &str) -> Result<Handle, BridgeError> {
    let writer = Writer::open(&client(settings)?, parsed(layout)?)?;
    let input = schema_of(input)?;
    Ok(WRITERS.open(Producing { writer: Mutex::new(writer), input, cancelled: AtomicBool::new(false) }))
}

/// Asks the brokers for a topic; gives its number of partitions.
pub(crate) fn check(settings: &str, topic: &str, limit_millis: u64) -> Result<usize, BridgeError> {
    Ok(producer::check_topic(&client(settings)?, topic, Duration::from_millis(limit_millis))?)
}

/// The text may hold secrets: an error tells none of it.
fn client(settings: &str) -> Result<Settings, BridgeError> {
    serde_json::from_str(settings).map(Settings::new).map_err(|_| internal("settings of a client that are none"))
}

fn parsed(layout: &str) -> Result<Layout, BridgeError> {
    serde_json::from_str(layout).map_err(|e| internal(format!("a layout that is none: {e}")))
}

impl Producing {
    /// Hands the rows of the batch at `input` to the producer.
    ///
    /// # Safety
    /// Those of [`ffi::import`].
    pub(crate) unsafe fn send(&self, input: i64) -> Result<(), BridgeError> {
        // SAFETY: by contract of this function.
        let batch = unsafe { ffi::import(input, &self.input) }?;
        let mut writer = match self.writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::WouldBlock) => return Err(BridgeError::Busy),
            Err(TryLockError::Poisoned(_)) => return Err(internal("the writer panicked in an earlier batch")),
        };
        Ok(writer.send(&batch, &self.cancelled)?)
    }

    /// Waits for the acknowledgements; gives rows and bytes written since it was opened.
    pub(crate) fn flush(&self) -> Result<[i64; 2], BridgeError> {
        let written = self.writer.lock().unwrap_or_else(PoisonError::into_inner).flush(&self.cancelled)?;
        Ok([written.rows as i64, written.bytes as i64])
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

/// A session that gives each row's JSON in one binary column called `value`.
pub(crate) fn json(layout: &str, input: &str) -> Result<Session, BridgeError> {
    let layout = parsed(layout)?;
    let output: SchemaRef = Arc::new(Schema::new(vec![Field::new("value", DataType::Binary, true)]));
    let work = JsonWork { encoder: RowEncoder::new(layout.members, layout.skip_nulls), output: Arc::clone(&output) };
    Ok(Session::new(Box::new(work), schema_of(input)?, output, Arc::default()))
}

struct JsonWork {
    encoder: RowEncoder,
    output: SchemaRef,
}

impl Work for JsonWork {
    fn run(&mut self, batch: RecordBatch) -> Result<RecordBatch, StageError> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        self.encoder.encode(&batch, &mut bytes, &mut ends).map_err(|e| StageError::internal("json", e.to_string()))?;
        let mut offsets = vec![0_i32];
        for end in ends {
            let end = i32::try_from(end).map_err(|_| StageError::internal("json", "a batch of more than 2 GiB"))?;
            offsets.push(end);
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let column = BinaryArray::try_new(offsets, Buffer::from_vec(bytes), None)?;
        Ok(RecordBatch::try_new(Arc::clone(&self.output), vec![Arc::new(column)])?)
    }

    fn times(&self) -> StageTimes {
        StageTimes::default()
    }
}
