//! Columns of arrays as inputs: which values a row has, what shape it is, and what is wrong with it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::array::{Array, ArrayRef, AsArray, ListArray, Scalar, new_null_array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{concat, is_not_null, take};
use arrow::error::ArrowError;

use super::bind::{ArrayShape, Binding, OnNull, leaf};
use super::cast::misfits;
use crate::stage::RejectCode;

/// The arrays of one input: their values end to end, and each row's part.
#[derive(Debug)]
pub(super) struct Arrays {
    /// Values of all rows.
    pub(super) values: ArrayRef,
    /// Where each row's values are; empty for a row that was rejected.
    pub(super) ranges: Vec<Range<usize>>,
    /// Number of each row's shape in `known`, if rows may differ.
    pub(super) shapes: Vec<u32>,
    /// Every shape that occurs, once. Of a sequence: the shapes of its elements, one behind the other.
    pub(super) known: Vec<Vec<usize>>,
}

/// Why a row can't be scored.
pub(super) type Fault = (RejectCode, String);

/// Values and shape of one row.
type Found = Result<(Range<usize>, Vec<usize>), Fault>;

impl Arrays {
    /// Reads the rows of a column; `faults` has an entry for those that are out already, and gets the new ones.
    pub(super) fn read(
        binding: &Binding,
        shape: &ArrayShape,
        name: &str,
        column: &ArrayRef,
        faults: &mut [Option<Fault>],
    ) -> Result<Self, ArrowError> {
        let levels = levels(column);
        let Some(last) = levels.last() else {
            return Err(ArrowError::InvalidArgumentError(format!("column {name} is {}", column.data_type())));
        };
        let (values, filler) = filled(last.values(), shape, &binding.nulls)?;
        let reader = Reader { binding, shape, name, levels: &levels, values: &values };
        let mut interned: HashMap<Vec<usize>, u32> = HashMap::new();
        let mut out = Self { values: Arc::clone(&values), ranges: Vec::new(), shapes: Vec::new(), known: Vec::new() };
        for (row, fault) in faults.iter_mut().enumerate() {
            let found = match (&fault, column.is_null(row), &binding.nulls) {
                (Some(_), ..) => Ok((0..0, Vec::new())),
                (None, false, _) => reader.row(row),
                (None, true, OnNull::Reject) => Err((RejectCode::NullFeature, format!("column `{name}` is null"))),
                (None, true, _) => Ok((filler.clone(), shape.inner.iter().copied().flatten().collect())),
            };
            let (range, dims) = found.unwrap_or_else(|found| {
                *fault = Some(found);
                (0..0, Vec::new())
            });
            let fresh = u32::try_from(out.known.len()).unwrap_or(u32::MAX);
            let id = *interned.entry(dims).or_insert_with_key(|dims| {
                out.known.push(dims.clone());
                fresh
            });
            out.ranges.push(range);
            out.shapes.push(id);
        }
        Ok(out)
    }

    /// Rows of zeros and empty texts, `length` long in each dimension that varies: for a trial.
    pub(super) fn of_zeros(
        shape: &ArrayShape,
        column: &arrow::datatypes::DataType,
        rows: usize,
        length: usize,
    ) -> Self {
        let mut dims: Vec<usize> = shape.inner.iter().map(|dim| dim.unwrap_or(length)).collect();
        let mut width: usize = dims.iter().product();
        if shape.is_sequence {
            width *= length;
            dims = dims.repeat(length);
        }
        Self {
            values: new_null_array(leaf(column).1, rows * width),
            ranges: (0..rows).map(|row| row * width..(row + 1) * width).collect(),
            shapes: vec![0; rows],
            known: vec![dims],
        }
    }

    /// The shape of a row.
    pub(super) fn dims(&self, row: usize) -> &[usize] {
        self.shapes.get(row).and_then(|&id| self.known.get(id as usize)).map_or(&[], Vec::as_slice)
    }

    /// The rows in another order; some may be left out.
    pub(super) fn reorder(&mut self, order: &[u32]) {
        self.ranges = order.iter().map(|&row| self.ranges[row as usize].clone()).collect();
        self.shapes = order.iter().map(|&row| self.shapes[row as usize]).collect();
    }
}

/// The column's arrays, the outermost first.
fn levels(column: &ArrayRef) -> Vec<&ListArray> {
    let mut levels: Vec<&ListArray> = Vec::new();
    let mut inside = column;
    while let Some(list) = inside.as_list_opt::<i32>() {
        levels.push(list);
        inside = list.values();
    }
    levels
}

/// The values with what stands for nulls among them, and behind them what stands for a row that is null.
fn filled(values: &ArrayRef, shape: &ArrayShape, nulls: &OnNull) -> Result<(ArrayRef, Range<usize>), ArrowError> {
    let width = shape.width().unwrap_or(0);
    let (values, filler) = match nulls {
        OnNull::Reject => return Ok((Arc::clone(values), 0..0)),
        OnNull::Nan => (Arc::clone(values), new_null_array(values.data_type(), width)),
        OnNull::Impute(constants) => {
            let Some(constant) = constants.first() else { return Ok((Arc::clone(values), 0..0)) };
            (imputed(values, constant)?, take(constant, &UInt32Array::from(vec![0; width]), None)?)
        }
    };
    let end = values.len();
    Ok((concat(&[values.as_ref(), filler.as_ref()])?, end..end + width))
}

