//! Which columns feed which input of a model. Decided once, when the pipeline is compiled.
//!
//! Order of precedence, per model: the author's map (an input it leaves out takes the column of its own name); every
//! input has a column of its name; one input takes the default columns in their order. A cast that may lose digits is
//! allowed where Python users would do it with `astype(float32)`, and listed for the plan.

use arrow::datatypes::{DataType, Schema};

use super::onnx_model::{ElementType, OnnxModel, TensorDescription};
use super::scorer::ScorerOptions;
use crate::error::SpecError;
use crate::spec::{NullPolicy, names, spark_type_name};

/// One model input and its columns.
#[derive(Debug, Clone)]
pub(super) struct Binding {
    /// Name in the model.
    pub(super) input: String,
    pub(super) element: ElementType,
    /// Columns of the batch, in the order of the input's values.
    pub(super) columns: Vec<usize>,
    /// Dimensions after the first; empty for an input `[rows]`.
    pub(super) tail: Vec<usize>,
}

/// All inputs bound.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    /// In the model's order.
    pub(super) bindings: Vec<Binding>,
    /// Casts that may lose digits, for people.
    pub(super) casts: Vec<String>,
}

pub(super) fn bind(options: &ScorerOptions<'_>, model: &OnnxModel, schema: &Schema) -> Result<Plan, SpecError> {
    let known: Vec<&str> = model.inputs().iter().map(|input| input.name.as_str()).collect();
    if let Some((unknown, _)) = options.inputs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return Err(SpecError::new(
            "MODEL_INPUT",
            format!("{}.inputs.{unknown}", options.path),
            format!("the model has no input `{unknown}`; it takes {}", describe(model.inputs())),
        )
        .with_hint(format!("inputs maps a model input to columns: {}", names::advice(unknown, known))));
    }
    let chosen = choose(options, model, schema)?;
    let mut plan = Plan::default();
    for (input, columns) in model.inputs().iter().zip(chosen) {
        let binding = bind_one(options, input, &columns, schema)?;
        for &column in &binding.columns {
            let field = schema.field(column);
            if let Some(kind) = loses(field.data_type(), binding.element) {
                plan.casts.push(format!(
                    "{} {} -> {} {} ({kind})",
                    field.name(),
                    spark_type_name(field.data_type()),
                    input.name,
                    binding.element.name()
                ));
            }
        }
        plan.bindings.push(binding);
    }
    Ok(plan)
}

/// The names of the columns of each input, in the model's order.
fn choose(options: &ScorerOptions<'_>, model: &OnnxModel, schema: &Schema) -> Result<Vec<Vec<String>>, SpecError> {
    let inputs = model.inputs();
    let own_name = |input: &TensorDescription| {
        schema.column_with_name(&input.name).is_some() && input.width().is_none_or(|width| width == 1)
    };
    let explicit = |input: &TensorDescription| {
        options.inputs.iter().find(|(name, _)| *name == input.name).map(|(_, columns)| columns.clone())
    };
    if !options.inputs.is_empty() || inputs.iter().all(own_name) {
        return inputs
            .iter()
            .map(|input| match explicit(input) {
                Some(columns) => Ok(columns),
                None if own_name(input) => Ok(vec![input.name.clone()]),
                None => Err(SpecError::new(
                    "MODEL_INPUT",
                    format!("{}.inputs", options.path),
                    format!(
                        "no columns are given for the model's input {input}, and no column has its name; columns: {}",
                        columns(schema)
                    ),
                )),
            })
            .collect();
    }
    match inputs {
        [only] if only.width().is_none_or(|width| width == options.default_columns.len()) && !options.default_columns.is_empty() => Ok(vec![options.default_columns.to_vec()]),
        _ => Err(SpecError::new(
            "MODEL_INPUT",
            format!("{}.inputs", options.path),
            format!(
                "the model takes {}, which fits neither the columns' names nor the {} columns offered in order ({}); columns: {}",
                describe(inputs),
                options.default_columns.len(),
                options.default_columns.join(", "),
                columns(schema)
            ),
        )
        .with_hint("map each model input to its columns under `inputs`")),
    }
}

