//! The values of an output, collected over the calls of a batch, and the column that they become.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    ListArray, StringArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::nullif;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use half::f16;
use ort::value::DynValue;

use super::output::{Selected, Shape};
use super::tensor::ElementType;

/// The values of one column, collected over the runs of a batch.
#[derive(Debug)]
pub(super) struct Collector {
    selected: Selected,
    values: Values,
    /// For arrays: at each level, the outermost first, the end of each array so far, starting with 0.
    offsets: Vec<Vec<i32>>,
    /// Rows that have no value at the wanted position.
    absent: Vec<usize>,
}

/// As columns have them: 16-bit floats as 32-bit ones, numbers without sign as the next wider type.
#[derive(Debug)]
enum Values {
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Int8(Vec<i8>),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Decimal(Vec<i128>),
    Bool(Vec<bool>),
    String(Vec<String>),
}

/// Values of an output, row after row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Data<'a> {
    Float16(&'a [f16]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Uint8(&'a [u8]),
    Uint16(&'a [u16]),
    Uint32(&'a [u32]),
    Uint64(&'a [u64]),
    Bool(&'a [bool]),
    String(&'a [String]),
}

impl Data<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Float16(_) => "float16",
            Self::Float32(_) => "float",
            Self::Float64(_) => "double",
            Self::Int8(_) => "int8",
            Self::Int16(_) => "int16",
            Self::Int32(_) => "int32",
            Self::Int64(_) => "int64",
            Self::Uint8(_) => "uint8",
            Self::Uint16(_) => "uint16",
            Self::Uint32(_) => "uint32",
            Self::Uint64(_) => "uint64",
            Self::Bool(_) => "bool",
            Self::String(_) => "string",
        }
    }
}

/// Appends the wanted values of the first `rows` rows of a row-major tensor.
fn append<T: Clone, U: Default>(
    out: &mut Vec<U>,
    values: &[T],
    rows: usize,
    width: usize,
    shape: Shape,
    convert: impl Fn(T) -> U,
) {
    match shape {
        Shape::List(_) | Shape::Scalar => out.extend(values[..rows * width].iter().cloned().map(convert)),
        Shape::At(at) if at < width => {
            out.extend(values[..rows * width].iter().skip(at).step_by(width).cloned().map(convert));
        }
        Shape::At(_) => out.extend(std::iter::repeat_with(U::default).take(rows)),
    }
}

/// What a result is to be cut to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// Rows wanted: the first ones.
    pub(super) rows: usize,
    /// Rows computed, more if some were padded; `None` if the whole result is one row's.
    pub(super) ran: Option<usize>,
}

impl Collector {
    pub(super) fn new(selected: Selected, rows: usize) -> Self {
        let values = match selected.element {
            ElementType::Float16 | ElementType::Float32 => Values::Float32(Vec::with_capacity(rows)),
            ElementType::Float64 => Values::Float64(Vec::with_capacity(rows)),
            ElementType::Int8 => Values::Int8(Vec::new()),
            ElementType::Int16 | ElementType::Uint8 => Values::Int16(Vec::new()),
            ElementType::Int32 | ElementType::Uint16 => Values::Int32(Vec::new()),
            ElementType::Int64 | ElementType::Uint32 => Values::Int64(Vec::with_capacity(rows)),
            ElementType::Uint64 => Values::Decimal(Vec::new()),
            ElementType::Bool => Values::Bool(Vec::new()),
            ElementType::String => Values::String(Vec::new()),
        };
        let levels = if let Shape::List(depth) = selected.shape { depth } else { 0 };
        Self { selected, values, offsets: vec![vec![0]; levels], absent: Vec::new() }
    }

    pub(super) fn output(&self) -> &str {
        &self.selected.output
    }

