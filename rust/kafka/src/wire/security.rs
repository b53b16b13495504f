//! Whom a client trusts and how it proves who it is, from librdkafka's settings; made once for each consumer.
//!
//! A setting about security that can't be honoured is refused by its name: passing over one would be a promise broken
//! in silence. Settings of TLS mean nothing without TLS, nor those of SASL without SASL, as in librdkafka.

#[cfg(test)]
pub(super) mod issued;
mod tls;

pub(super) use tls::{Tls, words};

use super::sasl::Sasl;
use crate::error::KafkaFault;
use crate::settings::ClientSettings;

/// What a connection needs before it may ask anything. Holds no text that `Debug` would show.
#[derive(Debug)]
pub(crate) struct Security {
    tls: Option<Tls>,
    sasl: Option<Sasl>,
}

impl Security {
    /// # Errors
    /// [`KafkaFault::WrongOption`] for a setting that is wrong, missing or can't be honoured.
    pub(crate) fn of(settings: &ClientSettings) -> Result<Self, KafkaFault> {
        let name = text(settings, "security.protocol")?.unwrap_or("PLAINTEXT").trim();
        let (encrypted, authenticated) = match name.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            _ => {
                let message = format!("wanted PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, but it is: {name}");
                return Err(wrong("security.protocol", message));
            }
        };
        Ok(Self {
            tls: if encrypted { Some(Tls::of(settings)?) } else { None },
            sasl: if authenticated { Some(Sasl::of(settings)?) } else { None },
        })
    }

    /// How connections are encrypted; `None` if they are not.
    pub(crate) fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// How connections are authenticated, apart from certificates; `None` if they are not.
    pub(crate) fn sasl(&self) -> Option<&Sasl> {
        self.sasl.as_ref()
    }
}

/// A setting's value; `None` if it is not set, or empty. No byte 0 is in it: that would end the text in OpenSSL, and
/// separates user from password in SASL.
pub(super) fn text<'a>(settings: &'a ClientSettings, name: &str) -> Result<Option<&'a str>, KafkaFault> {
    match settings.get(name) {
        Some(value) if value.contains('\0') => Err(wrong(name, "there is a byte 0 in it. Take that out")),
        value => Ok(value.filter(|value| !value.is_empty())),
    }
}

/// A setting that is true or false, in any of librdkafka's spellings.
pub(super) fn flag(settings: &ClientSettings, name: &str, default: bool) -> Result<bool, KafkaFault> {
    let Some(value) = text(settings, name)? else { return Ok(default) };
    match value.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err(wrong(name, format!("wanted true or false, but it is: {value}"))),
    }
}

/// Refuses the first setting whose name begins with `prefix`, unless `honoured` says yes to it.
pub(super) fn refuse_others(
    settings: &ClientSettings,
    prefix: &str,
    honoured: impl Fn(&str) -> bool,
) -> Result<(), KafkaFault> {
    match settings.properties.keys().find(|name| name.starts_with(prefix) && !honoured(name)) {
        None => Ok(()),
        Some(name) => Err(wrong(
            name,
            "it can't be honoured. Take it out, or, where it is needed, read with Spark's own format(\"kafka\")",
        )),
    }
}

/// A setting that can't be used, with what to do about it. The message must not hold a value that may be secret.
pub(super) fn wrong(option: &str, message: impl Into<String>) -> KafkaFault {
    KafkaFault::WrongOption { option: option.to_owned(), message: message.into() }
}

