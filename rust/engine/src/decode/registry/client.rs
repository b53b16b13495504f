//! One question over HTTP: tried again while there is time, answered by JSON, by "not there", or by an error.

use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use super::{Login, RegistryError, RegistryOptions};
use crate::error::SpecError;

/// Longest time for one try, so that a lost connection leaves time for another.
const ONE_TRY: Duration = Duration::from_secs(10);

/// Pause before the second try; doubled before each further one, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Error codes of the API that mean "there is no such thing": subject, version, schema.
const NOT_THERE: [u64; 3] = [40_401, 40_402, 40_403];

/// Longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 16 << 20;

/// What the registry said.
#[derive(Debug)]
pub(super) enum Answer {
    /// The answer's JSON.
    Found(Value),
    /// There is no such schema or subject.
    NotThere,
}

/// Asks one registry.
#[derive(Debug)]
pub(super) struct Client {
    options: RegistryOptions,
    agent: Agent,
}

/// Why one try failed.
enum Failure {
    /// Another try may do better.
    Passing(String),
    /// It will not.
    Lasting(RegistryError),
}

impl Client {
    pub(super) fn new(options: RegistryOptions) -> Result<Self, SpecError> {
        let secret = match &options.login {
            Login::None => None,
            Login::Basic { password, .. } => Some(("input.avro.registry.password", password)),
            Login::Bearer(token) => Some(("input.avro.registry.bearer_token", token)),
        };
        if let Some((path, secret)) = secret {
            secret.resolve().map_err(|message| {
                SpecError::new("MISSING_SECRET", path, message)
                    .with_hint("set it on the driver and, on a cluster, on every executor")
            })?;
        }
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier).build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(3)
            .user_agent(concat!("firesteel/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .new_agent();
        Ok(Self { options, agent })
    }

    pub(super) fn url(&self) -> &str {
        &self.options.url
    }

    /// Asks for `path` until there is an answer or the time is over.
    pub(super) fn get(&self, path: &str) -> Result<Answer, RegistryError> {
        let url = format!("{}/{path}", self.options.url.trim_end_matches('/'));
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut tries = 0;
        loop {
            tries += 1;
            let left = self.options.timeout.saturating_sub(start.elapsed());
            let failure = match self.ask(&url, left.min(ONE_TRY)) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Lasting(error)) => return Err(error),
                Err(Failure::Passing(failure)) => failure,
            };
            if start.elapsed() + pause >= self.options.timeout {
                let seconds = self.options.timeout.as_secs();
                return Err(RegistryError::Unreachable(format!(
                    "{url} gave no answer within {seconds} s ({tries} tries): {failure}. Check the address and that \
                     every executor reaches it; input.avro.registry.timeout_s sets the time"
                )));
            }
            log::warn!("{url}: {failure}; trying again");
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn ask(&self, url: &str, timeout: Duration) -> Result<Answer, Failure> {
        let mut request = self
            .agent
            .get(url)
            .header("Accept", "application/vnd.schemaregistry.v1+json, application/json")
            .config()
            .timeout_global(Some(timeout))
            .build();
        if let Some(login) =
            self.authorization().map_err(|message| Failure::Lasting(RegistryError::Refused(message)))?
        {
            request = request.header("Authorization", login);
        }
        let mut response = request.call().map_err(|error| Failure::Passing(error.to_string()))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        let body = body.map_err(|error| Failure::Passing(error.to_string()))?;
        let json: Option<Value> = serde_json::from_slice(&body).ok();
        match (status, json) {
            (200, Some(json)) => Ok(Answer::Found(json)),
            (404, Some(json)) if code_of(&json).is_some_and(|code| NOT_THERE.contains(&code)) => Ok(Answer::NotThere),
            (401 | 403, _) => Err(Failure::Lasting(RegistryError::Refused(format!(
                "{url} refused us with status {status}. Check username and password, or the token, of \
                 input.avro.registry, and that they may read"
            )))),
            (408 | 425 | 429 | 500..=599, _) => Err(Failure::Passing(format!("status {status}"))),
            (status, _) => Err(Failure::Lasting(RegistryError::Answer(format!(
                "{url} answered with status {status} and nothing that a schema registry says; is input.avro.registry.url \
                 right?"
            )))),
        }
    }

    /// The header that says who we are. Read anew for each try, so that a changed secret is taken up.
    fn authorization(&self) -> Result<Option<String>, String> {
        Ok(match &self.options.login {
            Login::None => None,
            Login::Basic { username, password } => {
                let pair = format!("{username}:{}", password.resolve()?.reveal());
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
            Login::Bearer(token) => Some(format!("Bearer {}", token.resolve()?.reveal())),
        })
    }
}

fn code_of(json: &Value) -> Option<u64> {
    json.get("error_code").and_then(Value::as_u64)
}

/// A subject as one segment of a path.
pub(super) fn escaped(segment: &str) -> String {
    let mut text = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn subjects_are_one_segment() {
        assert_eq!(super::escaped("pay/ments value-ü.1"), "pay%2Fments%20value-%C3%BC.1");
    }
}
