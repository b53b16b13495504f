//! Outputs to columns: which part of which output becomes which column, and of what type.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};

pub(super) use super::collect::{Collector, Cut, Data};
use super::mapping::describe;
use super::onnx_model::OnnxModel;
use super::tensor::{ElementType, TensorDescription};
use crate::error::SpecError;
use crate::spec::{Part, Selector, names};

/// Dimensions of one row of each output, by name, as trial runs showed them; `None` for one that varies. Empty if there
/// was no trial.
pub(super) type Trialled = HashMap<String, Vec<Option<usize>>>;

/// Shape of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The only value of the row.
    Scalar,
    /// The value at a position of the row, its dimensions laid flat.
    At(usize),
    /// All values of the row: arrays, nested so deep.
    List(usize),
}

/// One planned column.
#[derive(Debug, Clone)]
pub(super) struct Selected {
    /// Name of the model's output.
    pub(super) output: String,
    pub(super) element: ElementType,
    pub(super) shape: Shape,
    pub(super) field: FieldRef,
}

/// The type that holds every value: 16-bit floats as 32-bit ones, numbers without sign as the next wider type.
fn arrow_type(element: ElementType) -> DataType {
    match element {
        ElementType::Float16 | ElementType::Float32 => DataType::Float32,
        ElementType::Float64 => DataType::Float64,
        ElementType::Int8 => DataType::Int8,
        ElementType::Int16 | ElementType::Uint8 => DataType::Int16,
        ElementType::Int32 | ElementType::Uint16 => DataType::Int32,
        ElementType::Int64 | ElementType::Uint32 => DataType::Int64,
        ElementType::Uint64 => DataType::Decimal128(20, 0),
        ElementType::Bool => DataType::Boolean,
        ElementType::String => DataType::Utf8,
    }
}

fn selected(column: &str, output: &TensorDescription, element: ElementType, shape: Shape, nullable: bool) -> Selected {
    let mut kind = arrow_type(element);
    if let Shape::List(depth) = shape {
        for level in 0..depth {
            kind = DataType::List(Arc::new(Field::new("element", kind, nullable && level == 0)));
        }
    }
    Selected { output: output.name.clone(), element, shape, field: Arc::new(Field::new(column, kind, true)) }
}

/// A column for every output that columns can hold, named and ordered as in the model: one value per row (declared
/// `[rows]` or `[rows,1]`) is a plain column, any other an array, nested as the output's dimensions are. Outputs that are
/// no tensors have none.
pub fn all_outputs(model: &OnnxModel) -> Vec<FieldRef> {
    all(model, &Trialled::new(), false).into_iter().map(|selected| selected.field).collect()
}

/// As [`all_outputs`]; `trialled` beats the declared shape, which may be wrong (skl2onnx declares one value for a forest
/// of several targets). `nullable`: the values inside arrays may be null.
pub(super) fn all(model: &OnnxModel, trialled: &Trialled, nullable: bool) -> Vec<Selected> {
    let tensors = model.outputs().iter().filter(|output| !output.is_sequence);
    tensors
        .filter_map(|output| {
            Some(selected(&output.name, output, output.element?, whole(&dims(output, trialled)), nullable))
        })
        .collect()
}

/// Dimensions of a row; `None` if nothing is known.
fn dims(output: &TensorDescription, trialled: &Trialled) -> Option<Vec<Option<usize>>> {
    let declared = (!output.shape.is_empty()).then(|| output.inner());
    trialled.get(&output.name).cloned().or(declared)
}

/// Values of a row, if that is known and always the same.
fn width(dims: &Option<Vec<Option<usize>>>) -> Option<usize> {
    dims.as_ref()?.iter().copied().product()
}

/// The column of a whole output.
fn whole(dims: &Option<Vec<Option<usize>>>) -> Shape {
    match dims {
        dims if width(dims) == Some(1) => Shape::Scalar,
        Some(dims) => Shape::List(dims.len()),
        None => Shape::List(1),
    }
}

/// Plans one column. `trialled` and `nullable` as for [`all`].
pub(super) fn select(
    model: &OnnxModel,
    path: &str,
    column: &str,
    text: &str,
    trialled: &Trialled,
    nullable: bool,
) -> Result<Selected, SpecError> {
    let fault = |message: String| SpecError::new("MODEL_OUTPUT", path, message);
    let named = |name: &str| model.outputs().iter().find(|output| output.name == name);
    // An output may itself be called `a[0]`.
    let (output, part) = match named(text) {
        Some(output) => (output, None),
        None => {
            let selector = Selector::parse(text).map_err(fault)?;
            let Some(output) = named(&selector.output) else {
                return Err(fault(format!(
                    "the model has no output `{}`; it gives {}",
                    selector.output,
                    describe(model.outputs())
                ))
                .with_hint(names::advice(
                    &selector.output,
                    model.outputs().iter().map(|output| output.name.as_str()),
                )));
            };
            (output, selector.part)
        }
    };
    let Some(element) = output.element.filter(|_| !output.is_sequence) else {
        return Err(fault(format!("the model's output {output} is of a type that no column can hold")));
    };
    let dims = dims(output, trialled);
    let width = width(&dims);
    let shape = match (part, width) {
        (Some(Part::All), _) => match &dims {
            Some(dims) => Shape::List(dims.len().max(1)),
            None => Shape::List(1),
        },
        (None, Some(1)) => Shape::Scalar,
        // Nothing was tried, and the file may know less than the author.
        (None, None) if !trialled.contains_key(&output.name) => Shape::Scalar,
        (None, None) => {
            return Err(fault(format!(
                "the model's output {output} may have any number of values per row; write {}[*] for an array of them",
                output.name
            )));
        }
        (None, Some(width)) => {
            return Err(fault(format!(
                "the model's output {output} has {width} values per row; choose one: {}, or {}[*] for an array of all",
                choices(output, width),
                output.name
            )));
        }
        (Some(Part::Position(at)), Some(width)) if at >= width => {
            return Err(fault(format!(
                "the model's output {output} has {width} values per row, so there is no [{at}]; choose one: {}",
                choices(output, width)
            )));
        }
        (Some(Part::Position(at)), _) => Shape::At(at),
        (Some(Part::Label(label)), width) => match output.labels.iter().position(|known| *known == label) {
            Some(at) => Shape::At(at),
            None if output.labels.is_empty() => {
                return Err(fault(format!(
                    "the model does not say labels for its output {output}, so [\"{label}\"] can't be found; choose by position, such as {}[0]",
                    output.name
                )));
            }
            None => {
                return Err(fault(format!(
                    "the model's output {output} has no label \"{label}\"; choose one: {}",
                    choices(output, width.unwrap_or(output.labels.len()))
                )));
            }
        },
    };
    Ok(selected(column, output, element, shape, nullable))
}

fn choices(output: &TensorDescription, width: usize) -> String {
    const SHOWN: usize = 10;
    let mut parts: Vec<String> = (0..width.min(SHOWN))
        .map(|at| match output.labels.get(at) {
            Some(label) => format!("{}[{at}] = {}[\"{label}\"]", output.name, output.name),
            None => format!("{}[{at}]", output.name),
        })
        .collect();
    if width > SHOWN {
        parts.push(format!("... {}[{}]", output.name, width - 1));
    }
    parts.join(", ")
}
