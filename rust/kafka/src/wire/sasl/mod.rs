//! SASL, in Kafka's requests: the name of a mechanism, then its messages in turn until both sides are content.
//!
//! What the cluster refuses is [`WireError::Refused`], with its words; waiting does not help against it. Passwords stay
//! in a [`Secret`] until a message is made of them. Source: Kafka's protocol guide, and the RFC of each mechanism.

mod oauthbearer;
mod plain;
mod scram;

use std::io;
use std::time::Duration;

use oauthbearer::Tokens;
use scram::Hash;

use super::WireError;
use super::codec::Reader;
use super::connection::Connection;
use super::security::{refuse_others, text, wrong};
use crate::error::KafkaFault;
use crate::settings::{ClientSettings, Secret};

/// SaslHandshake.
const HANDSHAKE: i16 = 17;
/// SaslAuthenticate.
const AUTHENTICATE: i16 = 36;
/// Of both, since Kafka 2.2: the first that tells how long a session lives.
const VERSION: i16 = 1;

const NONE: i16 = 0;
const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const ILLEGAL_SASL_STATE: i16 = 34;
const SASL_AUTHENTICATION_FAILED: i16 = 58;

/// How a client proves who it is.
#[derive(Debug)]
pub(crate) enum Sasl {
    /// RFC 4616: the password itself.
    Plain(Login),
    /// RFC 5802: that the password is known.
    Scram(Hash, Login),
    /// RFC 7628: a token of somebody whom the cluster trusts.
    OauthBearer(Tokens),
}

/// A user and a password.
#[derive(Debug)]
pub(crate) struct Login {
    user: Secret,
    password: Secret,
}

impl Login {
    fn of(settings: &ClientSettings) -> Result<Self, KafkaFault> {
        let required = |name: &str| match text(settings, name)? {
            Some(value) => Ok(Secret::new(value)),
            None => Err(wrong(name, "it is missing. It comes from kafka.sasl.jaas.config, unless it was set itself")),
        };
        Ok(Self { user: required("sasl.username")?, password: required("sasl.password")? })
    }
}

impl Sasl {
    pub(super) fn of(settings: &ClientSettings) -> Result<Self, KafkaFault> {
        const KNOWN: &str = "There are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER";
        let Some(name) = text(settings, "sasl.mechanism")?.or(text(settings, "sasl.mechanisms")?) else {
            return Err(wrong("sasl.mechanism", format!("it is missing. {KNOWN}")));
        };
        let sasl = match name.trim().to_ascii_uppercase().as_str() {
            "PLAIN" => Self::Plain(Login::of(settings)?),
            "SCRAM-SHA-256" => Self::Scram(Hash::Sha256, Login::of(settings)?),
            "SCRAM-SHA-512" => Self::Scram(Hash::Sha512, Login::of(settings)?),
            "OAUTHBEARER" => Self::OauthBearer(Tokens::of(settings)?),
            _ => {
                let message = format!("{name} is not built in. {KNOWN}; with another one, read with format(\"kafka\")");
                return Err(wrong("sasl.mechanism", message));
            }
        };
        // Settings of a mechanism that is not used mean nothing.
        let other = if matches!(sasl, Self::OauthBearer(_)) { "sasl.kerberos." } else { "sasl.oauthbearer." };
        refuse_others(settings, "sasl.", |name| {
            ["sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password"].contains(&name)
                || name.starts_with("sasl.kerberos.")
                || name.starts_with(other)
        })?;
        Ok(sasl)
    }

    /// As the protocol names it.
    fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain(_) => "PLAIN",
            Self::Scram(Hash::Sha256, _) => "SCRAM-SHA-256",
            Self::Scram(Hash::Sha512, _) => "SCRAM-SHA-512",
            Self::OauthBearer(_) => "OAUTHBEARER",
        }
    }
}

/// Proves to a broker who we are. Gives how long it takes that for, if not for ever: then it wants a new connection.
pub(crate) fn authenticate(connection: &mut Connection, sasl: &Sasl) -> Result<Option<Duration>, WireError> {
    let mechanism = sasl.mechanism();
    let answer = connection.ask(HANDSHAKE, VERSION, |request| {
        request.text(mechanism);
    })?;
    check_handshake(&answer, mechanism)?;
    let mut say = |message: &[u8]| {
        let answer = connection.ask(AUTHENTICATE, VERSION, |request| {
            request.bytes(message);
        })?;
        Answer::read(&answer)
    };
    let last = match sasl {
        Sasl::Plain(login) => plain::speak(login, &mut say)?,
        Sasl::Scram(hash, login) => scram::speak(*hash, login, &mut say)?,
        Sasl::OauthBearer(tokens) => tokens.speak(&mut say)?,
    };
    Ok(last.session)
}

