//! The part of the reader that knows the keys of Avro and Protobuf.

use super::formats::{AvroSpec, MAX_REGISTRY_TIMEOUT_S, ProtobufFraming, ProtobufSpec, RegistrySpec};
use super::node::{Node, Value};
use super::read::{Entry, Reader};
use crate::decode::registry::{DEFAULT_REGISTRY_TIMEOUT_S, SecretRef};

pub(super) const AVRO_KEYS: [&str; 3] = ["schema", "schema_file", "registry"];
pub(super) const REGISTRY_KEYS: [&str; 6] = ["url", "subject", "username", "password", "bearer_token", "timeout_s"];
pub(super) const PROTOBUF_KEYS: [&str; 4] = ["descriptor_file", "descriptor", "message", "framing"];

impl Reader<'_> {
    pub(super) fn avro(&mut self, (path, node): &Entry<'_>) -> Option<AvroSpec> {
        let [schema, schema_file, registry] = self.record(path, node, AVRO_KEYS)?;
        let schema = schema.and_then(|entry| self.avro_schema(&entry));
        let schema_file = schema_file.and_then(|entry| self.text(&entry, "a path"));
        let registry = registry.and_then(|entry| self.registry(&entry));
        Some(AvroSpec { schema, schema_file, registry })
    }

    /// The schema as JSON text, or as the YAML that it would be: JSON is YAML.
    fn avro_schema(&mut self, entry: &Entry<'_>) -> Option<String> {
        match &entry.1.value {
            Value::Map(_) | Value::List(_) => Some(json(entry.1).to_string()),
            _ => self.text(entry, "the schema's JSON"),
        }
    }

    fn registry(&mut self, (path, node): &Entry<'_>) -> Option<RegistrySpec> {
        let [url, subject, username, password, bearer_token, timeout_s] = self.record(path, node, REGISTRY_KEYS)?;
        if url.is_none() {
            self.missing("input.avro.registry.url", node, "url", "https://registry:8081");
        }
        let url = url.and_then(|entry| self.text(&entry, "an address"));
        let subject = subject.and_then(|entry| self.text(&entry, "a subject"));
        let username = username.and_then(|entry| self.text(&entry, "a name"));
        let password = password.and_then(|entry| self.secret(&entry));
        let bearer_token = bearer_token.and_then(|entry| self.secret(&entry));
        let timeout_s = timeout_s
            .and_then(|entry| self.count(&entry, MAX_REGISTRY_TIMEOUT_S as i64, "seconds"))
            .map_or(DEFAULT_REGISTRY_TIMEOUT_S, |seconds| seconds as u64);
        Some(RegistrySpec { url: url?, subject, username, password, bearer_token, timeout_s })
    }

    /// A reference to a secret. Anything else may be the secret itself and is not repeated.
    fn secret(&mut self, entry: &Entry<'_>) -> Option<SecretRef> {
        let parsed = match &entry.1.value {
            Value::Text(text) => SecretRef::parse(text),
            _ => None,
        };
        if parsed.is_none() {
            let message = "a secret itself must not stand in a pipeline file".to_owned();
            let hint = "write ${env:NAME} or ${file:PATH}, which is looked up where it is needed".to_owned();
            self.fault("BAD_VALUE", &entry.0, entry.1.place, message, Some(hint));
        }
        parsed
    }

    pub(super) fn protobuf(&mut self, (path, node): &Entry<'_>) -> Option<ProtobufSpec> {
        let [descriptor_file, descriptor, message, framing] = self.record(path, node, PROTOBUF_KEYS)?;
        if message.is_none() {
            self.missing("input.protobuf.message", node, "message", "acme.payments.Payment");
        }
        let descriptor_file = descriptor_file.and_then(|entry| self.text(&entry, "a path"));
        let descriptor = descriptor.and_then(|entry| self.text(&entry, "a descriptor set in base64"));
        let message = message.and_then(|entry| self.text(&entry, "the full name of a message"));
        let words = [("bare", ProtobufFraming::Bare), ("confluent", ProtobufFraming::Confluent)];
        let framing = framing.and_then(|entry| self.word(&entry, &words)).unwrap_or_default();
        Some(ProtobufSpec { descriptor_file, descriptor, message: message?, framing })
    }
}

fn json(node: &Node) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(value) => (*value).into(),
        Value::Integer(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            serde_json::Value::Object(entries.iter().map(|(key, value)| (key.name.clone(), json(value))).collect())
        }
    }
}
