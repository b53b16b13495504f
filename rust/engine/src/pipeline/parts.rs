//! A pipeline with windows in parts, for engines that move rows to their keys between them.
//!
//! ```text
//! front ──► carried columns ──(rows to keys of block 0)──► block 0 ──(… of block 1)──► block 1 ──► back ──► output
//! ```
//!
//! Between the parts rows are packed, see [`super::packed`]. Each part is a call of its own with the whole pipeline's text, so that there is one description of what happens.
//! What a part has rejected goes through the parts behind it untouched, in `_rejected`.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StructArray, UInt32Array};
use arrow::compute::{filter_record_batch, is_null, kernels::zip::zip, take};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use serde::{Deserialize, Serialize};

use super::rejected::REJECTED;
use crate::error::StageError;
use crate::features::names_in;
use crate::spec::PipelineSpec;

/// Which part of a pipeline a call runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Decode, clean and the features before the windows; rows come out packed for the buckets of the first block.
    Front {
        /// Buckets of each block's keys.
        buckets: u32,
        /// Whether rows of several partitions will wait for each other, if the pipeline says `order`: those of a stream.
        #[serde(default)]
        stream: bool,
    },
    /// One window block, worked on by a [`super::BucketRunner`].
    Block(usize),
    /// Features behind the windows, models and output, of packed rows: one row in, all rows of its piece out.
    Back,
}

impl Part {
    /// Whether it stands behind other parts.
    pub(super) fn is_behind(self) -> bool {
        matches!(self, Self::Block(_) | Self::Back)
    }
}

/// Of the columns before the windows those that something behind them needs.
pub(super) fn carried(spec: &PipelineSpec, front: &SchemaRef) -> Vec<FieldRef> {
    let mut needed: HashSet<String> = HashSet::new();
    let mut need = |name: &str| {
        needed.insert(name.to_lowercase());
    };
    spec.order.iter().for_each(|order| need(&order.by));
    for window in &spec.windows {
        window.key.iter().for_each(|name| need(name));
        need(&window.time);
        window.order.iter().for_each(|name| need(name));
        window.compute.values().flat_map(|sql| names_in(sql)).for_each(|name| need(&name));
    }
    spec.features.values().flat_map(|sql| names_in(sql)).for_each(|name| need(&name));
    spec.output.iter().for_each(|output| need(&output.column));
    let mut all = false;
    for model in &spec.models {
        model.inputs.values().flatten().for_each(|name| need(name));
        model.sample.iter().flat_map(|sample| &sample.by).for_each(|name| need(name));
        // Without names a model takes the features, or columns of its inputs' names, which only its file tells.
        all |= model.inputs.is_empty();
    }
    // `a.b.c` may be a column or a field of one.
    let wanted = |name: &str| all || needed.contains(&name.to_lowercase());
    front.fields().iter().filter(|field| wanted(field.name())).cloned().collect()
}

/// The rows that earlier parts have rejected, and the others.
pub(super) struct Earlier {
    live: BooleanArray,
    rejected: StructArray,
}

impl Earlier {
    /// Takes rows out of `input` that come with a rejection; `None` if there are none.
    pub(super) fn take_out(input: &RecordBatch) -> Result<Option<(Self, RecordBatch)>, StageError> {
        let rejected = input.column_by_name(REJECTED).and_then(|column| column.as_struct_opt());
        let Some(rejected) = rejected.filter(|rejected| rejected.null_count() < rejected.len()) else {
            return Ok(None);
        };
        let live = is_null(rejected)?;
        let batch = filter_record_batch(input, &live)?;
        Ok(Some((Self { live, rejected: rejected.clone() }, batch)))
    }

    /// Puts them back to where they were.
    pub(super) fn put_back(&self, result: &RecordBatch) -> Result<RecordBatch, StageError> {
        let mut next = 0;
        let places = self.live.values().iter().map(|live| {
            live.then(|| {
                next += 1;
                next - 1
            })
        });
        let places = UInt32Array::from_iter(places);
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(result.num_columns());
        for (field, column) in result.schema().fields().iter().zip(result.columns()) {
            let spread = take(column, &places, None)?;
            columns.push(if field.name() == REJECTED { zip(&self.live, &spread, &self.rejected)? } else { spread });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.live.len()));
        Ok(RecordBatch::try_new_with_options(result.schema(), columns, &options)?)
    }
}

/// The columns that go from part to part.
pub(super) fn schema_of(fields: Vec<FieldRef>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::features::Features;

    const YAML: &str = "
name: t
input: {schema: 'id BIGINT, k BIGINT, g STRING, ts TIMESTAMP, x DOUBLE, y DOUBLE, unused STRING'}
features: {double: x * 2, far: double > 3 * k_mean_1h}
windows:
  - {key: k, time: ts, over: 1 hour, compute: {mean: avg(double), most: max(y)}}
  - {key: g, time: ts, over: 1 hour, compute: {n: count(*)}}
output: [id, far]
";

    #[test]
    fn only_what_is_needed_goes_from_part_to_part() {
        let spec = PipelineSpec::from_yaml(YAML, "t.yaml").unwrap();
        let front = Features::try_new(
            &spec.features[..1].iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            spec.input.schema.leaves(),
        );
        let carried = carried(&spec, front.unwrap().output_schema());
        let names: Vec<&str> = carried.iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["id", "k", "g", "ts", "x", "y", "double"]);
    }
}
