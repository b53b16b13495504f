//! What the shape of a file can't say about Avro and Protobuf: which keys go together.

use super::formats::RegistrySpec;
use super::types::InputSpec;
use crate::error::SpecError;

/// Faults of `input.avro`.
pub(super) fn avro(input: &InputSpec, faults: &mut Vec<SpecError>) {
    let avro = input.avro.clone().unwrap_or_default();
    if avro.schema.is_none() && avro.schema_file.is_none() && avro.registry.is_none() {
        let fault = SpecError::new("MISSING_KEY", "input.avro", "Avro records cannot be read without their schema");
        faults.push(fault.with_hint("write avro: {schema_file: payments.avsc}, or avro: {registry: {url: https://…}}"));
    }
    if avro.schema.is_some() && avro.schema_file.is_some() {
        faults.push(SpecError::new("BAD_VALUE", "input.avro.schema_file", "schema and schema_file exclude each other"));
    }
    if let Some(registry) = &avro.registry {
        self::registry(registry, faults);
        let has_schema = avro.schema.is_some() || avro.schema_file.is_some();
        if has_schema && registry.subject.is_some() {
            let message = "with a schema of your own there is nothing to ask the subject for";
            faults.push(
                SpecError::new("BAD_VALUE", "input.avro.registry.subject", message).with_hint("leave one of them out"),
            );
        }
        if !has_schema && registry.subject.is_none() && input.schema.is_open() {
            let message = "nothing says which columns are wanted";
            faults.push(
                SpecError::new("MISSING_KEY", "input.schema", message)
                    .with_hint("write schema: \"id BIGINT, amount DOUBLE\", or avro.registry.subject"),
            );
        }
    }
}

fn registry(registry: &RegistrySpec, faults: &mut Vec<SpecError>) {
    let rest = registry.url.strip_prefix("http://").or_else(|| registry.url.strip_prefix("https://"));
    let path = "input.avro.registry.url";
    match rest.map(|rest| rest.split('/').next().unwrap_or_default()) {
        // What stands before the @ may be a password: it is not repeated.
        Some(host) if host.contains('@') => faults.push(
            SpecError::new("BAD_VALUE", path, "a login must not stand in the address")
                .with_hint("write username: NAME and password: ${env:NAME}"),
        ),
        Some("") | None => {
            let fault = SpecError::new("BAD_VALUE", path, "an address begins with http:// or https:// and a host");
            faults.push(fault.with_hint("write url: https://registry:8081"));
        }
        Some(_) => {}
    }
    if registry.username.is_some() != registry.password.is_some() {
        faults.push(SpecError::new("BAD_VALUE", "input.avro.registry", "username and password go together"));
    }
    if registry.bearer_token.is_some() && registry.username.is_some() {
        let message = "bearer_token excludes username and password";
        faults.push(SpecError::new("BAD_VALUE", "input.avro.registry.bearer_token", message));
    }
    if registry.subject.as_deref().is_some_and(|subject| subject.trim().is_empty()) {
        faults.push(SpecError::new("BAD_VALUE", "input.avro.registry.subject", "the subject is empty"));
    }
    let max = super::formats::MAX_REGISTRY_TIMEOUT_S;
    if !(1..=max).contains(&registry.timeout_s) {
        let message = format!("{} is not in 1 to {max}", registry.timeout_s);
        faults.push(SpecError::new("BAD_VALUE", "input.avro.registry.timeout_s", message));
    }
}

/// Faults of `input.protobuf`.
pub(super) fn protobuf(input: &InputSpec, faults: &mut Vec<SpecError>) {
    let hint = "write protobuf: {descriptor_file: payments.desc, message: acme.payments.Payment}";
    let Some(protobuf) = &input.protobuf else {
        let message = "Protobuf records cannot be read without their descriptor";
        faults.push(SpecError::new("MISSING_KEY", "input.protobuf", message).with_hint(hint));
        return;
    };
    match (&protobuf.descriptor, &protobuf.descriptor_file) {
        (None, None) => {
            let message = "the key descriptor_file is missing";
            faults.push(SpecError::new("MISSING_KEY", "input.protobuf", message).with_hint(hint));
        }
        (Some(_), Some(_)) => faults.push(SpecError::new(
            "BAD_VALUE",
            "input.protobuf.descriptor",
            "descriptor and descriptor_file exclude each other",
        )),
        _ => {}
    }
    if protobuf.message.trim().is_empty() {
        faults.push(SpecError::new("BAD_VALUE", "input.protobuf.message", "the name is empty"));
    }
}
