//! One call of ONNX Runtime: fill the tensors from a range of rows, run, give the outputs.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session, SessionInputValue, SessionOutputs};
use ort::value::{Tensor, TensorRef};

use super::bind::Binding;
use super::convert::{Buffer, strings};
use super::output::Selected;
use crate::error::StageError;

/// Computes the outputs of these columns only.
pub(super) fn run_options(selected: &[Selected]) -> Result<RunOptions<HasSelectedOutputs>, ort::Error> {
    let names: BTreeSet<&str> = selected.iter().map(|column| column.output.as_str()).collect();
    Ok(RunOptions::new()?.with_outputs(names.into_iter().fold(OutputSelector::no_default(), OutputSelector::with)))
}

/// One call of ONNX Runtime. Outer error: ours or the environment's; inner error: ONNX Runtime's, about these rows.
pub(super) fn run<'s>(
    session: &'s mut Session,
    bindings: &[Binding],
    buffers: &mut [Buffer],
    batch: &RecordBatch,
    rows: Range<usize>,
    nan_for_null: bool,
    options: &'s RunOptions<HasSelectedOutputs>,
) -> Result<Result<SessionOutputs<'s>, ort::Error>, StageError> {
    let ran = rows.len().max(2);
    for (binding, buffer) in bindings.iter().zip(buffers.iter_mut()) {
        buffer.fill(&columns(batch, binding), rows.clone(), nan_for_null)?;
    }
    let mut values: Vec<(&str, SessionInputValue<'_>)> = Vec::with_capacity(bindings.len());
    for (binding, buffer) in bindings.iter().zip(buffers.iter()) {
        let mut shape = Vec::with_capacity(1 + binding.tail.len());
        shape.push(ran);
        shape.extend_from_slice(&binding.tail);
        let value: Result<SessionInputValue<'_>, ort::Error> = match buffer {
            Buffer::Float32(data) => TensorRef::from_array_view((shape, data.as_slice())).map(Into::into),
            Buffer::Float64(data) => TensorRef::from_array_view((shape, data.as_slice())).map(Into::into),
            Buffer::Int64(data) => TensorRef::from_array_view((shape, data.as_slice())).map(Into::into),
            Buffer::Int32(data) => TensorRef::from_array_view((shape, data.as_slice())).map(Into::into),
            Buffer::Bool(data) => TensorRef::from_array_view((shape, data.as_slice())).map(Into::into),
            Buffer::String => {
                let data = strings(&columns(batch, binding), rows.clone())?;
                Tensor::from_string_array((shape, data.as_slice())).map(Into::into)
            }
        };
        match value {
            Ok(value) => values.push((&binding.input, value)),
            // A text with a null byte can't become a tensor: that row's fault.
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(session.run_with_options(values, options))
}

fn columns<'b>(batch: &'b RecordBatch, binding: &Binding) -> Vec<&'b ArrayRef> {
    binding.columns.iter().map(|&index| batch.column(index)).collect()
}
