//! One librdkafka client, and the thread that hears what it says.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

use crate::context::Events;
use crate::error::KafkaFault;
use crate::settings::ClientSettings;

/// How long the events' thread waits for the next one; also how long a client takes to close.
const EVENT_WAIT: Duration = Duration::from_millis(100);

/// A client without a consumer group. Log lines, errors, statistics and token requests are served by a thread of its
/// own, so that they are heard while others wait for an answer or nobody asks for anything.
pub struct Client {
    consumer: Arc<BaseConsumer<Events>>,
    servers: String,
    stop: Arc<AtomicBool>,
    events: Option<JoinHandle<()>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("servers", &self.servers).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of `settings`; `defaults` hold where they say nothing. Connects in the background.
    ///
    /// # Errors
    /// A setting that librdkafka refuses, by name.
    pub fn connect(settings: &ClientSettings, defaults: &[(&str, String)]) -> Result<Self, KafkaFault> {
        let mut config = ClientConfig::new();
        config.set_log_level(log_level());
        for (name, value) in defaults {
            config.set(*name, value);
        }
        for (name, value) in &settings.properties {
            config.set(name, value.reveal());
        }
        let consumer =
            BaseConsumer::from_config_and_context(&config, Events::new(settings)).map_err(|error| refused(&error))?;
        let consumer = Arc::new(consumer);
        let stop = Arc::new(AtomicBool::new(false));
        let events = {
            let (consumer, stop) = (Arc::clone(&consumer), Arc::clone(&stop));
            thread::Builder::new()
                .name("firesteel-kafka".to_owned())
                .spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        // No partition's records come here: each has its own queue. Errors reach the context.
                        let _ = consumer.poll(EVENT_WAIT);
                    }
                })
                .map_err(|error| KafkaFault::other("no thread for a Kafka client", error))?
        };
        Ok(Self { consumer, servers: settings.servers().to_owned(), stop, events: Some(events) })
    }

    /// The brokers, for messages.
    pub(crate) fn servers(&self) -> &str {
        &self.servers
    }

    pub(crate) fn consumer(&self) -> &BaseConsumer<Events> {
        &self.consumer
    }

    pub(crate) fn events(&self) -> &Events {
        self.consumer.client().context()
    }

    /// Asks until there is an answer. Ends early when the cluster refuses the credentials.
    pub(crate) fn ask<T>(
        &self,
        what: &str,
        patience: Duration,
        question: impl Fn(Duration) -> Result<T, KafkaError>,
    ) -> Result<T, KafkaFault> {
        /// One try's share, so that a refusal is noticed soon.
        const TRY: Duration = Duration::from_secs(2);
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match question(TRY.min(left)) {
                Ok(answer) => {
                    self.events().all_is_well();
                    return Ok(answer);
                }
                Err(error) => {
                    if let Some(reason) = self.events().refused() {
                        return Err(KafkaFault::Authentication { servers: self.servers.clone(), reason });
                    }
                    let code = error.rdkafka_error_code();
                    if code.is_some_and(crate::error::is_authorization) {
                        return Err(KafkaFault::NotAuthorized { what: what.to_owned(), reason: error.to_string() });
                    }
                    if Instant::now() >= end {
                        return Err(self.unanswered(what, patience, &error));
                    }
                    thread::sleep(EVENT_WAIT.min(left));
                }
            }
        }
    }

    fn unanswered(&self, what: &str, patience: Duration, error: &KafkaError) -> KafkaFault {
        use rdkafka::types::RDKafkaErrorCode as Code;
        let silent = [Code::OperationTimedOut, Code::BrokerTransportFailure, Code::AllBrokersDown, Code::Resolve];
        let reason = self.events().last_error();
        // A client that has not seen a broker for long forgets the partitions, too.
        let forgotten = [Code::UnknownPartition, Code::UnknownTopic];
        let is = |codes: &[Code]| error.rdkafka_error_code().is_some_and(|code| codes.contains(&code));
        if is(&silent) || (is(&forgotten) && !reason.is_empty()) {
            KafkaFault::Unreachable { servers: self.servers.clone(), seconds: patience.as_secs(), reason }
        } else {
            KafkaFault::other(what, error)
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(events) = self.events.take() {
            let _ = events.join();
        }
    }
}

/// librdkafka formats a line only if somebody would read it.
fn log_level() -> RDKafkaLogLevel {
    match log::max_level() {
        log::LevelFilter::Off => RDKafkaLogLevel::Emerg,
        log::LevelFilter::Error => RDKafkaLogLevel::Critical,
        log::LevelFilter::Warn => RDKafkaLogLevel::Warning,
        log::LevelFilter::Info => RDKafkaLogLevel::Info,
        log::LevelFilter::Debug | log::LevelFilter::Trace => RDKafkaLogLevel::Debug,
    }
}

fn refused(error: &KafkaError) -> KafkaFault {
    match error {
        // librdkafka's text repeats the value.
        KafkaError::ClientConfig(_, what, option, value) => {
            let message = if what.contains("No such configuration property") {
                let advice = nearest(option).map_or_else(
                    || {
                        "Settings are named as in Kafka's Java client, or as in librdkafka's CONFIGURATION.md"
                            .to_owned()
                    },
                    |near| format!("Did you mean kafka.{near}?"),
                );
                format!("there is no such setting. {advice}")
            } else if is_secret(option) {
                "the value is refused".to_owned()
            } else {
                format!("{value} is refused: {what}")
            };
            KafkaFault::WrongOption { option: option.clone(), message }
        }
        other => KafkaFault::other("the Kafka client could not be made", other),
    }
}

/// Whether a setting's value may be a secret, by its name.
fn is_secret(option: &str) -> bool {
    ["password", "secret", "pem", "jaas", "token", "username", "oauthbearer", "key"]
        .iter()
        .any(|word| option.contains(word))
}

/// Other names of settings, which librdkafka takes and does not list; Kafka's Java client has only these.
const ALIASES: [&str; 4] = ["bootstrap.servers", "max.partition.fetch.bytes", "sasl.mechanism", "fetch.max.wait.ms"];

/// The setting that a mistyped one most likely meant.
fn nearest(option: &str) -> Option<String> {
    let config = ClientConfig::new();
    let known = config.create_native_config().ok()?;
    let names = native_names(&known).into_iter().chain(ALIASES.map(str::to_owned));
    let (distance, name) = names.map(|name| (strsim::levenshtein(option, &name), name)).min()?;
    (distance <= (option.len() / 3).max(2)).then_some(name)
}

/// Names of all settings that librdkafka has.
fn native_names(config: &rdkafka::config::NativeClientConfig) -> Vec<String> {
    use rdkafka_sys as sys;
    let mut count = 0;
    // SAFETY: a live configuration; the dump is an array of `count` texts, names and values in turn, freed below.
    unsafe {
        let dump = sys::rd_kafka_conf_dump(config.ptr(), &raw mut count);
        let texts = std::slice::from_raw_parts(dump, count);
        let names = texts.iter().step_by(2).map(|&text| std::ffi::CStr::from_ptr(text).to_string_lossy().into_owned());
        let names = names.collect();
        sys::rd_kafka_conf_dump_free(dump, count);
        names
    }
}
