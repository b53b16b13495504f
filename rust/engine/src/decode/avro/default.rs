//! A field's default, from the JSON of the schema to the bytes of a datum, so that it is read like any other.

use serde_json::Value;

use super::schema::{Schema, Type, TypeId};

/// Appends the datum that `json` stands for; false (and rubbish appended) if it is none of the type.
pub(super) fn encode(schema: &Schema, id: TypeId, json: &Value, out: &mut Vec<u8>) -> bool {
    match (schema.get(id), json) {
        (Type::Null, Value::Null) => true,
        (Type::Boolean, Value::Bool(value)) => push(out, &[u8::from(*value)]),
        (Type::Int(_), json) => match json.as_i64().and_then(|value| i32::try_from(value).ok()) {
            Some(value) => push_zigzag(out, i64::from(value)),
            None => false,
        },
        (Type::Long(_), json) => json.as_i64().is_some_and(|value| push_zigzag(out, value)),
        (Type::Float, json) => json.as_f64().is_some_and(|value| push(out, &(value as f32).to_le_bytes())),
        (Type::Double, json) => json.as_f64().is_some_and(|value| push(out, &value.to_le_bytes())),
        (Type::String, Value::String(text)) => push_zigzag(out, text.len() as i64) && push(out, text.as_bytes()),
        (Type::Bytes(_), Value::String(text)) => {
            latin(text).is_some_and(|bytes| push_zigzag(out, bytes.len() as i64) && push(out, &bytes))
        }
        (Type::Fixed(size, _), Value::String(text)) => {
            latin(text).is_some_and(|bytes| bytes.len() == *size && push(out, &bytes))
        }
        (Type::Enum(symbols), Value::String(text)) => match symbols.iter().position(|symbol| symbol == text) {
            Some(position) => push_zigzag(out, position as i64),
            None => false,
        },
        (Type::Record(fields), Value::Object(object)) => fields.iter().all(|field| {
            let value = object.get(&field.name).or(field.default.as_ref());
            value.is_some_and(|value| encode(schema, field.of, value, out))
        }),
        (Type::Array(items), Value::Array(values)) => {
            (values.is_empty() || push_zigzag(out, values.len() as i64))
                && values.iter().all(|value| encode(schema, *items, value, out))
                && push(out, &[0])
        }
        (Type::Map(values), Value::Object(object)) => {
            (object.is_empty() || push_zigzag(out, object.len() as i64))
                && object.iter().all(|(key, value)| {
                    push_zigzag(out, key.len() as i64)
                        && push(out, key.as_bytes())
                        && encode(schema, *values, value, out)
                })
                && push(out, &[0])
        }
        // Version 1.12 lets any branch's value be the default of a union.
        (Type::Union(branches), json) => branches.iter().enumerate().any(|(position, &branch)| {
            let before = out.len();
            let fits = push_zigzag(out, position as i64) && encode(schema, branch, json, out);
            if !fits {
                out.truncate(before);
            }
            fits
        }),
        _ => false,
    }
}

fn push(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    out.extend_from_slice(bytes);
    true
}

fn push_zigzag(out: &mut Vec<u8>, value: i64) -> bool {
    let mut rest = (value << 1 ^ value >> 63) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
    true
}

/// Bytes in JSON: one character from U+0000 to U+00FF each.
fn latin(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}
