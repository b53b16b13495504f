//! Which columns a pipeline, or a part of it, shows.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use super::rejected::{self, rejected_field};
use crate::error::{SpecError, SpecErrors};
use crate::spec::{PipelineSpec, names};

/// Where a result column comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Position in the last stage's batch.
    Made(usize),
    /// The input's column of that name, null if it has none.
    AsItCame,
}

/// The columns that a part hands on: some of its own, where records came from, and what it rejected.
pub(super) fn passed_on<'f>(
    schema: &SchemaRef,
    columns: impl IntoIterator<Item = &'f FieldRef>,
) -> (Vec<Shown>, SchemaRef) {
    let (mut shown, mut fields) = (Vec::new(), Vec::new());
    for field in columns {
        if let Ok(position) = schema.index_of(field.name()) {
            shown.push(Shown::Made(position));
            fields.push(Arc::clone(field));
        }
    }
    let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
    let origin = origin_fields(&names);
    shown.extend(origin.iter().map(|_| Shown::AsItCame));
    fields.extend(origin.into_iter().map(Arc::new));
    fields.push(Arc::new(rejected_field()));
    (shown, Arc::new(Schema::new(fields)))
}

/// The columns that the author asked for, and what was rejected.
pub(super) fn output(spec: &PipelineSpec, schema: &SchemaRef) -> Result<(Vec<Shown>, SchemaRef), SpecErrors> {
    let mut positions = Vec::with_capacity(spec.output.len());
    let mut fields = Vec::with_capacity(spec.output.len() + 1);
    let mut faults = Vec::new();
    for (i, wanted) in spec.output.iter().enumerate() {
        match schema.index_of(&wanted.column) {
            Ok(position) => {
                positions.push(Shown::Made(position));
                fields.push(Field::new(&wanted.name, schema.field(position).data_type().clone(), true));
            }
            Err(_) => {
                let known: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
                faults.push(
                    SpecError::new(
                        "UNKNOWN_COLUMN",
                        format!("output[{i}]"),
                        format!("there is no column `{}`", wanted.column),
                    )
                    .with_hint(names::advice(&wanted.column, known.iter().copied())),
                );
            }
        }
    }
    if !faults.is_empty() {
        return Err(SpecErrors(faults));
    }
    fields.push(rejected_field());
    Ok((positions, Arc::new(Schema::new(fields))))
}

/// Where a record came from: Kafka's columns, unless the pipeline's own schema uses the name.
pub(super) fn origin_fields(taken: &[&str]) -> Vec<Field> {
    [
        Field::new(rejected::TOPIC, DataType::Utf8, true),
        Field::new(rejected::PARTITION, DataType::Int32, true),
        Field::new(rejected::OFFSET, DataType::Int64, true),
    ]
    .into_iter()
    .filter(|field| !taken.contains(&field.name().as_str()))
    .collect()
}
