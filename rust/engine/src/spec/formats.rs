//! The keys of the binary formats: which schema their records are written by.
//!
//! Files are named relative to the pipeline file and put in on the driver ([`crate::pipeline::prepare_pipeline`]), so
//! that what crosses to executors is whole. Secrets are references and never stand in a file: see
//! [`crate::decode::registry::SecretRef`].

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decode::registry::{DEFAULT_REGISTRY_TIMEOUT_S, SecretRef};

/// Which schemas Avro records are written by. At least one of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AvroSpec {
    /// JSON text of the schema: the one that records are written by, or with `registry` the reader's own, which gives
    /// defaults and former names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The same from a file, relative to the pipeline file; read on the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_file: Option<String>,
    /// Records are in Confluent's wire format; their schemas are asked for here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<RegistrySpec>,
}

/// A schema registry that follows Confluent's REST API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistrySpec {
    /// Address, such as `https://registry:8081`, without a login.
    pub url: String,
    /// Without `schema`: the newest schema of this subject is the reader's own. Asked for once, on the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// User, or API key, for basic authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Where the user's password, or API secret, stands: `${env:NAME}` or `${file:PATH}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    /// Where a bearer token stands: `${env:NAME}` or `${file:PATH}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<SecretRef>,
    /// A question without an answer fails the task after this time, all tries together. Unit: seconds.
    #[serde(default = "default_timeout_s")]
    #[schemars(range(min = 1, max = 600))]
    pub timeout_s: u64,
}

/// Largest [`RegistrySpec::timeout_s`].
pub(super) const MAX_REGISTRY_TIMEOUT_S: u64 = 600;

fn default_timeout_s() -> u64 {
    DEFAULT_REGISTRY_TIMEOUT_S
}

/// Which message Protobuf records hold. One of `descriptor` and `descriptor_file`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtobufSpec {
    /// What `protoc --include_imports --descriptor_set_out=FILE` wrote, relative to the pipeline file; read on the driver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptor_file: Option<String>,
    /// The same in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<String>,
    /// Full name of the message, such as `acme.payments.Payment`.
    pub message: String,
    /// What stands in front of the message.
    #[serde(default)]
    pub framing: ProtobufFraming,
}

/// What stands in front of a Protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProtobufFraming {
    /// Nothing.
    #[default]
    Bare,
    /// Confluent's header, which is passed over.
    Confluent,
}

/// A file that an input needs beside the pipeline file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// The key that names it, such as `input.avro.schema_file`.
    pub key: &'static str,
    /// Its place, relative to the pipeline file.
    pub file: String,
}

impl JsonSchema for SecretRef {
    fn schema_name() -> Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^\$\{(env|file):.+\}$",
            "examples": ["${env:REGISTRY_PASSWORD}", "${file:/run/secrets/registry}"]
        })
    }
}

impl Serialize for SecretRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // What was written may be a secret: it is not repeated.
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a secret is ${env:NAME} or ${file:PATH}"))
    }
}
