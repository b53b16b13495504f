//! Which version of each model has scored a batch: two columns of one value for each model that comes from a store.
//!
//! The columns are made once and sliced: a batch costs no work per row.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use crate::spec::{OutputColumn, PipelineSpec};

/// Appends the stamps' columns to a pipeline's output, but for those that the author shows already, by any name.
pub(super) fn show(spec: &mut PipelineSpec) {
    for column in spec.models.iter().filter_map(|model| model.stamp_columns()).flatten().collect::<Vec<_>>() {
        if !spec.output.iter().any(|shown| shown.column.eq_ignore_ascii_case(&column)) {
            spec.output.push(OutputColumn { name: column.clone(), column });
        }
    }
}

/// The stamps of all models behind the last one.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    /// Version and hash by model.
    values: Vec<(Option<i64>, String)>,
    /// The last model's columns and these.
    schema: Option<SchemaRef>,
    /// Room for the largest batch so far.
    columns: Vec<ArrayRef>,
    rows: usize,
}

impl Stamps {
    /// The stamps behind `schema`; none if no model wants one.
    pub(super) fn new(spec: &PipelineSpec, schema: &SchemaRef) -> Self {
        let mut fields = schema.fields().to_vec();
        let mut values = Vec::new();
        for model in &spec.models {
            let Some([version, sha256]) = model.stamp_columns() else { continue };
            fields.push(Arc::new(Field::new(version, DataType::Int64, true)));
            fields.push(Arc::new(Field::new(sha256, DataType::Utf8, true)));
            values.push((model.version, model.sha256.clone().unwrap_or_default()));
        }
        let stamped = Schema::new_with_metadata(fields, schema.metadata().clone());
        let schema = (!values.is_empty()).then(|| Arc::new(stamped));
        Self { values, schema, ..Self::default() }
    }

    /// The columns of a batch with stamps; `None` if there are none.
    pub(super) fn schema(&self) -> Option<&SchemaRef> {
        self.schema.as_ref()
    }

    /// The batch with its stamps.
    pub(super) fn add(&mut self, batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
        let Some(schema) = &self.schema else { return Ok(batch) };
        let rows = batch.num_rows();
        if self.columns.is_empty() || rows > self.rows {
            self.rows = rows.next_power_of_two();
            self.columns = self.values.iter().flat_map(|value| columns(value, self.rows)).collect();
        }
        let mut columns = batch.columns().to_vec();
        columns.extend(self.columns.iter().map(|column| column.slice(0, rows)));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
    }
}

fn columns((version, sha256): &(Option<i64>, String), rows: usize) -> [ArrayRef; 2] {
    let versions: Int64Array = std::iter::repeat_n(*version, rows).collect();
    [Arc::new(versions), Arc::new(StringArray::from_iter_values(std::iter::repeat_n(sha256, rows)))]
}
