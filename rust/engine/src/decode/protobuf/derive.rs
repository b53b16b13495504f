//! The columns that a message offers, for pipelines that name none.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::plan::is_wrapper;
use crate::decode::options::ProtobufOptions;
use crate::error::SpecError;
use crate::spec::ddl::{DdlField, DdlType};

/// Deepest message whose fields become columns: a message may hold itself.
const MAX_LEVELS: usize = 16;

/// Every field that can be a column, nested messages as structs; repeated fields, maps and groups are left out.
pub(crate) fn columns(options: &ProtobufOptions) -> Result<Vec<DdlField>, SpecError> {
    let message = super::message(options)?;
    let columns = fields(&message, &mut Vec::new());
    if columns.is_empty() {
        let message = format!("{} has no field that can be a column", message.full_name());
        return Err(SpecError::new("UNKNOWN_MESSAGE", "input.protobuf.message", message));
    }
    Ok(columns)
}

/// `open` are the messages around this one.
fn fields(message: &MessageDescriptor, open: &mut Vec<String>) -> Vec<DdlField> {
    if open.iter().any(|other| other == message.full_name()) || open.len() >= MAX_LEVELS {
        return Vec::new();
    }
    open.push(message.full_name().to_owned());
    let fields = message.fields().filter_map(|field| {
        let data_type = column(&field, open)?;
        Some(DdlField { name: field.name().to_owned(), data_type, not_null: false })
    });
    let fields = fields.collect();
    open.pop();
    fields
}

fn column(field: &FieldDescriptor, open: &mut Vec<String>) -> Option<DdlType> {
    if field.is_list() || field.is_map() || field.is_group() {
        return None;
    }
    Some(match field.kind() {
        Kind::Double => DdlType::Double,
        Kind::Float => DdlType::Float,
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => DdlType::Int,
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint32 | Kind::Fixed32 => DdlType::BigInt,
        // As many digits as 2^64 has.
        Kind::Uint64 | Kind::Fixed64 => DdlType::Decimal(20, 0),
        Kind::Bool => DdlType::Boolean,
        Kind::String | Kind::Enum(_) => DdlType::String,
        Kind::Bytes => DdlType::Binary,
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => DdlType::Timestamp,
        Kind::Message(message) if is_wrapper(message.full_name()) => {
            column(&message.get_field_by_name("value")?, open)?
        }
        Kind::Message(message) => match fields(&message, open) {
            inner if inner.is_empty() => return None,
            inner => DdlType::Struct(inner),
        },
    })
}
