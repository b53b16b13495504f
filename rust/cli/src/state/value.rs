//! Values as text and as JSON: times and dates as such, booleans as words.

use chrono::{DateTime, NaiveDate, SecondsFormat};
use firesteel_engine::state::{Event, KeyPart, Layout, Summary, Value as StateValue};
use serde_json::{Map, Value, json};

use super::summary::{BlockSummary, Found};

/// A time in microseconds since 1970.
pub(super) fn time(micros: i64) -> String {
    match DateTime::from_timestamp_micros(micros) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
        None => format!("{micros} µs"),
    }
}

/// The name that Spark's users know a type by.
pub(super) fn type_name(data_type: &str) -> &str {
    match data_type {
        "Boolean" => "BOOLEAN",
        "Int8" => "TINYINT",
        "Int16" => "SMALLINT",
        "Int32" => "INT",
        "Int64" => "BIGINT",
        "Utf8" => "STRING",
        "Binary" => "BINARY",
        "Date32" => "DATE",
        other if !other.starts_with("Timestamp") => other,
        other if other.contains(',') => "TIMESTAMP",
        _ => "TIMESTAMP_NTZ",
    }
}

/// A key column's value, as `--key` takes it.
pub(super) fn key_text(part: &KeyPart, data_type: &str) -> String {
    match part {
        KeyPart::Text(text) => text.clone(),
        KeyPart::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        KeyPart::Whole(value) => match type_name(data_type) {
            "BOOLEAN" => (*value != 0).to_string(),
            "DATE" => i32::try_from(*value)
                .ok()
                .and_then(NaiveDate::from_epoch_days)
                .map_or_else(|| value.to_string(), |date| date.to_string()),
            "TIMESTAMP" | "TIMESTAMP_NTZ" => time(*value),
            _ => value.to_string(),
        },
    }
}

fn key_json(part: &KeyPart, data_type: &str) -> Value {
    match part {
        KeyPart::Whole(value) if data_type.starts_with("Int") => json!(value),
        KeyPart::Whole(value) if data_type == "Boolean" => json!(*value != 0),
        other => json!(key_text(other, data_type)),
    }
}

/// What an event carries, as people read it.
pub(super) fn text(value: Option<&StateValue>) -> String {
    match value {
        None => "null".to_owned(),
        Some(StateValue::Int(value)) => value.to_string(),
        // Large and small ones with an exponent.
        Some(StateValue::Float(value)) => format!("{value:?}"),
        Some(StateValue::Text(value)) => value.clone(),
    }
}

/// Not finite ones as text: JSON has no number for them.
fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

/// Events that are summed up.
fn step_json(step: &Summary) -> Value {
    json!({"events": step.events, "oldest": time(step.oldest), "newest": time(step.newest)})
}

fn json_of(value: Option<&StateValue>) -> Value {
    match value {
        None => Value::Null,
        Some(StateValue::Int(value)) => json!(value),
        Some(StateValue::Float(value)) => number(*value),
        Some(StateValue::Text(value)) => json!(value),
    }
}

/// The blocks of a snapshot.
pub(super) fn blocks(blocks: &[BlockSummary]) -> Value {
    let block = |(number, block): (usize, &BlockSummary)| {
        let layout = &block.layout;
        let key = layout.key.iter().map(|(name, data_type)| json!({"column": name, "type": type_name(data_type)}));
        let values = layout.columns.iter().map(|(sql, kind)| json!({"expression": sql, "kind": kind}));
        let means = layout.decays.iter().map(
            |(sql, filter, half_life)| json!({"expression": sql, "filter": filter, "half_life_seconds": seconds(*half_life)}),
        );
        let spread = block.spread();
        json!({
            "block": number,
            "key": key.collect::<Vec<_>>(),
            "time": layout.time,
            "values": values.collect::<Vec<_>>(),
            "filters": layout.filters,
            "means": means.collect::<Vec<_>>(),
            "events_seen": block.seen,
            "clock": block.clock.map(time),
            "keys": block.keys(),
            "events": block.kept(),
            "events_per_key": spread.map(|spread| json!({"min": spread.least, "median": spread.median, "max": spread.most})),
            "bytes": block.bytes,
        })
    };
    Value::Array(blocks.iter().enumerate().map(block).collect())
}

/// A key with its history.
pub(super) fn found(found: &Found, layout: &Layout) -> Value {
    let key: Map<String, Value> = layout
        .key
        .iter()
        .zip(&found.key)
        .map(|((name, data_type), part)| (name.clone(), key_json(part, data_type)))
        .collect();
    let means = layout.decays.iter().zip(&found.history.means).map(|((sql, filter, half_life), (mean, weight))| {
        let mean = (*weight > 0.0).then(|| number(*mean));
        json!({
            "expression": sql,
            "filter": filter,
            "half_life_seconds": seconds(*half_life),
            "mean": mean,
            "weight": number(*weight),
        })
    });
    json!({
        "block": found.block,
        "key": key,
        "newest": time(found.history.newest),
        "seen_at": time(found.history.seen_at),
        "bytes": found.bytes,
        "means": means.collect::<Vec<_>>(),
        "steps": found.history.steps.iter().map(step_json).collect::<Vec<_>>(),
        "events": found.history.events.iter().map(|event| event_json(event, layout)).collect::<Vec<_>>(),
    })
}

fn event_json(event: &Event, layout: &Layout) -> Value {
    let values =
        layout.columns.iter().zip(&event.values).map(|((sql, _), value)| (sql.clone(), json_of(value.as_ref())));
    let filters = layout.filters.iter().zip(&event.filters).map(|(sql, holds)| (sql.clone(), json!(holds)));
    json!({
        "time": time(event.time),
        "values": values.collect::<Map<_, _>>(),
        "filters": filters.collect::<Map<_, _>>(),
    })
}

pub(super) fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shown_by_their_types() {
        for (part, data_type, shown) in [
            (KeyPart::Whole(-42), "Int64", "-42"),
            (KeyPart::Whole(1), "Boolean", "true"),
            (KeyPart::Whole(19_723), "Date32", "2024-01-01"),
            (KeyPart::Whole(1_500_000), "Timestamp(µs, \"UTC\")", "1970-01-01T00:00:01.500Z"),
            (KeyPart::Text("ü".to_owned()), "Utf8", "ü"),
            (KeyPart::Bytes(vec![0, 255]), "Binary", "00ff"),
        ] {
            assert_eq!(key_text(&part, data_type), shown);
        }
        assert_eq!(type_name("Timestamp(µs)"), "TIMESTAMP_NTZ");
        assert_eq!(key_json(&KeyPart::Whole(7), "Int32"), json!(7));
    }
}
