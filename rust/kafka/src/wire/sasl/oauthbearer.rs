//! OAUTHBEARER: a token from a token endpoint, which the cluster trusts (RFC 7628, as Kafka speaks it).
//!
//! All connections of a consumer share a token for most of its life.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Answer, Say, refuse_others, wrong};
use crate::error::KafkaFault;
use crate::oauth;
use crate::settings::{ClientSettings, OauthSettings, Secret};
use crate::wire::WireError;

/// The share of a token's life after which a new connection gets a new one, as in librdkafka.
const RENEWED_AFTER: f64 = 0.8;
/// Most characters of what a broker says about a token.
const MOST_SAID: usize = 300;
/// The client's last word, after a broker has said what is wrong with its token (RFC 7628, section 3.2.3).
const UNDERSTOOD: &[u8] = b"\x01";

/// Where tokens come from, and the last one that came.
#[derive(Debug)]
pub(crate) struct Tokens {
    endpoint: OauthSettings,
    /// Whose certificates the endpoint may have; the system's authorities if it is not said.
    authorities: Option<Secret>,
    held: Mutex<Option<Held>>,
}

#[derive(Debug, Clone)]
struct Held {
    token: Secret,
    renewed: Instant,
    ends: Instant,
}

impl Tokens {
    pub(super) fn of(settings: &ClientSettings) -> Result<Self, KafkaFault> {
        const ENDPOINT: &str = "sasl.oauthbearer.token.endpoint.url";
        let Some(endpoint) = &settings.oauth else {
            return Err(wrong(ENDPOINT, "it is missing: OAUTHBEARER gets tokens there"));
        };
        refuse_others(settings, "https.", |_| false)?;
        refuse_others(settings, "enable.sasl.oauthbearer.", |name| settings.get(name) == Some("false"))?;
        let authorities = settings.properties.get("ssl.ca.pem").cloned();
        Ok(Self { endpoint: endpoint.clone(), authorities, held: Mutex::default() })
    }

    /// A refused token is not used again. Was it an old one, then a new one may be taken: the next connection tries.
    pub(super) fn speak(&self, say: &mut Say<'_>) -> Result<Answer, WireError> {
        let (token, is_new) = self.token()?;
        match show(&token, say) {
            Err(WireError::Refused(reason)) => {
                self.forget(&token);
                let place = oauth::shown(&self.endpoint.token_endpoint);
                let reason = format!("{reason}; the token came from {place}");
                Err(if is_new { WireError::Refused(reason) } else { WireError::Io(std::io::Error::other(reason)) })
            }
            outcome => outcome,
        }
    }

    /// A token, and whether it has just come. The others wait meanwhile: they want the same one.
    fn token(&self) -> Result<(Secret, bool), WireError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(held) = &*held
            && now < held.renewed
        {
            return Ok((held.token.clone(), false));
        }
        match oauth::token(&self.endpoint, self.authorities.as_ref()) {
            Ok(given) => {
                let life = left(given.lifetime_ms);
                let token = Secret::new(given.token);
                *held =
                    Some(Held { token: token.clone(), renewed: now + life.mul_f64(RENEWED_AFTER), ends: now + life });
                Ok((token, true))
            }
            // An endpoint that is away for a moment harms nobody whose token still lives.
            Err(reason) => match &*held {
                Some(held) if now < held.ends => Ok((held.token.clone(), false)),
                _ => Err(WireError::Refused(reason)),
            },
        }
    }

    fn forget(&self, token: &Secret) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| held.token == *token) {
            *held = None;
        }
    }
}

/// How long it is until a time in milliseconds since 1970, but no longer than a day: an endpoint may say anything.
fn left(until_ms: i64) -> Duration {
    const LONGEST: Duration = Duration::from_secs(24 * 3600);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let until = Duration::from_millis(u64::try_from(until_ms).unwrap_or(0));
    until.saturating_sub(now).min(LONGEST)
}