/// The column with a constant, an array of one value, in the place of nulls.
pub(super) fn imputed(column: &ArrayRef, constant: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if column.null_count() == 0 {
        return Ok(Arc::clone(column));
    }
    zip(&is_not_null(column)?, column, &Scalar::new(Arc::clone(constant)))
}

struct Reader<'a> {
    binding: &'a Binding,
    shape: &'a ArrayShape,
    name: &'a str,
    levels: &'a [&'a ListArray],
    values: &'a ArrayRef,
}

impl Reader<'_> {
    fn row(&self, row: usize) -> Found {
        let (range, dims) = if self.shape.is_sequence { self.sequence(row)? } else { self.array(row..row + 1, 0)? };
        self.check(&range)?;
        Ok((range, dims))
    }

    /// One array that starts at a level, as the list of one: its values and its dimensions.
    fn array(&self, one: Range<usize>, level: usize) -> Found {
        let mut range = one;
        let mut dims = Vec::with_capacity(self.shape.inner.len());
        for list in &self.levels[level..] {
            let mut length = None;
            for at in range.clone() {
                if list.is_null(at) {
                    return Err((
                        RejectCode::NullFeature,
                        format!("column `{}` has an array in it that is null", self.name),
                    ));
                }
                let found = list.value_length(at) as usize;
                if *length.get_or_insert(found) != found {
                    let message = format!(
                        "column `{}`: arrays of {} and of {found} elements stand side by side; they must be of one length",
                        self.name,
                        length.unwrap_or_default()
                    );
                    return Err((RejectCode::InputShape, message));
                }
            }
            dims.push(length.unwrap_or_default());
            let offsets = list.value_offsets();
            range = offsets[range.start] as usize..offsets[range.end] as usize;
        }
        let dims = self.fitted(dims)?;
        Ok((range, dims))
    }

    /// The elements of a sequence: each an array of its own shape.
    fn sequence(&self, row: usize) -> Found {
        let offsets = self.levels[0].value_offsets();
        let elements = offsets[row] as usize..offsets[row + 1] as usize;
        if elements.is_empty() {
            let message = format!("column `{}` is an empty array, of which no sequence can be made", self.name);
            return Err((RejectCode::InputShape, message));
        }
        let mut whole: Option<Range<usize>> = None;
        let mut shapes = Vec::new();
        for element in elements {
            let (range, dims) = match self.levels.len() {
                1 => (element..element + 1, Vec::new()),
                _ if self.levels[1].is_null(element) => {
                    return Err((
                        RejectCode::NullFeature,
                        format!("column `{}` has an array in it that is null", self.name),
                    ));
                }
                _ => self.array(element..element + 1, 1)?,
            };
            shapes.extend(dims);
            let start = whole.map_or(range.start, |whole| whole.start);
            whole = Some(start..range.end);
        }
        Ok((whole.unwrap_or_default(), shapes))
    }

    /// The dimensions of the input, if the row's are those.
    fn fitted(&self, found: Vec<usize>) -> Result<Vec<usize>, Fault> {
        let wanted = &self.shape.inner;
        let shown = || {
            let dims: Vec<String> =
                wanted.iter().map(|dim| dim.map_or_else(|| "?".to_owned(), |dim| dim.to_string())).collect();
            dims.join(",")
        };
        let fault = |message: String| Err((RejectCode::InputShape, message));
        let (name, input) = (self.name, &self.binding.input);
        if found.len() == wanted.len() {
            if found.iter().zip(wanted).all(|(found, wanted)| wanted.is_none_or(|wanted| wanted == *found)) {
                return Ok(found);
            }
            return fault(format!("column `{name}` has the shape {found:?}; input {input} takes [{}]", shown()));
        }
        // One flat array for all dimensions.
        let length = found.first().copied().unwrap_or_default();
        let known: usize = wanted.iter().flatten().product();
        let varies = wanted.contains(&None);
        if known > 0 && if varies { length.is_multiple_of(known) } else { length == known } {
            return Ok(wanted.iter().map(|dim| dim.unwrap_or(length / known)).collect());
        }
        fault(format!("column `{name}` has {length} elements; input {input} takes [{}]", shown()))
    }

    /// Nulls among the values, and values that the input can't hold.
    fn check(&self, range: &Range<usize>) -> Result<(), Fault> {
        let name = self.name;
        if matches!(self.binding.nulls, OnNull::Reject)
            && self.values.null_count() > 0
            && let Some(at) = range.clone().find(|&at| self.values.is_null(at))
        {
            let message = format!("column `{name}` has a null among its values, at {}", at - range.start);
            return Err((RejectCode::NullFeature, message));
        }
        let check = self.binding.checks.first().copied().flatten();
        if let Some(at) = check.and_then(|check| misfits(self.values, check, range.clone()).first().copied()) {
            let message = super::shown::misfit(name, self.values, at, &self.binding.input, self.binding.element);
            return Err((RejectCode::InputValue, message));
        }
        Ok(())
    }
}
