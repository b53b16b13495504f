//! How a consumer fetches, from a client's settings in librdkafka's names.

use std::time::Duration;

use crate::error::KafkaFault;
use crate::settings::ClientSettings;

use super::security::{Security, wrong};

/// Bytes of one partition in one answer, unless settings say otherwise; a larger batch comes alone, whole.
const PARTITION_BYTES: i32 = 1 << 20;
/// Kafka's port, where a bootstrap server is named without one.
const PORT: u16 = 9092;

/// How a consumer fetches.
#[derive(Debug)]
pub(crate) struct FetchOptions {
    /// Host and port of the bootstrap servers.
    pub(crate) bootstrap: Vec<(String, u16)>,
    pub(crate) client_id: String,
    pub(crate) rack: String,
    pub(crate) security: Security,
    pub(crate) read_committed: bool,
    /// Whether batches whose checksum is wrong are refused.
    pub(crate) check: bool,
    /// How long a broker holds a question that it has no records for, in milliseconds.
    pub(crate) max_wait_ms: i32,
    pub(crate) min_bytes: i32,
    /// Most bytes in one answer.
    pub(crate) max_bytes: i32,
    pub(crate) partition_bytes: i32,
    /// How long a broker may take to answer, beyond `max_wait_ms`.
    pub(crate) patience: Duration,
    pub(crate) connect_patience: Duration,
    /// Between two tries to connect: at first, at most.
    pub(crate) backoff: (Duration, Duration),
    /// Bytes fetched ahead, as they come, for all partitions together.
    pub(crate) ahead_bytes: usize,
}

impl FetchOptions {
    /// # Errors
    /// A setting that can't be read or honoured, by name.
    pub(crate) fn of(settings: &ClientSettings, ahead_bytes: usize) -> Result<Self, KafkaFault> {
        let number = |names: &[&str], default: i32| number(settings, names, default);
        let millis = |names: &[&str], default: i32| {
            Ok::<_, KafkaFault>(Duration::from_millis(number(names, default)?.max(0) as u64))
        };
        // An answer is in memory as a whole until its last partition is read.
        let most = i32::try_from((ahead_bytes / 2).clamp(1 << 20, 50 << 20)).unwrap_or(50 << 20);
        Ok(Self {
            bootstrap: addresses(settings)?,
            client_id: settings.get("client.id").unwrap_or("firesteel").to_owned(),
            rack: settings.get("client.rack").unwrap_or_default().to_owned(),
            security: Security::of(settings)?,
            read_committed: settings.get("isolation.level") == Some("read_committed"),
            check: settings.get("check.crcs") != Some("false"),
            max_wait_ms: number(&["fetch.wait.max.ms", "fetch.max.wait.ms"], 500)?.max(0),
            min_bytes: number(&["fetch.min.bytes"], 1)?.max(0),
            max_bytes: number(&["fetch.max.bytes"], most)?.max(1),
            partition_bytes: number(&["fetch.message.max.bytes", "max.partition.fetch.bytes"], PARTITION_BYTES)?.max(1),
            patience: millis(&["socket.timeout.ms"], 60_000)?,
            connect_patience: millis(&["socket.connection.setup.timeout.ms"], 30_000)?,
            backoff: (millis(&["reconnect.backoff.ms"], 50)?, millis(&["reconnect.backoff.max.ms"], 2000)?),
            ahead_bytes,
        })
    }
}

/// A number by any of a setting's names.
fn number(settings: &ClientSettings, names: &[&str], default: i32) -> Result<i32, KafkaFault> {
    for name in names {
        if let Some(text) = settings.get(name) {
            return text.trim().parse().map_err(|_| wrong(name, format!("{text} is no whole number")));
        }
    }
    Ok(default)
}

/// `host:port`, with brackets around an address of IPv6, after a protocol's name that librdkafka allows.
fn addresses(settings: &ClientSettings) -> Result<Vec<(String, u16)>, KafkaFault> {
    let no_server = |server: &str| {
        let message = format!("{server} is no server. Write host:port, several with commas between them");
        wrong("bootstrap.servers", message)
    };
    let mut found = Vec::new();
    for server in settings.servers().split(',').map(str::trim).filter(|server| !server.is_empty()) {
        let place = server.rsplit_once("://").map_or(server, |(_, place)| place);
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().map_err(|_| no_server(server))?)
            }
            _ => (place, PORT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(no_server(server));
        }
        found.push((host.to_owned(), port));
    }
    if found.is_empty() { Err(no_server(settings.servers())) } else { Ok(found) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::settings::Secret;

    fn servers(text: &str) -> Result<Vec<(String, u16)>, KafkaFault> {
        let properties = [("bootstrap.servers".to_owned(), Secret::new(text))].into();
        addresses(&ClientSettings { properties, oauth: None })
    }

    #[test]
    fn servers_with_and_without_ports() {
        let all = servers("a:1, b ,[::1]:3,::2,SASL_SSL://c:4,[::5]").unwrap();
        let expected = [("a", 1), ("b", 9092), ("::1", 3), ("::2", 9092), ("c", 4), ("::5", 9092)];
        assert_eq!(all, expected.map(|(host, port)| (host.to_owned(), port)));
    }

    #[test]
    fn what_is_no_server_is_named() {
        for text in ["a:x", ":9092", "", " , "] {
            let error = servers(text).unwrap_err().to_string();
            assert!(error.contains("kafka.bootstrap.servers"), "{error}");
        }
    }
}
