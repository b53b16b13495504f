//! Tensors to columns: which part of which output becomes which column, and how it is collected.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, ListArray, StringBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use ort::value::DynValue;

use super::bind::describe;
use super::onnx_model::{ElementType, OnnxModel, TensorDescription};
use crate::error::SpecError;
use crate::spec::{Part, Selector, names};

/// Values per row of an output, by name, as a trial run showed them; empty if there was none.
pub(super) type Widths = std::collections::HashMap<String, usize>;

/// Shape of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The only value of the row.
    Scalar,
    /// The value at a position of the row.
    At(usize),
    /// All values of the row.
    List,
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

fn arrow_type(element: ElementType) -> DataType {
    match element {
        ElementType::Float32 => DataType::Float32,
        ElementType::Float64 => DataType::Float64,
        ElementType::Int64 => DataType::Int64,
        ElementType::Int32 => DataType::Int32,
        ElementType::Bool => DataType::Boolean,
        ElementType::String => DataType::Utf8,
    }
}

fn element_field(element: ElementType) -> FieldRef {
    Arc::new(Field::new("element", arrow_type(element), false))
}

fn selected(column: &str, output: &TensorDescription, element: ElementType, shape: Shape) -> Selected {
    let kind = match shape {
        Shape::List => DataType::List(element_field(element)),
        _ => arrow_type(element),
    };
    Selected { output: output.name.clone(), element, shape, field: Arc::new(Field::new(column, kind, true)) }
}

/// A column for every output that columns can hold, named and ordered as in the model: one value per row (declared
/// `[rows]` or `[rows,1]`) is a plain column, any other an array. Outputs that are no tensors have none.
pub fn all_outputs(model: &OnnxModel) -> Vec<FieldRef> {
    all(model, &Widths::new()).into_iter().map(|selected| selected.field).collect()
}

/// As [`all_outputs`]; `widths` beats the declared shape, which may be wrong (skl2onnx declares one value for a forest of
/// several targets).
pub(super) fn all(model: &OnnxModel, widths: &Widths) -> Vec<Selected> {
    let width = |output: &TensorDescription| widths.get(&output.name).copied().or_else(|| output.width());
    let shape = |output: &TensorDescription| if width(output) == Some(1) { Shape::Scalar } else { Shape::List };
    model
        .outputs()
        .iter()
        .filter_map(|output| Some(selected(&output.name, output, output.element?, shape(output))))
        .collect()
}

