//! An input made whole on the driver: files put in, the registry's subject asked for, open columns filled in.
//!
//! After this a spec needs nothing but the process's own environment, wherever it runs.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::decode::registry::{Login, Registry, RegistryOptions};
use crate::decode::{self, DecodeOptions};
use crate::error::{SpecError, SpecErrors};
use crate::spec::{Format, InputSpec, PipelineSpec, ProtobufFraming, RegistrySpec, TableSchema};

/// Puts `files` in, one base64 text per [`InputSpec::files`], and says what the columns are where the author did not.
pub(super) fn complete(spec: &mut PipelineSpec, files: &[String]) -> Result<(), SpecErrors> {
    put_in(&mut spec.input, files).map_err(|fault| spec.locate(fault))?;
    ask_for_subject(&mut spec.input).map_err(|fault| spec.locate(fault))?;
    if spec.input.schema.is_open() {
        spec.input.schema = columns(&spec.input).map_err(|fault| spec.locate(fault))?;
        // The names could not be checked before.
        spec.check()?;
    }
    Ok(())
}

fn put_in(input: &mut InputSpec, files: &[String]) -> Result<(), SpecError> {
    let named = input.files();
    if named.len() != files.len() {
        let message = format!("{} files beside the pipeline file, but {} were given", named.len(), files.len());
        return Err(SpecError::new("INTERNAL", "input", message));
    }
    for (file, text) in named.iter().zip(files) {
        let bad = |message: String| SpecError::new("SCHEMA_UNREADABLE", file.key, format!("{}: {message}", file.file));
        if let Some(avro) = input.avro.as_mut().filter(|avro| avro.schema_file.as_ref() == Some(&file.file)) {
            let bytes = STANDARD.decode(text).map_err(|error| bad(error.to_string()))?;
            let schema = String::from_utf8(bytes).map_err(|_| bad("the schema is not UTF-8".to_owned()))?;
            avro.schema = Some(schema.trim_start_matches('\u{feff}').to_owned());
            avro.schema_file = None;
        } else if let Some(protobuf) = &mut input.protobuf {
            protobuf.descriptor = Some(text.clone());
            protobuf.descriptor_file = None;
        }
    }
    Ok(())
}

/// The newest schema of the subject becomes the reader's own.
fn ask_for_subject(input: &mut InputSpec) -> Result<(), SpecError> {
    let Some(avro) = &mut input.avro else { return Ok(()) };
    let Some((registry, subject)) = avro.registry.as_mut().and_then(|r| r.subject.take().map(|subject| (r, subject)))
    else {
        return Ok(());
    };
    let path = "input.avro.registry.subject";
    let asked = Registry::shared(&registry_options(registry))?;
    let schema = asked.latest(&subject).map_err(|error| error.at(path))?.ok_or_else(|| {
        let message = format!("{} has no subject {subject}", asked.url());
        SpecError::new("UNKNOWN_SUBJECT", path, message)
            .with_hint("Confluent's clients name it after the topic: TOPIC-value")
    })?;
    if schema.kind != "AVRO" || schema.has_references {
        let message =
            format!("the schema of {subject} is {}, or refers to others, which is not supported", schema.kind);
        return Err(SpecError::new("BAD_AVRO_SCHEMA", path, message));
    }
    avro.schema = Some(schema.text.clone());
    Ok(())
}

/// All that can be columns.
fn columns(input: &InputSpec) -> Result<TableSchema, SpecError> {
    let options = decode_options(input)?;
    let fields = match options.format {
        decode::Format::Avro => decode::avro_columns(options.avro.schema.as_deref().unwrap_or_default())
            .map_err(|message| SpecError::new("BAD_AVRO_SCHEMA", "input.avro", message))?,
        decode::Format::Protobuf => decode::protobuf_columns(&options.protobuf)?,
        decode::Format::Json | decode::Format::Csv => Vec::new(),
    };
    TableSchema::of(fields).map_err(|fault| {
        SpecError::new("BAD_SCHEMA", "input.schema", fault.message)
            .with_hint("write input.schema with the columns you want")
    })
}

