//! A trial run before any job: two rows of zeros and empty texts.
//!
//! It shows the outputs' true dimensions (a declared shape may be wrong) and whether the model works at all. Where rows
//! may differ in length, it runs for two lengths; an output's dimension that follows them varies.

use std::sync::Arc;

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::{FieldRef, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};

use super::bind::{Plan, RowsAtATime};
use super::call::{ran, run, wanted};
use super::convert::Buffer;
use super::intake::Intake;
use super::onnx_model::OnnxModel;
use super::output::{self, Trialled};
use crate::error::SpecError;

/// Lengths of a dimension that varies.
const LENGTHS: [usize; 2] = [2, 3];

/// Runs the model on rows of zeros. Models with texts or whole numbers may rightly refuse such a row (an unknown
/// category), and rows of any length may have a least one; then nothing is known, and `notes` say so.
///
/// # Errors
/// `MODEL_TRIAL` for a model of floats that fails on zeros.
pub(super) fn trial(
    path: &str,
    model: &Arc<OnnxModel>,
    plan: &Plan,
    input: &Schema,
    buffers: &mut [Buffer],
    notes: &mut Vec<String>,
) -> Result<Trialled, SpecError> {
    let mut trialled = Trialled::new();
    let lengths = if plan.is_ragged() { &LENGTHS[..] } else { &LENGTHS[..1] };
    for (turn, &length) in lengths.iter().enumerate() {
        match once(path, model, plan, input, buffers, length)? {
            Ok(found) => {
                for (output, dims) in found {
                    let Some(dims) = dims else {
                        trialled.remove(&output);
                        if turn == 0 {
                            notes.push(format!(
                                "output {output} does not have one entry per row and can't become a column"
                            ));
                        }
                        continue;
                    };
                    let fresh: Vec<Option<usize>> = dims.into_iter().map(Some).collect();
                    match trialled.get_mut(&output) {
                        Some(known) if known.len() == fresh.len() => {
                            known
                                .iter_mut()
                                .zip(&fresh)
                                .filter(|(known, fresh)| known != fresh)
                                .for_each(|(known, _)| *known = None);
                        }
                        _ => {
                            trialled.insert(output, fresh);
                        }
                    }
                }
            }
            Err(error) => {
                let floats = plan.bindings.iter().all(|binding| binding.element.is_float());
                if floats && !plan.is_ragged() {
                    return Err(SpecError::new(
                        "MODEL_TRIAL",
                        path,
                        format!("the model fails on a row of zeros: {error}"),
                    )
                    .with_hint("check that the columns are those that the model was trained with"));
                }
                notes.push(format!("a trial run on zeros and empty texts failed: {error}"));
                return Ok(declared(model, plan));
            }
        }
    }
    Ok(trialled)
}

/// What the file says where a row is a whole call, so that no dimension is taken for the rows; else nothing.
fn declared(model: &OnnxModel, plan: &Plan) -> Trialled {
    if plan.rows != RowsAtATime::OneCall {
        return Trialled::new();
    }
    let dims = |shape: &[Option<i64>]| shape.iter().map(|dim| usize::try_from((*dim)?).ok()).collect();
    model.outputs().iter().map(|output| (output.name.clone(), dims(&output.shape))).collect()
}

/// Each output and its dimensions for a row, `None` if its first one is not the rows; or ONNX Runtime's words.
type Found = Result<Vec<(String, Option<Vec<usize>>)>, ort::Error>;

fn once(
    path: &str,
    model: &Arc<OnnxModel>,
    plan: &Plan,
    input: &Schema,
    buffers: &mut [Buffer],
    length: usize,
) -> Result<Found, SpecError> {
    let rows = ran(plan.rows, 1);
    let fault = |message: String| SpecError::new("MODEL_TRIAL", path, message);
    let intake = zeros(plan, input, rows, length).map_err(|error| fault(error.to_string()))?;
    let all = output::all(model, &Trialled::new(), false);
    let every = wanted(&all).map_err(|error| fault(error.to_string()))?;
    let session = model.session().map_err(|error| fault(error.to_string()))?;
    let plain = plan.without_nan();
    let outcome = run(&session, &plain, buffers, &intake, 0..rows, &every).map_err(|error| fault(error.to_string()))?;
    let outputs = match outcome {
        Ok(outputs) => outputs,
        Err(error) => return Ok(Err(error)),
    };
    Ok(Ok(all
        .iter()
        .map(|column| {
            let dims = outputs.get(&column.output).and_then(|value| value.dtype().tensor_shape());
            let sizes = dims.map(|dims| dims.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect::<Vec<_>>());
            let inner = match sizes {
                Some(sizes) if plan.rows == RowsAtATime::OneCall => Some(sizes),
                Some(sizes) if sizes.first() == Some(&rows) => Some(sizes[1..].to_vec()),
                _ => None,
            };
            (column.output.clone(), inner)
        })
        .collect()))
}

/// Rows of zeros and empty texts that a plan can run; arrays are `length` long where that varies.
pub(super) fn zeros(plan: &Plan, input: &Schema, rows: usize, length: usize) -> Result<Intake, ArrowError> {
    let columns: Vec<ArrayRef> = input.fields().iter().map(|field| new_null_array(field.data_type(), rows)).collect();
    let nullable: Vec<FieldRef> =
        input.fields().iter().map(|field| Arc::new(field.as_ref().clone().with_nullable(true))).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(nullable)), columns, &options)?;
    Ok(Intake::of_zeros(plan, batch, length))
}
