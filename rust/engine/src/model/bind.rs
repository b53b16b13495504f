//! Which columns feed which input of a model, and how. Decided once, when the pipeline is compiled.
//!
//! Which columns ([`super::mapping`]) comes first; here each input is compared with its columns: their types
//! ([`super::cast`]), how many values a row has, arrays against dimensions, and what a null does.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema};

use super::cast::{self, Check};
use super::mapping;
use super::onnx_model::OnnxModel;
use super::scorer::ScorerOptions;
use super::tensor::{ElementType, TensorDescription};
use crate::clean::constant;
use crate::error::SpecError;
use crate::spec::{NullPolicy, names, spark_type_name};

/// One model input and its columns.
#[derive(Debug, Clone)]
pub(super) struct Binding {
    /// Name in the model.
    pub(super) input: String,
    pub(super) element: ElementType,
    /// Columns of the batch, in the order of the input's values; one if it is an array.
    pub(super) columns: Vec<usize>,
    /// Dimensions of a row that is made of plain columns; empty for an input `[rows]`.
    pub(super) tail: Vec<usize>,
    /// Set if the one column is an array.
    pub(super) array: Option<ArrayShape>,
    /// What a null does.
    pub(super) nulls: OnNull,
    /// What is asked of each value of a column, as [`Binding::columns`].
    pub(super) checks: Vec<Option<Check>>,
}

/// How an array is a row of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArrayShape {
    /// Dimensions of one row, or of one element of a sequence; `None` for one that varies.
    pub(super) inner: Vec<Option<usize>>,
    /// How deep the column's arrays nest: one level for each of `inner`, or a single one for all of them. A sequence has
    /// one more.
    pub(super) depth: usize,
    /// The input is a sequence of tensors.
    pub(super) is_sequence: bool,
}

impl ArrayShape {
    /// Values of a row, if no dimension varies.
    pub(super) fn width(&self) -> Option<usize> {
        if self.is_sequence { None } else { self.inner.iter().copied().product() }
    }
}

/// What a null in a column does.
#[derive(Debug, Clone)]
pub(super) enum OnNull {
    Reject,
    Nan,
    /// These values take its place: one array of one value for each of the columns.
    Impute(Vec<ArrayRef>),
}

/// How many rows a model takes at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum RowsAtATime {
    /// The first dimension of every input varies.
    #[default]
    Any,
    /// The file fixes it.
    Exactly(usize),
    /// No dimension counts the rows, since an input is a sequence: one row is a whole call.
    OneCall,
}

/// All inputs bound.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    /// In the model's order.
    pub(super) bindings: Vec<Binding>,
    pub(super) rows: RowsAtATime,
    /// Casts that are not exact by their types, for people.
    pub(super) casts: Vec<String>,
}

impl Plan {
    /// The plan of a model whose one input is an array of a fixed length, as if each element were a column of its own.
    pub(super) fn unrolled(&self) -> Option<Self> {
        let [binding] = self.bindings.as_slice() else { return None };
        let array = binding.array.as_ref().filter(|array| array.inner.len() == 1)?;
        let width = array.width()?;
        let columns = (0..width).collect();
        let unrolled = Binding { columns, tail: vec![width], array: None, ..binding.clone() };
        Some(Self { bindings: vec![unrolled], rows: self.rows, casts: Vec::new() })
    }

    /// The same, with nulls as the zeros that lie below them: for a trial.
    pub(super) fn without_nan(&self) -> Self {
        let mut plan = self.clone();
        plan.bindings.iter_mut().for_each(|binding| binding.nulls = OnNull::Reject);
        plan
    }

    /// Whether rows may differ in their shapes.
    pub(super) fn is_ragged(&self) -> bool {
        self.bindings
            .iter()
            .any(|binding| binding.array.as_ref().is_some_and(|array| array.is_sequence || array.inner.contains(&None)))
    }
}

pub(super) fn bind(options: &ScorerOptions<'_>, model: &OnnxModel, schema: &Schema) -> Result<Plan, SpecError> {
    let unknown_input = |names: Vec<&str>, key: &str| {
        let known: Vec<&str> = model.inputs().iter().map(|input| input.name.as_str()).collect();
        let unknown = names.into_iter().find(|name| !known.contains(name))?;
        Some(
            SpecError::new(
                "MODEL_INPUT",
                format!("{}.{key}.{unknown}", options.path),
                format!("the model has no input `{unknown}`; it takes {}", mapping::describe(model.inputs())),
            )
            .with_hint(format!("{key} maps a model input: {}", names::advice(unknown, known))),
        )
    };
    let mapped = options.inputs.iter().map(|(name, _)| name.as_str()).collect();
    let with_policy = options.nulls.inputs().collect();
    if let Some(fault) = unknown_input(mapped, "inputs").or_else(|| unknown_input(with_policy, "nulls")) {
        return Err(fault);
    }
    let mut plan = Plan { rows: rows_at_a_time(options, model)?, ..Plan::default() };
    for (input, columns) in model.inputs().iter().zip(mapping::choose(options, model, schema)?) {
        let binding = bind_one(options, input, &columns, schema, plan.rows)?;
        for &column in &binding.columns {
            let field = schema.field(column);
            if let Some(remark) = cast::remark(leaf(field.data_type()).1, binding.element, options.allow_lossy) {
                let (from, to) = (spark_type_name(field.data_type()), binding.element.name());
                plan.casts.push(format!("{} {from} -> {} {to} ({remark})", field.name(), input.name));
            }
        }
        plan.bindings.push(binding);
    }
    Ok(plan)
}