fn bind_one(
    options: &ScorerOptions<'_>,
    input: &TensorDescription,
    names: &[String],
    schema: &Schema,
) -> Result<Binding, SpecError> {
    let path = format!("{}.inputs.{}", options.path, input.name);
    let fault = |message: String| SpecError::new("MODEL_INPUT", path.clone(), message);
    let Some(element) = input.element else {
        return Err(fault(format!("the model's input {input} is of a type that no column can become")));
    };
    if let Some(Some(rows)) = input.shape.first() {
        return Err(fault(format!("the model's input {input} takes exactly {rows} rows at a time"))
            .with_hint("export the model with a dynamic first dimension"));
    }
    if names.is_empty() {
        return Err(fault("the list of columns is empty".to_owned()));
    }
    match input.width() {
        Some(width) if width != names.len() => {
            return Err(fault(format!(
                "the model's input {input} takes {width} columns, {} are given: {}",
                names.len(),
                names.join(", ")
            )));
        }
        None if input.shape.len() > 2 => {
            return Err(fault(format!(
                "the model's input {input} has several dimensions that vary; only the first one may"
            )));
        }
        _ => {}
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let Some((index, field)) = schema.column_with_name(name) else {
            return Err(fault(format!("there is no column `{name}`"))
                .with_hint(names::advice(name, schema.fields().iter().map(|field| field.name().as_str()))));
        };
        if !converts(field.data_type(), element) {
            let (from, to) = (spark_type_name(field.data_type()), element.name());
            return Err(fault(format!("column `{name}` is {from}, the model's input {input} takes {to}"))
                .with_hint(advice(element)));
        }
        columns.push(index);
    }
    if options.nulls == NullPolicy::Nan && !matches!(element, ElementType::Float32 | ElementType::Float64) {
        return Err(SpecError::new(
            "MODEL_NULLS",
            format!("{}.nulls", options.path),
            format!("`nan` needs inputs of floats; the model's input {input} has no NaN"),
        )
        .with_hint("use `reject`, or fill the column under `clean`"));
    }
    let tail = match input.shape.len() {
        1 => Vec::new(),
        0 | 2 => vec![columns.len()],
        _ => input.shape[1..].iter().filter_map(|dim| usize::try_from((*dim)?).ok()).collect(),
    };
    Ok(Binding { input: input.name.clone(), element, columns, tail })
}

/// Whether a column of this type may feed an input of that type.
pub(super) fn converts(from: &DataType, to: ElementType) -> bool {
    use DataType as D;
    match to {
        ElementType::Float32 | ElementType::Float64 => {
            matches!(from, D::Boolean | D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::Float32 | D::Float64)
        }
        ElementType::Int64 => matches!(from, D::Boolean | D::Int8 | D::Int16 | D::Int32 | D::Int64),
        ElementType::Int32 => matches!(from, D::Boolean | D::Int8 | D::Int16 | D::Int32),
        ElementType::Bool => matches!(from, D::Boolean),
        ElementType::String => matches!(from, D::Utf8),
    }
}

fn loses(from: &DataType, to: ElementType) -> Option<&'static str> {
    match (from, to) {
        (DataType::Float64, ElementType::Float32) => Some("rounded to 24 bits"),
        (DataType::Int32 | DataType::Int64, ElementType::Float32) => Some("exact up to 2^24"),
        (DataType::Int64, ElementType::Float64) => Some("exact up to 2^53"),
        _ => None,
    }
}

fn advice(to: ElementType) -> &'static str {
    match to {
        ElementType::Float32 | ElementType::Float64 => "make it a number in a feature, such as CAST(x AS DOUBLE)",
        ElementType::Int64 => "make it a whole number in a feature, such as CAST(x AS BIGINT)",
        ElementType::Int32 => "make it a whole number in a feature, such as CAST(x AS INT)",
        ElementType::Bool => "make it a boolean in a feature, such as x > 0",
        ElementType::String => "make it text in a feature, such as CAST(x AS STRING)",
    }
}

/// All inputs or outputs with type and shape.
pub(super) fn describe(tensors: &[TensorDescription]) -> String {
    tensors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn columns(schema: &Schema) -> String {
    schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ")
}
