//! The columns that an Avro schema offers, for pipelines that name none.

use super::schema::{FixedLogical, IntLogical, LongLogical, Schema, Type, TypeId};
use crate::spec::ddl::{DdlField, DdlType};

/// Deepest record whose fields become columns: a schema may hold itself.
const MAX_LEVELS: usize = 16;

/// Every field that can be a column, nested records as structs; arrays, maps and unions of several types are left out.
/// The error is a sentence.
pub(crate) fn columns(text: &str) -> Result<Vec<DdlField>, String> {
    let schema = Schema::parse(text)?;
    let columns = fields(&schema, schema.root(), &mut Vec::new());
    if columns.is_empty() { Err("the schema has no field that can be a column".to_owned()) } else { Ok(columns) }
}

/// `open` are the records around this one.
fn fields(schema: &Schema, id: TypeId, open: &mut Vec<TypeId>) -> Vec<DdlField> {
    let Type::Record(list) = schema.get(id) else { return Vec::new() };
    if open.contains(&id) || open.len() >= MAX_LEVELS {
        return Vec::new();
    }
    open.push(id);
    let fields = list.iter().filter_map(|field| {
        let data_type = column(schema, field.of, open)?;
        Some(DdlField { name: field.name.clone(), data_type, not_null: false })
    });
    let fields = fields.collect();
    open.pop();
    fields
}

fn column(schema: &Schema, id: TypeId, open: &mut Vec<TypeId>) -> Option<DdlType> {
    Some(match schema.get(id) {
        Type::Boolean => DdlType::Boolean,
        Type::Int(Some(IntLogical::Date)) => DdlType::Date,
        Type::Int(_) => DdlType::Int,
        Type::Long(Some(LongLogical::Timestamp(_))) => DdlType::Timestamp,
        Type::Long(Some(LongLogical::LocalTimestamp(_))) => DdlType::TimestampNtz,
        Type::Long(_) => DdlType::BigInt,
        Type::Float => DdlType::Float,
        Type::Double => DdlType::Double,
        Type::Bytes(Some(decimal)) | Type::Fixed(_, Some(FixedLogical::Decimal(decimal))) => {
            let precision = u8::try_from(decimal.precision).ok().filter(|&precision| precision <= 38)?;
            DdlType::Decimal(precision, i8::try_from(decimal.scale).ok()?)
        }
        Type::Bytes(None) | Type::Fixed(_, None) => DdlType::Binary,
        Type::String | Type::Enum(_) | Type::Fixed(_, Some(FixedLogical::Uuid)) => DdlType::String,
        Type::Record(_) => match fields(schema, id, open) {
            inner if inner.is_empty() => return None,
            inner => DdlType::Struct(inner),
        },
        Type::Union(branches) => {
            let mut values = branches.iter().filter(|&&branch| !matches!(schema.get(branch), Type::Null));
            match (values.next(), values.next()) {
                (Some(&only), None) => column(schema, only, open)?,
                _ => return None,
            }
        }
        Type::Null | Type::Array(_) | Type::Map(_) => return None,
    })
}