/// Sends a message of a mechanism and gives the broker's answer.
type Say<'a> = dyn FnMut(&[u8]) -> Result<Answer, WireError> + 'a;

/// What a broker says to a message of a mechanism.
#[derive(Debug)]
struct Answer {
    bytes: Vec<u8>,
    /// How long the credentials are good for.
    session: Option<Duration>,
}

impl Answer {
    /// Reads an answer to SaslAuthenticate 1.
    fn read(answer: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(answer);
        let code = reader.i16()?;
        let said = reader.text()?;
        if code != NONE {
            return Err(refused(code, said.unwrap_or("without a reason")));
        }
        let bytes = reader.bytes()?.to_vec();
        let millis = u64::try_from(reader.i64()?).unwrap_or(0);
        Ok(Self { bytes, session: (millis > 0).then(|| Duration::from_millis(millis)) })
    }

    fn text(&self) -> Result<&str, WireError> {
        std::str::from_utf8(&self.bytes).map_err(|_| WireError::Malformed("a SASL message that is no text"))
    }
}

/// Reads an answer to SaslHandshake 1.
fn check_handshake(answer: &[u8], mechanism: &str) -> Result<(), WireError> {
    let mut reader = Reader::new(answer);
    let code = reader.i16()?;
    if code == NONE {
        return Ok(());
    }
    let mut taken = Vec::new();
    for _ in 0..reader.count()? {
        taken.push(reader.name()?);
    }
    Err(refused(code, &format!("it does not take {mechanism} here, but: {}", taken.join(", "))))
}

/// A refusal in the broker's words. Codes of other kinds may be gone at the next try.
fn refused(code: i16, said: &str) -> WireError {
    let name = match code {
        UNSUPPORTED_SASL_MECHANISM => "UNSUPPORTED_SASL_MECHANISM",
        ILLEGAL_SASL_STATE => "ILLEGAL_SASL_STATE",
        SASL_AUTHENTICATION_FAILED => "SASL_AUTHENTICATION_FAILED",
        _ => return WireError::Io(io::Error::other(format!("SASL ended with error {code}: {said}"))),
    };
    WireError::Refused(format!("{name}: {said}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::codec::Writer;
    use super::*;

    /// What follows a message's length.
    fn body(writer: Writer) -> Vec<u8> {
        writer.finish().split_off(4)
    }

    #[test]
    fn an_answer_has_bytes_and_the_session_s_life() {
        let mut writer = Writer::new();
        writer.i16(0).i16(-1).bytes(b"v=ok").i64(3_600_000);
        let answer = Answer::read(&body(writer)).unwrap();
        assert_eq!((answer.text().unwrap(), answer.session), ("v=ok", Some(Duration::from_secs(3600))));
        let mut writer = Writer::new();
        writer.i16(0).i16(-1).bytes(b"").i64(0);
        assert_eq!(Answer::read(&body(writer)).unwrap().session, None);
    }

    #[test]
    fn refusals_have_the_broker_s_words() {
        let mut writer = Writer::new();
        writer.i16(58).text("invalid credentials").bytes(b"").i64(0);
        let error = Answer::read(&body(writer)).unwrap_err();
        assert!(matches!(error, WireError::Refused(_)), "{error:?}");
        assert_eq!(error.to_string(), "SASL_AUTHENTICATION_FAILED: invalid credentials");
        let mut writer = Writer::new();
        writer.i16(41).text("not now").bytes(b"").i64(0);
        assert!(matches!(Answer::read(&body(writer)), Err(WireError::Io(_))));

        let mut writer = Writer::new();
        writer.i16(33).count(2).text("PLAIN").text("GSSAPI");
        let error = check_handshake(&body(writer), "SCRAM-SHA-256").unwrap_err();
        assert!(matches!(error, WireError::Refused(_)));
        let expected = "UNSUPPORTED_SASL_MECHANISM: it does not take SCRAM-SHA-256 here, but: PLAIN, GSSAPI";
        assert_eq!(error.to_string(), expected);
        let mut writer = Writer::new();
        writer.i16(0).count(1).text("PLAIN");
        check_handshake(&body(writer), "PLAIN").unwrap();
    }
}
