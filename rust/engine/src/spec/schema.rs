//! The columns of an input: a parsed DDL text and its leaves as an Arrow schema.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use schemars::{JsonSchema, Schema as JsonSchemaValue, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ddl::{self, DdlError, DdlField, DdlType};

/// Metadata key on an Arrow field whose column was declared `NOT NULL`.
///
/// The field itself stays nullable, because a decoder must be able to write the null that `clean` then rejects.
pub const NOT_NULL_KEY: &str = "firesteel.not_null";

/// The columns of an input as the author declared them.
///
/// Its text form ([`fmt::Display`]) is canonical: two schemas that mean the same print the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    fields: Vec<DdlField>,
    leaves: SchemaRef,
}

impl TableSchema {
    /// Parse Spark DDL.
    pub fn parse(ddl: &str) -> Result<Self, DdlError> {
        Self::of(ddl::parse(ddl)?)
    }

    /// The schema of these columns.
    pub fn of(fields: Vec<DdlField>) -> Result<Self, DdlError> {
        let mut leaves = Vec::new();
        for field in &fields {
            flatten("", field, &mut leaves);
        }
        // `a STRUCT<b: INT>, `a.b` INT` would flatten to one name twice.
        for (i, leaf) in leaves.iter().enumerate() {
            if leaves[..i].iter().any(|other: &Field| other.name().eq_ignore_ascii_case(leaf.name())) {
                let message = format!("column {} is declared twice (Spark's names ignore case)", leaf.name());
                return Err(DdlError { offset: 0, message, hint: None, unsupported: false });
            }
        }
        Ok(Self { fields, leaves: Arc::new(Schema::new(leaves)) })
    }

    /// True if no column is declared: the format's own schema is still to say what they are.
    pub fn is_open(&self) -> bool {
        self.fields.is_empty()
    }

    /// The columns with their structs, as declared.
    pub fn fields(&self) -> &[DdlField] {
        &self.fields
    }

    /// One nullable Arrow field per leaf, structs flattened to dotted names such as `merchant.geo.lat`.
    pub fn leaves(&self) -> &SchemaRef {
        &self.leaves
    }

    /// True if a column is a struct.
    pub fn is_nested(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.data_type, DdlType::Struct(_)))
    }
}

impl Default for TableSchema {
    /// An open schema.
    fn default() -> Self {
        Self { fields: Vec::new(), leaves: Arc::new(Schema::empty()) }
    }
}

fn flatten(prefix: &str, field: &DdlField, out: &mut Vec<Field>) {
    let name = if prefix.is_empty() { field.name.clone() } else { format!("{prefix}.{}", field.name) };
    let DdlType::Struct(children) = &field.data_type else {
        let mut leaf = Field::new(name, arrow_type(&field.data_type), true);
        if field.not_null {
            leaf = leaf.with_metadata(HashMap::from([(NOT_NULL_KEY.to_owned(), "true".to_owned())]));
        }
        out.push(leaf);
        return;
    };
    for child in children {
        flatten(&name, child, out);
    }
}

/// The Arrow type that carries a DDL type inside the engine and across JNI.
pub fn arrow_type(data_type: &DdlType) -> DataType {
    match data_type {
        DdlType::Boolean => DataType::Boolean,
        DdlType::TinyInt => DataType::Int8,
        DdlType::SmallInt => DataType::Int16,
        DdlType::Int => DataType::Int32,
        DdlType::BigInt => DataType::Int64,
        DdlType::Float => DataType::Float32,
        DdlType::Double => DataType::Float64,
        DdlType::Decimal(precision, scale) => DataType::Decimal128(*precision, *scale),
        DdlType::String => DataType::Utf8,
        DdlType::Binary => DataType::Binary,
        DdlType::Date => DataType::Date32,
        DdlType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DdlType::TimestampNtz => DataType::Timestamp(TimeUnit::Microsecond, None),
        DdlType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|f| Field::new(&f.name, arrow_type(&f.data_type), true)).collect())
        }
        DdlType::Array(element) => DataType::List(Arc::new(Field::new("element", arrow_type(element), true))),
    }
}

/// Spark's name for an Arrow type of the engine; for messages and plans.
pub fn spark_type_name(data_type: &DataType) -> Cow<'static, str> {
    match data_type {
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INT".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::Float32 => "FLOAT".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision},{scale})").into(),
        DataType::Utf8 => "STRING".into(),
        DataType::Binary => "BINARY".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP".into(),
        DataType::Timestamp(_, None) => "TIMESTAMP_NTZ".into(),
        DataType::Null => "VOID".into(),
        DataType::List(item) => format!("ARRAY<{}>", spark_type_name(item.data_type())).into(),
        other => other.to_string().into(),
    }
}

impl fmt::Display for TableSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ddl::write_fields(f, &self.fields, " ")
    }
}

impl Serialize for TableSchema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TableSchema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|fault| serde::de::Error::custom(fault.message))
    }
}

impl JsonSchema for TableSchema {
    fn schema_name() -> Cow<'static, str> {
        "TableSchema".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> JsonSchemaValue {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "examples": ["transaction_id BIGINT NOT NULL, ts TIMESTAMP, amount DOUBLE"]
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn structs_flatten_to_dotted_leaves_in_order() {
        let schema =
            TableSchema::parse("id BIGINT NOT NULL, m STRUCT<geo: STRUCT<lat: DOUBLE>, name: STRING>").unwrap();
        let names: Vec<&str> = schema.leaves().fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, ["id", "m.geo.lat", "m.name"]);
        assert!(schema.leaves().fields().iter().all(|f| f.is_nullable()));
        assert!(schema.leaves().field(0).metadata().contains_key(NOT_NULL_KEY));
    }

    #[test]
    fn canonical_text_parses_to_the_same_schema() {
        let schema = TableSchema::parse("a long,`b c` dec(5,1), s struct<x integer>").unwrap();
        let text = schema.to_string();
        assert_eq!(text, "a BIGINT, `b c` DECIMAL(5,1), s STRUCT<x: INT>");
        assert_eq!(TableSchema::parse(&text).unwrap(), schema);
    }
}