/// What the decoder is built from.
pub(super) fn decode_options(input: &InputSpec) -> Result<DecodeOptions, SpecError> {
    let csv = input.csv.clone().unwrap_or_default();
    let protobuf = match &input.protobuf {
        Some(protobuf) => {
            let text = protobuf.descriptor.as_deref().unwrap_or_default();
            let descriptor = STANDARD.decode(text.trim()).map_err(|error| {
                SpecError::new("BAD_DESCRIPTOR", "input.protobuf.descriptor", format!("no base64: {error}"))
            })?;
            let framing = match protobuf.framing {
                ProtobufFraming::Bare => decode::Framing::Bare,
                ProtobufFraming::Confluent => decode::Framing::Confluent,
            };
            decode::ProtobufOptions { descriptor, message: protobuf.message.clone(), framing }
        }
        None => decode::ProtobufOptions::default(),
    };
    let avro = input.avro.as_ref().map(|avro| decode::AvroOptions {
        schema: avro.schema.clone(),
        registry: avro.registry.as_ref().map(registry_options),
    });
    Ok(DecodeOptions {
        format: match input.format {
            Format::Json => decode::Format::Json,
            Format::Csv => decode::Format::Csv,
            Format::Avro => decode::Format::Avro,
            Format::Protobuf => decode::Format::Protobuf,
        },
        csv: decode::CsvOptions {
            // The spec has checked that each is ASCII.
            delimiter: csv.delimiter as u8,
            quote: csv.quote as u8,
            escape: csv.escape.map(|c| c as u8),
            header: csv.header,
            null_text: csv.null,
        },
        avro: avro.unwrap_or_default(),
        protobuf,
        max_depth: input.max_depth,
        max_record_bytes: input.max_record_bytes,
    })
}

fn registry_options(registry: &RegistrySpec) -> RegistryOptions {
    let login = match (&registry.bearer_token, &registry.username, &registry.password) {
        (Some(token), _, _) => Login::Bearer(token.clone()),
        (None, Some(username), Some(password)) => {
            Login::Basic { username: username.clone(), password: password.clone() }
        }
        _ => Login::None,
    };
    RegistryOptions { url: registry.url.clone(), login, timeout: Duration::from_secs(registry.timeout_s) }
}

/// Where the writers' schemas come from, for the plan; nothing for formats without one.
pub(super) fn describe(input: &InputSpec) -> Option<String> {
    match input.format {
        Format::Json | Format::Csv => None,
        Format::Avro => Some(match input.avro.as_ref().and_then(|avro| avro.registry.as_ref()) {
            Some(registry) => format!("schemas by id from {}", registry.url),
            None => "one schema for all records".to_owned(),
        }),
        Format::Protobuf => input.protobuf.as_ref().map(|protobuf| format!("message {}", protobuf.message)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const YAML: &str = "name: t
input: {format: avro, avro: {schema_file: a.avsc}}
features: {twice: 2 * amount}
output: [id, m.lat, twice]
";
    const SCHEMA: &str = r#"{"type":"record","name":"r","fields":[{"name":"id","type":"long"},
        {"name":"list","type":{"type":"array","items":"int"}},{"name":"amount","type":["null","double"]},
        {"name":"m","type":{"type":"record","name":"M","fields":[{"name":"lat","type":"float"}]}}]}"#;

    #[test]
    fn a_schema_file_is_put_in_and_says_what_the_columns_are() {
        let mut spec = PipelineSpec::from_yaml(YAML, "t.yaml").unwrap();
        complete(&mut spec, &[STANDARD.encode(SCHEMA)]).unwrap();
        assert_eq!(spec.input.schema.to_string(), "id BIGINT, amount DOUBLE, m STRUCT<lat: FLOAT>");
        assert!(spec.input.files().is_empty());
        // What crosses to executors is whole.
        let crossed = PipelineSpec::from_json(&spec.to_json()).unwrap();
        assert_eq!(decode_options(&crossed.input).unwrap().avro.schema.as_deref(), Some(SCHEMA));
        complete(&mut spec, &[]).unwrap();
    }

    #[test]
    fn names_are_checked_as_soon_as_the_columns_are_known() {
        let mut spec = PipelineSpec::from_yaml(&YAML.replace("m.lat", "m.latt"), "t.yaml").unwrap();
        let faults = complete(&mut spec, &[STANDARD.encode(SCHEMA)]).unwrap_err();
        assert_eq!(
            faults.to_string(),
            "t.yaml:4:14: UNKNOWN_COLUMN: output[1]: there is no column m.latt (did you mean m.lat?)"
        );
        let mut spec = PipelineSpec::from_yaml(YAML, "t.yaml").unwrap();
        assert_eq!(complete(&mut spec, &[]).unwrap_err().0[0].condition, "INTERNAL");
        assert_eq!(complete(&mut spec, &[STANDARD.encode("{")]).unwrap_err().0[0].condition, "BAD_AVRO_SCHEMA");
    }
}