/// Settings of tests.
#[cfg(test)]
pub(super) fn settings(properties: &[(&str, &str)]) -> ClientSettings {
    use crate::settings::Secret;
    let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
    ClientSettings { properties, oauth: None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::settings::{OauthSettings, Secret};

    fn refused(properties: &[(&str, &str)]) -> String {
        Security::of(&settings(properties)).unwrap_err().to_string()
    }

    #[test]
    fn protocols_choose_what_is_done() {
        let login = [("sasl.mechanism", "PLAIN"), ("sasl.username", "me"), ("sasl.password", "pw")];
        for (name, tls, sasl) in [
            ("plaintext", false, false),
            ("SSL", true, false),
            ("SASL_PLAINTEXT", false, true),
            ("sasl_ssl", true, true),
        ] {
            let properties = [&[("security.protocol", name)][..], &login].concat();
            let security = Security::of(&settings(&properties)).unwrap();
            assert_eq!((security.tls().is_some(), security.sasl().is_some()), (tls, sasl), "{name}");
        }
        assert!(Security::of(&settings(&[])).unwrap().tls().is_none());
        assert!(refused(&[("security.protocol", "TLS")]).contains("kafka.security.protocol"));
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        let tls = ("security.protocol", "SSL");
        let sasl = ("security.protocol", "SASL_PLAINTEXT");
        let (user, password) = (("sasl.username", "me"), ("sasl.password", "pw"));
        let scram = ("sasl.mechanism", "SCRAM-SHA-512");
        let cases: [(&str, &[(&str, &str)]); 10] = [
            ("sasl.mechanism", &[sasl, ("sasl.mechanism", "GSSAPI")]),
            ("sasl.mechanism", &[sasl, user, password]),
            ("sasl.username", &[sasl, scram, password]),
            ("sasl.password", &[sasl, scram, user]),
            ("sasl.password", &[sasl, scram, user, ("sasl.password", "\0")]),
            ("sasl.strange", &[sasl, scram, user, password, ("sasl.strange", "x")]),
            ("sasl.oauthbearer.token.endpoint.url", &[sasl, ("sasl.mechanism", "OAUTHBEARER")]),
            ("ssl.engine.location", &[tls, ("ssl.engine.location", "/x")]),
            ("ssl.endpoint.identification.algorithm", &[tls, ("ssl.endpoint.identification.algorithm", "ldap")]),
            ("enable.ssl.certificate.verification", &[tls, ("enable.ssl.certificate.verification", "maybe")]),
        ];
        for (name, properties) in cases {
            let message = refused(properties);
            assert!(message.starts_with(&format!("WRONG_OPTION: kafka.{name}: ")), "{name}: {message}");
        }
    }

    #[test]
    fn what_the_protocol_has_no_use_for_is_passed_over() {
        let properties = [("ssl.engine.location", "/x"), ("sasl.mechanism", "GSSAPI")];
        assert!(Security::of(&settings(&properties)).is_ok());
    }

    #[test]
    fn a_token_endpoint_is_enough_for_oauthbearer() {
        let mut wanted = settings(&[("security.protocol", "SASL_PLAINTEXT"), ("sasl.mechanism", "oauthbearer")]);
        wanted.oauth = Some(OauthSettings {
            token_endpoint: "http://localhost/token".to_owned(),
            client_id: "me".to_owned(),
            client_secret: Secret::new("canary"),
            scope: String::new(),
        });
        let security = Security::of(&wanted).unwrap();
        assert!(!format!("{security:?}").contains("canary"), "{security:?}");
        wanted.properties.insert("https.ca.pem".to_owned(), Secret::new("canary"));
        let message = Security::of(&wanted).unwrap_err().to_string();
        assert!(message.contains("kafka.https.ca.pem") && !message.contains("canary"), "{message}");
    }

    #[test]
    fn nothing_shows_a_secret() {
        let (certificate, key) = issued::authority("ca");
        let (certificate, key) = (issued::pem(&certificate), issued::locked(&key, "canary-key"));
        let properties = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "canary-user"),
            ("sasl.password", "canary-password"),
            ("ssl.certificate.pem", certificate.as_str()),
            ("ssl.key.pem", key.as_str()),
            ("ssl.key.password", "canary-key"),
        ];
        let security = Security::of(&settings(&properties)).unwrap();
        assert!(!format!("{security:?}").contains("canary"), "{security:?}");
        let mut wrong = properties.to_vec();
        wrong[6].1 = "canary-wrong";
        let message = refused(&wrong);
        assert!(message.contains("kafka.ssl.key.password") && !message.contains("canary"), "{message}");
    }
}
