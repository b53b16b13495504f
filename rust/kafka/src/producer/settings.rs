//! librdkafka's properties for one producer: what the user set over what suits a stream.

use std::time::Duration;

use rdkafka::ClientConfig;

use crate::settings::{ClientSettings, Secret};

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

/// A producer's settings; equal ones share a producer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settings(ClientSettings);

impl Settings {
    /// Adds the defaults to a client's settings.
    pub fn new(mut client: ClientSettings) -> Self {
        for (alias, name) in ALIASES {
            if let Some(value) = client.properties.remove(alias) {
                client.properties.insert(name.to_owned(), value);
            }
        }
        let default = |client: &mut ClientSettings, name: &str, value: &str| {
            client.properties.entry(name.to_owned()).or_insert_with(|| Secret::new(value));
        };
        if client.get("acks").is_some_and(|acks| !matches!(acks, "all" | "-1")) {
            default(&mut client, "enable.idempotence", "false");
        }
        for (name, value) in DEFAULTS {
            default(&mut client, name, value);
        }
        Self(client)
    }

    pub(super) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in &self.0.properties {
            config.set(name, value.reveal());
        }
        config
    }

    pub(super) fn client(&self) -> &ClientSettings {
        &self.0
    }

    pub(super) fn servers(&self) -> &str {
        self.0.servers()
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
        let properties = pairs.iter().map(|(n, v)| ((*n).to_owned(), Secret::new(*v))).collect();
        Settings::new(ClientSettings { properties, oauth: None })
    }

    fn value<'a>(settings: &'a Settings, name: &str) -> &'a str {
        settings.0.get(name).unwrap_or_default()
    }

    #[test]
    fn what_the_user_set_wins_also_under_another_name() {
        let set = settings(&[("queue.buffering.max.ms", "7"), ("message.timeout.ms", "9000")]);
        assert_eq!(value(&set, "linger.ms"), "7");
        assert_eq!(set.delivery_timeout(), Duration::from_secs(9));
        assert_eq!(value(&set, "enable.idempotence"), "true");
        assert_eq!(set, settings(&[("delivery.timeout.ms", "9000"), ("linger.ms", "7")]));
    }

    #[test]
    fn fewer_acknowledgements_mean_no_idempotence() {
        assert_eq!(value(&settings(&[("acks", "1")]), "enable.idempotence"), "false");
        assert_eq!(value(&settings(&[("acks", "all")]), "enable.idempotence"), "true");
    }
}