fn rows_at_a_time(options: &ScorerOptions<'_>, model: &OnnxModel) -> Result<RowsAtATime, SpecError> {
    if model.inputs().iter().any(|input| input.is_sequence) {
        return Ok(RowsAtATime::OneCall);
    }
    let mut fixed = model.inputs().iter().filter_map(|input| Some((input, (*input.shape.first()?)?)));
    let Some((first, rows)) = fixed.next() else { return Ok(RowsAtATime::Any) };
    let fault = |message: String| SpecError::new("MODEL_INPUT", format!("{}.inputs", options.path), message);
    if let Some((other, _)) = fixed.find(|(_, other)| *other != rows) {
        return Err(fault(format!("the model's inputs {first} and {other} take different numbers of rows at a time"))
            .with_hint("export the model with a dynamic first dimension"));
    }
    match usize::try_from(rows) {
        Ok(rows @ 1..=MAX_FIXED_ROWS) => Ok(RowsAtATime::Exactly(rows)),
        _ => Err(fault(format!(
            "the model's input {first} takes {rows} rows at a time; 1 to {MAX_FIXED_ROWS} are taken"
        ))),
    }
}

/// More would be padded for every row that is left over.
const MAX_FIXED_ROWS: usize = 65_536;

fn bind_one(
    options: &ScorerOptions<'_>,
    input: &TensorDescription,
    names: &[String],
    schema: &Schema,
    rows: RowsAtATime,
) -> Result<Binding, SpecError> {
    let path = format!("{}.inputs.{}", options.path, input.name);
    let fault = |message: String| SpecError::new("MODEL_INPUT", path.clone(), message);
    let Some(element) = input.element else {
        return Err(fault(format!("the model's input {input} is of a type that no column can become")));
    };
    if names.is_empty() {
        return Err(fault("the list of columns is empty".to_owned()));
    }
    let mut fields: Vec<&Field> = Vec::with_capacity(names.len());
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let Some((index, field)) = schema.column_with_name(name) else {
            return Err(fault(format!("there is no column `{name}`"))
                .with_hint(names::advice(name, schema.fields().iter().map(|field| field.name().as_str()))));
        };
        columns.push(index);
        fields.push(field);
    }
    // A dimension for the rows, unless a row is a whole call.
    let inner = match rows {
        RowsAtATime::OneCall => input.shape.iter().map(|dim| usize::try_from((*dim)?).ok()).collect(),
        _ => input.inner(),
    };
    let (array, tail) = match fields.as_slice() {
        [field] if matches!(field.data_type(), DataType::List(_)) => {
            (Some(array_shape(input, inner, field).map_err(fault)?), Vec::new())
        }
        fields => (None, tail(input, inner, fields, rows).map_err(fault)?),
    };
    let mut checks = Vec::with_capacity(fields.len());
    for field in &fields {
        let from = leaf(field.data_type()).1;
        if !cast::converts(from, element) {
            let (from, name) = (spark_type_name(field.data_type()), field.name());
            return Err(fault(format!(
                "column `{name}` is {from}, the model's input {input} takes {}",
                element.name()
            ))
            .with_hint(cast::advice(element)));
        }
        checks.push(cast::check(from, element, options.allow_lossy));
    }
    let nulls = on_null(options, input, element, &fields, array.as_ref(), &checks)?;
    Ok(Binding { input: input.name.clone(), element, columns, tail, array, nulls, checks })
}

/// How deep a type's arrays nest, and what is inside.
pub(super) fn leaf(data_type: &DataType) -> (usize, &DataType) {
    let (mut depth, mut inside) = (0, data_type);
    while let DataType::List(item) = inside {
        depth += 1;
        inside = item.data_type();
    }
    (depth, inside)
}

