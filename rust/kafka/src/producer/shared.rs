//! The producers of this process, one for each set of settings, and the thread that hears their acknowledgements.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, Producer, ProducerContext, ThreadedProducer};

use super::tally::Tally;
use super::{ProduceError, Settings};
use crate::context::Events;

/// A producer that no task has used for so long is closed when the next task comes.
const IDLE: Duration = Duration::from_secs(600);
/// How long a topic that the broker does not know may still be on its way there.
const SETTLING: Duration = Duration::from_secs(3);
/// Metadata is asked for in steps, so that a refused password is seen at once.
const STEP: Duration = Duration::from_millis(500);

/// Hears acknowledgements for the tallies, and what else librdkafka has to say.
pub(super) struct Context {
    events: Events,
}

impl Context {
    /// What the brokers say against who we are, if that is the trouble.
    fn refusal(&self) -> Option<String> {
        self.events.refused()
    }

    /// ` (last error: …)`, or nothing.
    fn complaint(&self) -> String {
        let last = self.events.last_error();
        if last.is_empty() { last } else { format!(" (last error: {last})") }
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.events.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.events.error(error, reason);
    }

    fn generate_oauth_token(&self, config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.events.generate_oauth_token(config)
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Arc<Tally>;

    fn delivery(&self, result: &DeliveryResult<'_>, tally: Arc<Tally>) {
        match result {
            Ok(_) => tally.delivered(),
            Err((error, record)) => {
                let place = match record.partition() {
                    ..0 => format!("topic {}", record.topic()),
                    partition => format!("topic {}, partition {partition}", record.topic()),
                };
                let code = error.rdkafka_error_code();
                let mut reason = code.map_or_else(|| error.to_string(), |code| code.to_string());
                if code == Some(RDKafkaErrorCode::MessageTimedOut) {
                    reason += &self.complaint();
                }
                tally.failed(place, reason, advice(code));
            }
        }
    }
}

/// What to do about a record that was refused.
pub(super) fn advice(code: Option<RDKafkaErrorCode>) -> &'static str {
    match code {
        Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
            "UNKNOWN_TOPIC: create the topic, or correct the option or column topic"
        }
        Some(RDKafkaErrorCode::UnknownPartition) => "The column partition names a partition that the topic lacks",
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
            "Raise kafka.max.request.size here and max.message.bytes of the topic"
        }
        Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed) => {
            "Give the principal the right to write (and, on older brokers, IdempotentWrite on the cluster)"
        }
        _ => "Look at the brokers; the task may be repeated, which writes its rows again",
    }
}

/// One producer; closed when the last task has let go of it and the table has forgotten it.
pub(super) type SharedProducer = Arc<ThreadedProducer<Context>>;

struct Entry {
    producer: SharedProducer,
    used: Instant,
}

static PRODUCERS: LazyLock<Mutex<HashMap<Settings, Entry>>> = LazyLock::new(Mutex::default);

/// The producer for these settings: the one that is there, unless it has failed for good.
pub(super) fn producer(settings: &Settings) -> Result<SharedProducer, ProduceError> {
    let mut forgotten = Vec::new();
    let mut table = PRODUCERS.lock().unwrap_or_else(PoisonError::into_inner);
    table.retain(|_, entry| {
        let keep = entry.producer.client().fatal_error().is_none()
            && (entry.used.elapsed() < IDLE || Arc::strong_count(&entry.producer) > 1);
        if !keep {
            forgotten.push(Arc::clone(&entry.producer));
        }
        keep
    });
    let found = match table.get_mut(settings) {
        Some(entry) => {
            entry.used = Instant::now();
            Ok(Arc::clone(&entry.producer))
        }
        None => settings
            .client_config()
            .create_with_context(Context { events: Events::new(settings.client()) })
            .map(|producer: ThreadedProducer<Context>| {
                let producer = Arc::new(producer);
                table.insert(settings.clone(), Entry { producer: Arc::clone(&producer), used: Instant::now() });
                producer
            })
            .map_err(|error| refused_setting(&error)),
    };
    drop(table);
    // Closing a producer takes a moment: not under the lock.
    drop(forgotten);
    found
}

/// Names the setting and the reason, never its value: it could be a password.
fn refused_setting(error: &KafkaError) -> ProduceError {
    ProduceError::Setting(match error {
        KafkaError::ClientConfig(_, reason, name, value) => {
            let reason = if value.is_empty() { reason.clone() } else { reason.replace(value.as_str(), "*****") };
            format!("librdkafka refuses the setting {name}: {reason}. Correct or remove the option kafka.{name}")
        }
        other => format!("librdkafka refuses the settings: {other}. Check the options kafka.*"),
    })
}

/// Asks the brokers for a topic, for at most `limit`; gives its number of partitions.
pub fn check_topic(settings: &Settings, topic: &str, limit: Duration) -> Result<usize, ProduceError> {
    let producer = producer(settings)?;
    let client = producer.client();
    let started = Instant::now();
    loop {
        let step = STEP.min(limit.saturating_sub(started.elapsed()));
        if let Ok(metadata) = client.fetch_metadata(Some(topic), step)
            && let Some(found) = metadata.topics().first()
        {
            let unknown = match found.error() {
                None => return Ok(found.partitions().len()),
                Some(error) => RDKafkaErrorCode::from(error) == RDKafkaErrorCode::UnknownTopicOrPartition,
            };
            if unknown && started.elapsed() > SETTLING {
                let servers = settings.servers().to_owned();
                return Err(ProduceError::UnknownTopic { topic: topic.to_owned(), servers });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        if let Some(reason) = client.context().refusal() {
            return Err(ProduceError::Authentication { servers: settings.servers().to_owned(), reason });
        }
        if started.elapsed() >= limit {
            return Err(ProduceError::Unreachable {
                servers: settings.servers().to_owned(),
                seconds: limit.as_secs(),
                reason: client.context().complaint(),
            });
        }
    }
}
