//! What comes before a model sees a batch: nulls, values that do not fit, shapes.
//!
//! Rows that can't be scored are taken out, with the reason. The others are put in an order in which rows of one shape
//! stand together, because ONNX Runtime takes one shape at a time. The order within a shape is the batch's.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float32Array, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::arrays::{Arrays, Fault, imputed};
use super::bind::{OnNull, Plan};
use super::cast::misfits;
use super::convert::{Buffer, Source};
use super::shown;
use super::tensor::ElementType;
use crate::error::StageError;
use crate::stage::{RejectCode, RejectedRow};

/// A batch's rows that can be scored.
#[derive(Debug)]
pub(super) struct Intake {
    /// Their columns, nulls replaced where the author said by what.
    pub(super) batch: RecordBatch,
    /// For each input its arrays, if it is made of those.
    pub(super) arrays: Vec<Option<Arrays>>,
    /// Where each row was in the batch; `None` if all are where they were.
    pub(super) origin: Option<Vec<u32>>,
    /// Rows of one shape.
    pub(super) groups: Vec<Range<usize>>,
    /// The others.
    pub(super) rejected: Vec<RejectedRow>,
}

impl Intake {
    /// Looks at each row of a batch.
    pub(super) fn read(plan: &Plan, model: &str, batch: &RecordBatch) -> Result<Self, StageError> {
        let rows = batch.num_rows();
        let mut faults: Vec<Option<Fault>> = vec![None; rows];
        let mut columns = batch.columns().to_vec();
        let mut arrays = Vec::with_capacity(plan.bindings.len());
        for binding in &plan.bindings {
            let Some(shape) = &binding.array else {
                for (i, (&index, check)) in binding.columns.iter().zip(&binding.checks).enumerate() {
                    let column = batch.column(index);
                    let name = batch.schema_ref().field(index).name();
                    let mut reject = |row: usize, code, message: String| {
                        if let Some(fault @ None) = faults.get_mut(row) {
                            *fault = Some((code, message));
                        }
                    };
                    if column.null_count() > 0 {
                        match &binding.nulls {
                            OnNull::Reject => {
                                for row in (0..rows).filter(|&row| column.is_null(row)) {
                                    let message = format!("column `{name}` is null");
                                    reject(row, RejectCode::NullFeature, message);
                                }
                            }
                            OnNull::Nan => {}
                            OnNull::Impute(constants) => {
                                if let Some(constant) = constants.get(i) {
                                    columns[index] = imputed(column, constant)?;
                                }
                            }
                        }
                    }
                    for row in check.map(|check| misfits(column, check, 0..rows)).into_iter().flatten() {
                        let message = shown::misfit(name, column, row, &binding.input, binding.element);
                        reject(row, RejectCode::InputValue, message);
                    }
                }
                arrays.push(None);
                continue;
            };
            let index = binding.columns.first().copied().unwrap_or_default();
            let name = batch.schema_ref().field(index).name();
            arrays.push(Some(Arrays::read(binding, shape, name, batch.column(index), &mut faults)?));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(batch.schema(), columns, &options)?;
        let mut good = Vec::with_capacity(rows);
        let mut rejected = Vec::new();
        for (row, fault) in faults.into_iter().enumerate() {
            let row = row as u32;
            match fault {
                None => good.push(row),
                Some((RejectCode::NullFeature, what)) => {
                    let message = format!("{what}, and model {model} needs it");
                    rejected.push(RejectedRow { row, code: RejectCode::NullFeature, message });
                }
                Some((code, message)) => rejected.push(RejectedRow { row, code, message }),
            }
        }
        Self { batch, arrays, origin: None, groups: Vec::new(), rejected }.ordered(plan, good)
    }

    /// Rows of zeros and empty texts that fit the plan, for a trial; arrays are `length` long where that varies.
    pub(super) fn of_zeros(plan: &Plan, batch: RecordBatch, length: usize) -> Self {
        let rows = batch.num_rows();
        let arrays = plan.bindings.iter().map(|binding| {
            let column = binding.columns.first().map(|&index| batch.column(index).data_type());
            binding.array.as_ref().zip(column).map(|(shape, column)| Arrays::of_zeros(shape, column, rows, length))
        });
        let arrays = arrays.collect();
        let groups = std::iter::once(0..rows).collect();
        Self { batch, arrays, origin: None, groups, rejected: Vec::new() }
    }

    /// Leaves only the `good` rows, those of one shape together.
    fn ordered(mut self, plan: &Plan, mut good: Vec<u32>) -> Result<Self, StageError> {
        let ragged: Vec<&[u32]> = match plan.is_ragged() {
            true => self.arrays.iter().flatten().map(|arrays| arrays.shapes.as_slice()).collect(),
            false => Vec::new(),
        };
        let shape = |row: u32| ragged.iter().map(move |shapes| shapes[row as usize]);
        good.sort_by(|&a, &b| shape(a).cmp(shape(b)));
        let mut groups: Vec<Range<usize>> = Vec::new();
        for (at, &row) in good.iter().enumerate() {
            match groups.last_mut() {
                Some(group) if shape(good[group.start]).eq(shape(row)) => group.end = at + 1,
                _ => groups.push(at..at + 1),
            }
        }
        self.groups = groups;
        let unmoved = good.len() == self.batch.num_rows() && good.is_sorted();
        if !unmoved {
            self.batch = take_record_batch(&self.batch, &UInt32Array::from(good.clone()))?;
            for arrays in self.arrays.iter_mut().flatten() {
                arrays.reorder(&good);
            }
            self.origin = Some(good);
        }
        Ok(self)
    }

    /// The arrays of a model's one input as columns of floats, one for each element; `None` if they are columns already.
    pub(super) fn unrolled(&self, nan_for_null: bool) -> Result<Option<RecordBatch>, StageError> {
        let [Some(arrays)] = self.arrays.as_slice() else { return Ok(None) };
        let rows = self.batch.num_rows();
        let mut buffer = Buffer::new(ElementType::Float32);
        buffer.fill(&Source::Ranges(&arrays.values, &arrays.ranges), rows, nan_for_null)?;
        let Buffer::Float32(values) = buffer else { return Ok(None) };
        let Some(width) = values.len().checked_div(rows).filter(|&width| width > 0) else { return Ok(None) };
        let column = |at: usize| -> ArrayRef {
            let of_rows: Vec<f32> = values.iter().skip(at).step_by(width).copied().collect();
            Arc::new(Float32Array::from(of_rows))
        };
        Ok(Some(RecordBatch::try_from_iter((0..width).map(|at| (at.to_string(), column(at))))?))
    }

    /// Where a row was in the batch.
    pub(super) fn origin(&self, row: usize) -> u32 {
        self.origin.as_ref().map_or(row as u32, |origin| origin[row])
    }
}
