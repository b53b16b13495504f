//! librdkafka's properties for one producer: what the user set over what suits a stream.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;

/// Defaults: order and no duplicates from the client's own retries, keys to partitions as Java has it, batches that
/// fill under load and wait 5 ms otherwise, 64 MiB of records in memory at most, Kafka's own two minutes for delivery.
const DEFAULTS: [(&str, &str); 8] = [
    ("enable.idempotence", "true"),
    ("partitioner", "murmur2_random"),
    ("linger.ms", "5"),
    ("batch.size", "1000000"),
    ("batch.num.messages", "100000"),
    ("queue.buffering.max.kbytes", "65536"),
    // Counted in bytes alone.
    ("queue.buffering.max.messages", "0"),
    ("delivery.timeout.ms", "120000"),
];

/// Other names of properties that have a default above.
const ALIASES: [(&str, &str); 3] = [
    ("queue.buffering.max.ms", "linger.ms"),
    ("message.timeout.ms", "delivery.timeout.ms"),
    // A wish for less than all acknowledgements rules out idempotence.
    ("request.required.acks", "acks"),
];

/// A producer's properties, ordered, so that equal ones are equal. Any may be a secret: only names are ever shown.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Settings(BTreeMap<String, String>);

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Settings {
    /// Adds the defaults to librdkafka properties.
    pub fn new(properties: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all: BTreeMap<String, String> = properties
            .into_iter()
            .map(|(name, value)| {
                let known = ALIASES.iter().find(|(alias, _)| *alias == name);
                (known.map_or(name, |(_, other)| (*other).to_owned()), value)
            })
            .collect();
        if all.get("acks").is_some_and(|acks| !matches!(acks.as_str(), "all" | "-1")) {
            all.entry("enable.idempotence".to_owned()).or_insert_with(|| "false".to_owned());
        }
        for (name, value) in DEFAULTS {
            all.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        Self(all)
    }

    pub(super) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.0 {
            config.set(name, value);
        }
        config
    }

    pub(super) fn servers(&self) -> &str {
        self.0.get("bootstrap.servers").or_else(|| self.0.get("metadata.broker.list")).map_or("", String::as_str)
    }

    /// After this long the client gives a record up.
    pub(super) fn delivery_timeout(&self) -> Duration {
        let millis = self.0.get("delivery.timeout.ms").and_then(|text| text.parse().ok()).unwrap_or(120_000);
        Duration::from_millis(millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        Settings::new(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn what_the_user_set_wins_also_under_another_name() {
        let set = settings(&[("queue.buffering.max.ms", "7"), ("message.timeout.ms", "9000")]);
        assert_eq!(set.0["linger.ms"], "7");
        assert_eq!(set.delivery_timeout(), Duration::from_secs(9));
        assert_eq!(set.0["enable.idempotence"], "true");
        assert_eq!(set, settings(&[("delivery.timeout.ms", "9000"), ("linger.ms", "7")]));
    }

    #[test]
    fn fewer_acknowledgements_mean_no_idempotence() {
        assert_eq!(settings(&[("acks", "1")]).0["enable.idempotence"], "false");
        assert_eq!(settings(&[("acks", "all")]).0["enable.idempotence"], "true");
    }
}
