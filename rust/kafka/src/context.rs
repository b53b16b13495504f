//! What librdkafka tells on its own: log lines, errors, and its wish for a new token.

use std::error::Error;
use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

use crate::error::is_authentication;
use crate::oauth;
use crate::settings::{ClientSettings, OauthSettings, Secret};

/// Where librdkafka's log lines go.
const LOG_TARGET: &str = "firesteel::librdkafka";

/// The context of every client of ours.
#[derive(Debug)]
pub(crate) struct Events {
    oauth: Option<OauthSettings>,
    authorities: Option<Secret>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    last_error: String,
    refused: Option<String>,
}

impl Events {
    pub(crate) fn new(settings: &ClientSettings) -> Self {
        let authorities = settings.properties.get("ssl.ca.pem").cloned();
        Self { oauth: settings.oauth.clone(), authorities, seen: Mutex::default() }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// librdkafka's last words about what does not work; empty if all is well.
    pub(crate) fn last_error(&self) -> String {
        self.seen().last_error.clone()
    }

    /// Why the cluster refused our credentials, if it did.
    pub(crate) fn refused(&self) -> Option<String> {
        self.seen().refused.clone()
    }

    /// Something worked: what was wrong before is no longer.
    pub(crate) fn all_is_well(&self) {
        let mut seen = self.seen();
        seen.last_error.clear();
        seen.refused = None;
    }
}

impl ClientContext for Events {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // A broker that goes away is told by the reader when it matters, with topic, partition and offset.
        let level = match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => log::Level::Error,
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => log::Level::Warn,
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => log::Level::Info,
            RDKafkaLogLevel::Debug => log::Level::Debug,
        };
        log::log!(target: LOG_TARGET, level, "{facility}: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        log::info!(target: LOG_TARGET, "{error}: {reason}");
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        if code == RDKafkaErrorCode::PartitionEOF {
            return;
        }
        let mut seen = self.seen();
        if is_authentication(code) {
            seen.refused = Some(reason.to_owned());
        }
        // "All brokers are down" says less than what brought them down.
        if seen.last_error.is_empty() || code != RDKafkaErrorCode::AllBrokersDown {
            seen.last_error = reason.to_owned();
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let settings =
            self.oauth.as_ref().ok_or("no token endpoint is set: kafka.sasl.oauthbearer.token.endpoint.url")?;
        oauth::token(settings, self.authorities.as_ref()).map_err(|message| {
            let mut seen = self.seen();
            seen.refused = Some(message.clone());
            drop(seen);
            message.into()
        })
    }
}

impl ConsumerContext for Events {}
