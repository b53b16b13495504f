//! Records to a Kafka topic, through librdkafka.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    config::ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseProducer, BaseRecord, Producer, ProducerContext},
};

use super::output::{Compression, OutputArgs, Record, Sink};
use crate::error::CliError;

/// How long to wait for the broker's answer to an administrative request.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two looks at the metadata of a new topic.
const METADATA_PAUSE: Duration = Duration::from_millis(100);
/// How long the last records may take to be acknowledged.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(120);
/// Delivery reports are collected every so many records.
const POLL_EVERY: u64 = 512;
/// Partitions of a topic created without `--partitions`.
const DEFAULT_PARTITIONS: i32 = 4;

/// A producer that counts the reports of its records: a lost record fails the run.
pub(crate) struct KafkaSink {
    producer: BaseProducer<Reports>,
    reports: Arc<Counts>,
    topic: String,
    sent: u64,
}

#[derive(Default)]
struct Counts {
    delivered: AtomicU64,
    failed: AtomicU64,
    first_failure: Mutex<Option<String>>,
}

struct Reports(Arc<Counts>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.0.delivered.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                self.0.failed.fetch_add(1, Ordering::Relaxed);
                if let Ok(mut first) = self.0.first_failure.lock() {
                    first.get_or_insert_with(|| error.to_string());
                }
            }
        }
    }
}

impl KafkaSink {
    /// Connects, and creates the topic if it is missing.
    pub(crate) fn connect(topic: &str, bootstrap: &str, args: &OutputArgs) -> Result<Self, CliError> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap);
        make_topic(&config, topic, args)?;
        let linger = args.linger_ms.unwrap_or(if args.rate.is_some() { 1 } else { 20 });
        config
            .set("acks", &args.acks)
            .set("compression.type", compression_name(args.compression))
            .set("linger.ms", linger.to_string())
            .set("batch.size", "262144")
            .set("queue.buffering.max.messages", "400000")
            .set("queue.buffering.max.kbytes", "262144")
            // The key decides the partition as in the Java client.
            .set("partitioner", "murmur2_random");
        if args.acks == "all" {
            config.set("enable.idempotence", "true");
        }
        for (key, value) in &args.producer {
            config.set(key, value);
        }
        let reports = Arc::new(Counts::default());
        let producer = config.create_with_context(Reports(Arc::clone(&reports))).map_err(kafka)?;
        Ok(Self { producer, reports, topic: topic.to_owned(), sent: 0 })
    }

    fn check(&self) -> Result<(), CliError> {
        let failed = self.reports.failed.load(Ordering::Relaxed);
        if failed == 0 {
            return Ok(());
        }
        let first = self.reports.first_failure.lock().ok().and_then(|first| first.clone()).unwrap_or_default();
        Err(CliError::Kafka(format!("{failed} records were not written to topic {}: {first}", self.topic)))
    }
}

impl Sink for KafkaSink {
    fn write(&mut self, record: Record<'_>) -> Result<(), CliError> {
        let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.topic);
        message.key = record.key;
        message.payload = record.value;
        message.partition = record.partition;
        loop {
            match self.producer.send(message) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    message = back;
                    self.producer.poll(Duration::from_millis(10));
                    self.check()?;
                }
                Err((error, _)) => return Err(kafka(error)),
            }
        }
        self.sent += 1;
        if self.sent.is_multiple_of(POLL_EVERY) {
            self.producer.poll(Duration::ZERO);
            self.check()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), CliError> {
        let flushed = self.producer.flush(FLUSH_TIMEOUT);
        self.check()?;
        flushed.map_err(kafka)?;
        let delivered = self.reports.delivered.load(Ordering::Relaxed);
        if delivered != self.sent {
            return Err(CliError::Kafka(format!("{} records sent, {delivered} acknowledged", self.sent)));
        }
        Ok(())
    }
}

/// Creates the topic, or checks that the existing one has the partitions asked for.
fn make_topic(config: &ClientConfig, topic: &str, args: &OutputArgs) -> Result<(), CliError> {
    let admin: AdminClient<DefaultClientContext> = config.create().map_err(kafka)?;
    let partitions = args.partitions.unwrap_or(DEFAULT_PARTITIONS);
    let wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(args.replication));
    let options = AdminOptions::new().request_timeout(Some(ADMIN_TIMEOUT)).operation_timeout(Some(ADMIN_TIMEOUT));
    let results = futures_executor::block_on(admin.create_topics([&wanted], &options)).map_err(kafka)?;
    match results.into_iter().next() {
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {}
        Some(Err((name, code))) => return Err(CliError::Kafka(format!("topic {name} was not created: {code}"))),
        Some(Ok(_)) | None => return Ok(()),
    }
    let existing = partitions_of(&admin, topic)?;
    match args.partitions {
        Some(asked) if usize::try_from(asked) != Ok(existing) => Err(CliError::Usage(format!(
            "topic {topic} exists with {existing} partitions, not {asked}: leave --partitions out or take another topic"
        ))),
        _ => Ok(()),
    }
}

/// How many partitions an existing topic has. A broker knows a topic that was made a moment ago before it knows its
/// partitions, so none is no answer yet.
fn partitions_of(admin: &AdminClient<DefaultClientContext>, topic: &str) -> Result<usize, CliError> {
    let deadline = Instant::now() + ADMIN_TIMEOUT;
    loop {
        let metadata = admin.inner().fetch_metadata(Some(topic), ADMIN_TIMEOUT).map_err(kafka)?;
        let partitions = metadata.topics().first().map_or(0, |found| found.partitions().len());
        if partitions > 0 || Instant::now() >= deadline {
            return Ok(partitions);
        }
        std::thread::sleep(METADATA_PAUSE);
    }
}

fn compression_name(compression: Compression) -> &'static str {
    match compression {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    }
}

fn kafka(error: KafkaError) -> CliError {
    CliError::Kafka(error.to_string())
}