    /// Takes the wanted rows of a result.
    ///
    /// # Errors
    /// A sentence when the tensor is not what the model promised; no row is at fault then.
    pub(super) fn take(&mut self, value: &DynValue, cut: Cut) -> Result<(), String> {
        let name = &self.selected.output;
        let dims =
            value.dtype().tensor_shape().ok_or_else(|| format!("output {name} is {}, not a tensor", value.dtype()))?;
        let sizes: Vec<usize> = dims.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
        let inner = match (cut.ran, sizes.split_first()) {
            (None, _) => sizes,
            (Some(ran), Some((&first, rest))) if first == ran => rest.to_vec(),
            (Some(ran), _) => {
                return Err(format!(
                    "output {name} has shape {dims} for {ran} rows: its first dimension must be the rows"
                ));
            }
        };
        let wrong = |error: ort::Error| error.to_string();
        macro_rules! tensor {
            ($kind:ident) => {
                Data::$kind(value.try_extract_tensor().map_err(wrong)?.1)
            };
        }
        let strings;
        let data = match self.selected.element {
            ElementType::Float16 => tensor!(Float16),
            ElementType::Float32 => tensor!(Float32),
            ElementType::Float64 => tensor!(Float64),
            ElementType::Int8 => tensor!(Int8),
            ElementType::Int16 => tensor!(Int16),
            ElementType::Int32 => tensor!(Int32),
            ElementType::Int64 => tensor!(Int64),
            ElementType::Uint8 => tensor!(Uint8),
            ElementType::Uint16 => tensor!(Uint16),
            ElementType::Uint32 => tensor!(Uint32),
            ElementType::Uint64 => tensor!(Uint64),
            ElementType::Bool => tensor!(Bool),
            ElementType::String => {
                strings = value.try_extract_strings().map_err(wrong)?.1;
                Data::String(&strings)
            }
        };
        self.push_rows(data, &inner, cut.rows)
    }

    /// Takes the first `rows` rows of `data`, `width` values each.
    ///
    /// # Errors
    /// As [`Collector::push_rows`].
    pub(super) fn push(&mut self, data: Data<'_>, width: usize, rows: usize) -> Result<(), String> {
        self.push_rows(data, &[width], rows)
    }

    /// Takes the first `rows` rows of `data`, which have these dimensions each.
    ///
    /// # Errors
    /// A sentence when the values are not of the column's type or shape, or too many for it.
    fn push_rows(&mut self, data: Data<'_>, inner: &[usize], rows: usize) -> Result<(), String> {
        let name = &self.selected.output;
        let shape = self.selected.shape;
        let width: usize = inner.iter().product();
        match shape {
            Shape::Scalar if width != 1 => {
                return Err(format!(
                    "output {name} has {width} values per row where one was declared; choose one with {name}[0]"
                ));
            }
            Shape::At(at) if at >= width => {
                let len = self.rows();
                self.absent.extend(len..len + rows);
            }
            Shape::List(1) => self.close(&[width], rows)?,
            Shape::List(depth) if depth == inner.len() => self.close(inner, rows)?,
            Shape::List(depth) => {
                return Err(format!(
                    "output {name} has {} dimensions per row where {depth} were declared",
                    inner.len()
                ));
            }
            _ => {}
        }
        macro_rules! put {
            ($out:expr, $values:expr, $convert:expr) => {
                append($out, $values, rows, width, shape, $convert)
            };
        }
        match (&mut self.values, data) {
            // One NaN for all: ONNX Runtime's vector and scalar code make NaN of different bits, by the batch's size.
            (Values::Float32(out), Data::Float32(values)) => {
                put!(out, values, |v: f32| if v.is_nan() { f32::NAN } else { v });
            }
            (Values::Float32(out), Data::Float16(values)) => {
                put!(out, values, |v: f16| if v.is_nan() { f32::NAN } else { v.to_f32() });
            }
            (Values::Float64(out), Data::Float64(values)) => {
                put!(out, values, |v: f64| if v.is_nan() { f64::NAN } else { v });
            }
            (Values::Int8(out), Data::Int8(values)) => put!(out, values, |v| v),
            (Values::Int16(out), Data::Int16(values)) => put!(out, values, |v| v),
            (Values::Int16(out), Data::Uint8(values)) => put!(out, values, i16::from),
            (Values::Int32(out), Data::Int32(values)) => put!(out, values, |v| v),
            (Values::Int32(out), Data::Uint16(values)) => put!(out, values, i32::from),
            (Values::Int64(out), Data::Int64(values)) => put!(out, values, |v| v),
            (Values::Int64(out), Data::Uint32(values)) => put!(out, values, i64::from),
            (Values::Decimal(out), Data::Uint64(values)) => put!(out, values, i128::from),
            (Values::Bool(out), Data::Bool(values)) => put!(out, values, |v| v),
            (Values::String(out), Data::String(values)) => put!(out, values, |v| v),
            (_, other) => {
                let name = &self.selected.output;
                return Err(format!("output {name} came as {}, which its column can't hold", other.name()));
            }
        }
        Ok(())
    }

