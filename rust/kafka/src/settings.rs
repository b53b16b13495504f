//! A client's settings, in librdkafka's names, none of which can be seen by accident.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// A text that no log, plan or error shows. Any setting may hold a password, so all of them are secrets.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("*****")
    }
}

/// Where SASL/OAUTHBEARER tokens come from: a token endpoint (RFC 6749, client credentials grant).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OauthSettings {
    /// URL of the token endpoint.
    pub token_endpoint: String,
    /// The client's name.
    pub client_id: String,
    /// The client's password.
    pub client_secret: Secret,
    /// Scopes asked for; none if empty.
    #[serde(default)]
    pub scope: String,
}

/// A client's settings. Two clients of equal settings are interchangeable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientSettings {
    /// librdkafka's properties.
    pub properties: BTreeMap<String, Secret>,
    /// For SASL/OAUTHBEARER with a token endpoint.
    #[serde(default)]
    pub oauth: Option<OauthSettings>,
}

impl ClientSettings {
    /// The value of a property.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(Secret::reveal)
    }

    /// The brokers, for messages.
    pub fn servers(&self) -> &str {
        self.get("bootstrap.servers").or_else(|| self.get("metadata.broker.list")).unwrap_or("(no bootstrap servers)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nothing_shows_a_value() {
        let json = r#"{"properties": {"sasl.password": "canary", "bootstrap.servers": "canary:9092"},
            "oauth": {"tokenEndpoint": "http://x", "clientId": "me", "clientSecret": "canary"}}"#;
        let settings: ClientSettings = serde_json::from_str(json).unwrap();
        assert!(!format!("{settings:?}").contains("canary"), "{settings:?}");
        assert_eq!(settings.servers(), "canary:9092");
    }
}
