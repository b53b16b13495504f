//! One call of ONNX Runtime: fill the tensors from a range of rows, run, give the outputs.

use std::ops::Range;

use arrow::array::ArrayRef;
use ort::session::SessionInputValue;
use ort::value::{DynTensor, Sequence};

use super::arrays::Arrays;
use super::bind::{Binding, OnNull, Plan, RowsAtATime};
use super::convert::{Buffer, Source};
use super::intake::Intake;
use super::output::Selected;
use super::session::{Computed, SharedSession, Wanted};
use crate::error::StageError;

/// The outputs of these columns only.
pub(super) fn wanted(selected: &[Selected]) -> Result<Wanted, ort::Error> {
    Wanted::new(selected.iter().map(|column| column.output.as_str()))
}

/// How many rows run for so many: a lone one runs twice, because ONNX Runtime has other kernels for one row.
pub(super) fn ran(rows: RowsAtATime, count: usize) -> usize {
    match rows {
        RowsAtATime::Any => count.max(2),
        RowsAtATime::Exactly(fixed) => fixed,
        RowsAtATime::OneCall => 1,
    }
}

/// One call of ONNX Runtime on rows of one shape. Outer error: ours or the environment's; inner error: ONNX Runtime's,
/// about these rows.
pub(super) fn run<'s>(
    session: &'s SharedSession,
    plan: &Plan,
    buffers: &mut [Buffer],
    intake: &Intake,
    rows: Range<usize>,
    wanted: &'s Wanted,
) -> Result<Result<Computed<'s>, ort::Error>, StageError> {
    let ran = ran(plan.rows, rows.len());
    let mut sequences = Vec::new();
    for ((binding, arrays), buffer) in plan.bindings.iter().zip(&intake.arrays).zip(buffers.iter_mut()) {
        let nan = matches!(binding.nulls, OnNull::Nan);
        match arrays {
            None => {
                let columns: Vec<&ArrayRef> = binding.columns.iter().map(|&index| intake.batch.column(index)).collect();
                buffer.fill(&Source::Columns(&columns, rows.clone()), ran, nan)?;
            }
            Some(arrays) if binding.is_sequence() => {
                sequences.push(match sequence(binding, arrays, buffer, rows.start, nan)? {
                    Ok(value) => value,
                    Err(error) => return Ok(Err(error)),
                });
            }
            Some(arrays) => {
                buffer.fill(&Source::Ranges(&arrays.values, &arrays.ranges[rows.clone()]), ran, nan)?;
            }
        }
    }
    let mut values: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(plan.bindings.len());
    let mut sequences = sequences.into_iter();
    for ((binding, arrays), buffer) in plan.bindings.iter().zip(&intake.arrays).zip(buffers.iter()) {
        let value = if binding.is_sequence() {
            let made = sequences.next().ok_or_else(|| StageError::internal("model", "a sequence was not made"))?;
            Ok(made.into())
        } else {
            let row = arrays.as_ref().map_or(binding.tail.as_slice(), |arrays| arrays.dims(rows.start));
            let count = (plan.rows != RowsAtATime::OneCall).then_some(ran);
            buffer.tensor(count.into_iter().chain(row.iter().copied()).collect())
        };
        match value {
            Ok(value) => values.push((&binding.input, value)),
            // A text with a null byte can't become a tensor: that row's fault.
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(session.run(&values, wanted))
}

impl Binding {
    pub(super) fn is_sequence(&self) -> bool {
        self.array.as_ref().is_some_and(|array| array.is_sequence)
    }
}

/// The sequence of one row: a tensor for each element.
fn sequence(
    binding: &Binding,
    arrays: &Arrays,
    buffer: &mut Buffer,
    row: usize,
    nan: bool,
) -> Result<Result<Sequence<ort::value::DynTensorValueType>, ort::Error>, StageError> {
    let range = arrays.ranges.get(row).cloned().unwrap_or_default();
    let rank = binding.array.as_ref().map_or(0, |array| array.inner.len());
    let dims = arrays.dims(row);
    let shapes: Vec<Vec<usize>> = match rank {
        0 => vec![Vec::new(); range.len()],
        rank => dims.chunks(rank).map(<[usize]>::to_vec).collect(),
    };
    let mut elements: Vec<DynTensor> = Vec::with_capacity(shapes.len());
    let mut start = range.start;
    for shape in shapes {
        let end = start + shape.iter().product::<usize>();
        buffer.fill(&Source::Ranges(&arrays.values, std::slice::from_ref(&(start..end))), 1, nan)?;
        match buffer.owned(shape) {
            Ok(tensor) => elements.push(tensor),
            Err(error) => return Ok(Err(error)),
        }
        start = end;
    }
    Ok(Sequence::new(elements))
}