    /// Ends `rows` arrays of these dimensions, at all levels.
    fn close(&mut self, dims: &[usize], rows: usize) -> Result<(), String> {
        let mut count = rows;
        for (ends, &length) in self.offsets.iter_mut().zip(dims) {
            let last = ends.last().copied().unwrap_or(0);
            let total = count.checked_mul(length).and_then(|total| i32::try_from(total).ok());
            if total.and_then(|total| last.checked_add(total)).is_none() {
                let name = &self.selected.output;
                return Err(format!("output {name} has more than 2^31 values in one batch; use smaller batches"));
            }
            // Fits, as the sum does.
            ends.extend((1..=count).map(|n| last + (n * length) as i32));
            count *= length;
        }
        Ok(())
    }

    fn rows(&self) -> usize {
        match self.offsets.first() {
            Some(ends) => ends.len() - 1,
            None => self.len(),
        }
    }

    fn len(&self) -> usize {
        match &self.values {
            Values::Float32(values) => values.len(),
            Values::Float64(values) => values.len(),
            Values::Int8(values) => values.len(),
            Values::Int16(values) => values.len(),
            Values::Int32(values) => values.len(),
            Values::Int64(values) => values.len(),
            Values::Decimal(values) => values.len(),
            Values::Bool(values) => values.len(),
            Values::String(values) => values.len(),
        }
    }

    /// The rows that have a NaN among their values, each once, in order.
    pub(super) fn rows_with_nan(&self) -> Vec<usize> {
        let nan: Vec<usize> = match &self.values {
            Values::Float32(values) => positions(values, |value| value.is_nan()),
            Values::Float64(values) => positions(values, |value| value.is_nan()),
            _ => return Vec::new(),
        };
        // From a value to the innermost array that holds it, and so on outwards.
        let mut rows = self.offsets.iter().rev().fold(nan, |inside, ends| {
            inside.into_iter().map(|at| ends.partition_point(|&end| end as usize <= at) - 1).collect()
        });
        rows.dedup();
        rows
    }

    /// The column; a NaN becomes null if the author wants it so.
    pub(super) fn finish(self, null_for_nan: bool) -> Result<ArrayRef, ArrowError> {
        let absent = (!self.absent.is_empty()).then(|| {
            let mut valid = vec![true; self.len()];
            self.absent.iter().for_each(|&row| valid[row] = false);
            NullBuffer::from(valid)
        });
        macro_rules! primitive {
            ($array:ident, $values:expr) => {
                Arc::new($array::new($values.into(), absent))
            };
        }
        let without_nan = |values: ArrayRef, nan: Vec<bool>| {
            if null_for_nan && nan.contains(&true) { nullif(&values, &BooleanArray::from(nan)) } else { Ok(values) }
        };
        let values: ArrayRef = match self.values {
            Values::Float32(values) => {
                let nan = values.iter().map(|value| value.is_nan()).collect();
                without_nan(primitive!(Float32Array, values), nan)?
            }
            Values::Float64(values) => {
                let nan = values.iter().map(|value| value.is_nan()).collect();
                without_nan(primitive!(Float64Array, values), nan)?
            }
            Values::Int8(values) => primitive!(Int8Array, values),
            Values::Int16(values) => primitive!(Int16Array, values),
            Values::Int32(values) => primitive!(Int32Array, values),
            Values::Int64(values) => primitive!(Int64Array, values),
            Values::Decimal(values) => {
                Arc::new(Decimal128Array::new(values.into(), absent).with_precision_and_scale(20, 0)?)
            }
            Values::Bool(values) => Arc::new(BooleanArray::new(values.into(), absent)),
            Values::String(values) => match absent {
                Some(valid) => Arc::new(StringArray::from_iter(
                    values.iter().zip(valid.iter()).map(|(text, valid)| valid.then_some(text)),
                )),
                None => Arc::new(StringArray::from_iter_values(values)),
            },
        };
        let mut column = values;
        let mut kinds = Vec::new();
        let mut kind = self.selected.field.data_type();
        while let DataType::List(item) = kind {
            kinds.push(item);
            kind = item.data_type();
        }
        for (ends, item) in self.offsets.into_iter().zip(kinds).rev() {
            column = Arc::new(ListArray::try_new(Arc::clone(item), OffsetBuffer::new(ends.into()), column, None)?);
        }
        Ok(column)
    }
}

fn positions<T>(values: &[T], is: impl Fn(&T) -> bool) -> Vec<usize> {
    values.iter().enumerate().filter(|(_, value)| is(value)).map(|(at, _)| at).collect()
}