/// Dimensions of a row made of plain columns.
fn tail(
    input: &TensorDescription,
    inner: Vec<Option<usize>>,
    fields: &[&Field],
    rows: RowsAtATime,
) -> Result<Vec<usize>, String> {
    if input.is_sequence {
        return Err(format!("the model's input {input} is a sequence, which only a column of arrays can become"));
    }
    if let Some(array) = fields.iter().find(|field| matches!(field.data_type(), DataType::List(_))) {
        return Err(format!(
            "column `{}` is {}; an input takes one column of arrays, or plain columns",
            array.name(),
            spark_type_name(array.data_type())
        ));
    }
    if input.shape.is_empty() {
        return Ok(vec![fields.len()]);
    }
    let given = fields.len();
    let known: usize = inner.iter().flatten().product();
    let varying = inner.iter().filter(|dim| dim.is_none()).count();
    let listed = || fields.iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ");
    match varying {
        0 if known == given => Ok(inner.into_iter().flatten().collect()),
        0 => Err(format!("the model's input {input} takes {known} columns, {given} are given: {}", listed())),
        1 if known > 0 && given.is_multiple_of(known) => {
            Ok(inner.into_iter().map(|dim| dim.unwrap_or(given / known)).collect())
        }
        1 => Err(format!(
            "the model's input {input} takes a multiple of {known} columns, {given} are given: {}",
            listed()
        )),
        // Where a row is a whole call, the first dimension is not the row's own.
        _ if rows == RowsAtATime::OneCall && known == given => {
            Ok(inner.into_iter().map(|dim| dim.unwrap_or(1)).collect())
        }
        _ => Err(format!(
            "the model's input {input} has several dimensions that vary; give it one column of nested arrays, {} levels deep",
            inner.len()
        )),
    }
}

fn array_shape(input: &TensorDescription, inner: Vec<Option<usize>>, field: &Field) -> Result<ArrayShape, String> {
    let (depth, _) = leaf(field.data_type());
    let (name, kind) = (field.name(), spark_type_name(field.data_type()));
    if input.is_sequence {
        // The file need not say what shape the elements have; a level of the column is a dimension then.
        let rank = depth - 1;
        let inner = if input.shape.is_empty() { vec![None; rank] } else { inner };
        if inner.len() != rank {
            let wanted = inner.len() + 1;
            return Err(format!(
                "column `{name}` is {kind}; the model's input {input} takes arrays {wanted} levels deep"
            ));
        }
        return Ok(ArrayShape { inner, depth, is_sequence: true });
    }
    let inner = if input.shape.is_empty() { vec![None; depth] } else { inner };
    let varying = inner.iter().filter(|dim| dim.is_none()).count();
    match (inner.len(), depth) {
        (0, _) => Err(format!("column `{name}` is {kind}; the model's input {input} takes one value per row")),
        (rank, depth) if rank == depth => Ok(ArrayShape { inner, depth, is_sequence: false }),
        (_, 1) if varying <= 1 => Ok(ArrayShape { inner, depth, is_sequence: false }),
        (rank, _) => {
            let flat = if varying <= 1 { " or one array of all its values" } else { "" };
            Err(format!("column `{name}` is {kind}; the model's input {input} takes arrays {rank} levels deep{flat}"))
        }
    }
}

fn on_null(
    options: &ScorerOptions<'_>,
    input: &TensorDescription,
    element: ElementType,
    fields: &[&Field],
    array: Option<&ArrayShape>,
    checks: &[Option<Check>],
) -> Result<OnNull, SpecError> {
    let path = format!("{}.nulls", options.path);
    let fault = |message: String| SpecError::new("MODEL_NULLS", path.clone(), message);
    let policy = options.nulls.of(&input.name);
    if *policy != NullPolicy::Reject && array.is_some_and(|array| array.width().is_none()) {
        return Err(fault(format!(
            "the rows of the model's input {input} may have any length, so a null can't become one; use `reject`"
        )));
    }
    match policy {
        NullPolicy::Reject => Ok(OnNull::Reject),
        NullPolicy::Nan if element.is_float() => Ok(OnNull::Nan),
        NullPolicy::Nan => Err(fault(format!("`nan` needs inputs of floats; the model's input {input} has no NaN"))
            .with_hint("use `reject`, or `impute: VALUE`")),
        NullPolicy::Impute(value) => {
            let mut values = Vec::with_capacity(fields.len());
            for (field, check) in fields.iter().zip(checks) {
                let plain = Field::new(field.name(), leaf(field.data_type()).1.clone(), true);
                let imputed = constant(value, &plain, &path)
                    .map_err(|error| fault(error.message).with_hint("the value must fit the input's columns"))?;
                if check.is_some_and(|check| !cast::misfits(&imputed, check, 0..1).is_empty()) {
                    return Err(fault(format!("{value:?} does not fit the model's input {input}")));
                }
                values.push(imputed);
            }
            Ok(OnNull::Impute(values))
        }
    }
}