fn show(token: &Secret, say: &mut Say<'_>) -> Result<Answer, WireError> {
    let answer = say(&message(token))?;
    if answer.bytes.is_empty() {
        return Ok(answer);
    }
    let status: String = String::from_utf8_lossy(&answer.bytes).chars().take(MOST_SAID).collect();
    match say(UNDERSTOOD) {
        Err(WireError::Refused(reason)) => Err(WireError::Refused(format!("{reason} ({status})"))),
        Err(other) => Err(other),
        Ok(_) => Err(WireError::Refused(format!("the broker does not take the token ({status})"))),
    }
}

/// `n,,` for no channel binding and nobody but ourselves, then pairs, each ended by a byte 1, and one more at the end.
fn message(token: &Secret) -> Vec<u8> {
    format!("n,,\x01auth=Bearer {}\x01\x01", token.reveal()).into_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Tokens of an endpoint that nobody runs, with one that came a while ago.
    fn tokens(renewed_in: Duration, ends_in: Duration) -> Tokens {
        let endpoint = OauthSettings {
            // Port 1 is nobody's.
            token_endpoint: "http://127.0.0.1:1/token".to_owned(),
            client_id: "me".to_owned(),
            client_secret: Secret::new("canary-secret"),
            scope: String::new(),
        };
        let now = Instant::now();
        let held = Held { token: Secret::new("canary-token"), renewed: now + renewed_in, ends: now + ends_in };
        Tokens { endpoint, authorities: None, held: Mutex::new(Some(held)) }
    }

    fn answer(bytes: &[u8]) -> Answer {
        Answer { bytes: bytes.to_vec(), session: None }
    }

    const LATER: Duration = Duration::from_secs(600);

    #[test]
    fn the_message_is_as_in_the_rfc() {
        assert_eq!(message(&Secret::new("abc.def")), b"n,,\x01auth=Bearer abc.def\x01\x01");
    }

    #[test]
    fn a_token_is_shown_and_kept() {
        let tokens = tokens(LATER, LATER);
        for _ in 0..2 {
            let mut sent = Vec::new();
            let outcome = tokens.speak(&mut |message: &[u8]| {
                sent.push(message.to_vec());
                Ok(answer(b""))
            });
            outcome.unwrap();
            assert_eq!(sent, [b"n,,\x01auth=Bearer canary-token\x01\x01".to_vec()]);
        }
        assert!(!format!("{tokens:?}").contains("canary"), "{tokens:?}");
    }

    #[test]
    fn a_refused_token_is_acknowledged_and_forgotten() {
        let tokens = tokens(LATER, LATER);
        let mut sent = Vec::new();
        let error = tokens
            .speak(&mut |message: &[u8]| {
                sent.push(message.to_vec());
                match sent.len() {
                    1 => Ok(answer(br#"{"status":"invalid_token"}"#)),
                    _ => Err(WireError::Refused("SASL_AUTHENTICATION_FAILED: no".to_owned())),
                }
            })
            .unwrap_err();
        assert_eq!(sent[1], b"\x01");
        // It was an old token: another connection may get in with a new one.
        assert!(matches!(error, WireError::Io(_)), "{error:?}");
        for words in ["SASL_AUTHENTICATION_FAILED: no", "invalid_token", "http://127.0.0.1:1/token"] {
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(!error.to_string().contains("canary"), "{error}");
        assert!(tokens.held.lock().unwrap().is_none());
    }

    #[test]
    fn an_endpoint_that_is_away_is_told_only_when_the_token_has_ended() {
        let tokens_to_renew = tokens(Duration::ZERO, LATER);
        tokens_to_renew.speak(&mut |_: &[u8]| Ok(answer(b""))).unwrap();
        let ended = tokens(Duration::ZERO, Duration::ZERO);
        let error = ended.speak(&mut |_: &[u8]| Ok(answer(b""))).unwrap_err();
        assert!(matches!(error, WireError::Refused(_)), "{error:?}");
        assert!(error.to_string().contains("http://127.0.0.1:1/token"), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }

    #[test]
    fn lives_are_bounded() {
        assert_eq!(left(i64::MAX), Duration::from_secs(24 * 3600));
        assert_eq!((left(0), left(-1)), (Duration::ZERO, Duration::ZERO));
    }
}