/// Plans one column. `widths` beats the declared shape, which may be wrong.
pub(super) fn select(
    model: &OnnxModel,
    path: &str,
    column: &str,
    text: &str,
    widths: &Widths,
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
    let Some(element) = output.element else {
        return Err(fault(format!("the model's output {output} is of a type that no column can hold")));
    };
    let width = widths.get(&output.name).copied().or_else(|| output.width());
    let shape = match (part, width) {
        (None, None | Some(1)) => Shape::Scalar,
        (None, Some(width)) => {
            return Err(fault(format!(
                "the model's output {output} has {width} values per row; choose one: {}",
                choices(output, width)
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
    Ok(selected(column, output, element, shape))
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

/// The values of one column, collected over the runs of a batch.
#[derive(Debug)]
pub(super) struct Collector {
    selected: Selected,
    values: Values,
    /// For arrays: end of each row so far, starting with 0.
    offsets: Vec<i32>,
}

#[derive(Debug)]
enum Values {
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Int64(Vec<i64>),
    Int32(Vec<i32>),
    Bool(Vec<bool>),
    String(StringBuilder),
}

/// Values of an output, row after row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Data<'a> {
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Int64(&'a [i64]),
    Int32(&'a [i32]),
    Bool(&'a [bool]),
    String(&'a [String]),
}

impl Data<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Float32(_) => "float",
            Self::Float64(_) => "double",
            Self::Int64(_) => "int64",
            Self::Int32(_) => "int32",
            Self::Bool(_) => "bool",
            Self::String(_) => "string",
        }
    }
}

/// Appends the wanted values of the first `rows` rows of a row-major tensor.
fn append<T: Clone>(out: &mut Vec<T>, values: &[T], rows: usize, width: usize, shape: Shape) {
    match shape {
        Shape::List => out.extend_from_slice(&values[..rows * width]),
        Shape::Scalar => out.extend_from_slice(&values[..rows]),
        Shape::At(at) => out.extend(values[..rows * width].iter().skip(at).step_by(width).cloned()),
    }
}

impl Collector {
    pub(super) fn new(selected: Selected, rows: usize) -> Self {
        let values = match selected.element {
            ElementType::Float32 => Values::Float32(Vec::with_capacity(rows)),
            ElementType::Float64 => Values::Float64(Vec::with_capacity(rows)),
            ElementType::Int64 => Values::Int64(Vec::with_capacity(rows)),
            ElementType::Int32 => Values::Int32(Vec::with_capacity(rows)),
            ElementType::Bool => Values::Bool(Vec::with_capacity(rows)),
            ElementType::String => Values::String(StringBuilder::new()),
        };
        Self { selected, values, offsets: vec![0] }
    }

    pub(super) fn output(&self) -> &str {
        &self.selected.output
    }

    /// Takes the first `rows` rows of a result that was computed for `ran` rows (one more if a lone row was padded).
    ///
    /// # Errors
    /// A sentence when the tensor is not what the model promised; no row is at fault then.
    pub(super) fn take(&mut self, value: &DynValue, rows: usize, ran: usize) -> Result<(), String> {
        let name = &self.selected.output;
        let dims =
            value.dtype().tensor_shape().ok_or_else(|| format!("output {name} is {}, not a tensor", value.dtype()))?;
        let width = match dims.split_first() {
            Some((&first, rest)) if usize::try_from(first).is_ok_and(|first| first == ran) => {
                rest.iter().product::<i64>()
            }
            _ => {
                return Err(format!(
                    "output {name} has shape {dims} for {ran} rows: its first dimension must be the rows"
                ));
            }
        };
        let width = usize::try_from(width).unwrap_or(0);
        let shape = self.selected.shape;
        match shape {
            Shape::Scalar if width != 1 => {
                return Err(format!(
                    "output {name} has {width} values per row where one was declared; choose one with {name}[0]"
                ));
            }
            Shape::At(at) if at >= width => {
                return Err(format!("output {name} has {width} values per row, so there is no [{at}]"));
            }
            _ => {}
        }
        let wrong = |error: ort::Error| error.to_string();
        let strings;
        let data = match self.values {
            Values::Float32(_) => Data::Float32(value.try_extract_tensor().map_err(wrong)?.1),
            Values::Float64(_) => Data::Float64(value.try_extract_tensor().map_err(wrong)?.1),
            Values::Int64(_) => Data::Int64(value.try_extract_tensor().map_err(wrong)?.1),
            Values::Int32(_) => Data::Int32(value.try_extract_tensor().map_err(wrong)?.1),
            Values::Bool(_) => Data::Bool(value.try_extract_tensor().map_err(wrong)?.1),
            Values::String(_) => {
                strings = value.try_extract_strings().map_err(wrong)?.1;
                Data::String(&strings)
            }
        };
        self.push(data, width, rows)
    }

    /// Takes the first `rows` rows of `data`, `width` values each.
    ///
    /// # Errors
    /// A sentence when the values are not of the column's type or too many for it.
    pub(super) fn push(&mut self, data: Data<'_>, width: usize, rows: usize) -> Result<(), String> {
        let name = &self.selected.output;
        let shape = self.selected.shape;
        match (&mut self.values, data) {
            (Values::Float32(out), Data::Float32(values)) => append(out, values, rows, width, shape),
            (Values::Float64(out), Data::Float64(values)) => append(out, values, rows, width, shape),
            (Values::Int64(out), Data::Int64(values)) => append(out, values, rows, width, shape),
            (Values::Int32(out), Data::Int32(values)) => append(out, values, rows, width, shape),
            (Values::Bool(out), Data::Bool(values)) => append(out, values, rows, width, shape),
            (Values::String(out), Data::String(values)) => {
                let mut wanted = Vec::new();
                append(&mut wanted, values, rows, width, shape);
                wanted.iter().for_each(|string| out.append_value(string));
            }
            (_, other) => return Err(format!("output {name} came as {}, which its column can't hold", other.name())),
        }
        if shape == Shape::List {
            let width = i32::try_from(width)
                .map_err(|_| format!("output {name} has {width} values per row, too many for an array"))?;
            for _ in 0..rows {
                let last = self.offsets.last().copied().unwrap_or(0);
                let next = last.checked_add(width).ok_or_else(|| {
                    format!("output {name} has more than 2^31 values in one batch; use smaller batches")
                })?;
                self.offsets.push(next);
            }
        }
        Ok(())
    }

    /// The column.
    pub(super) fn finish(self) -> Result<ArrayRef, arrow::error::ArrowError> {
        let values: ArrayRef = match self.values {
            Values::Float32(values) => Arc::new(Float32Array::from(values)),
            Values::Float64(values) => Arc::new(Float64Array::from(values)),
            Values::Int64(values) => Arc::new(Int64Array::from(values)),
            Values::Int32(values) => Arc::new(Int32Array::from(values)),
            Values::Bool(values) => Arc::new(BooleanArray::from(values)),
            Values::String(mut values) => Arc::new(values.finish()),
        };
        if self.selected.shape != Shape::List {
            return Ok(values);
        }
        let offsets = OffsetBuffer::new(self.offsets.into());
        Ok(Arc::new(ListArray::try_new(element_field(self.selected.element), offsets, values, None)?))
    }
}
