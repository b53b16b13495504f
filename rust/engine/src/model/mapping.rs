//! Which columns an input takes, by the first rule that fits: the author's map (an input that it leaves out takes the
//! column of its own name); every input has a column of its name; one input takes the default columns in their order;
//! for `firesteel_predict`, each input takes as many of the arguments, in order, as it has values.

use arrow::datatypes::{DataType, Schema};

use super::bind::leaf;
use super::cast::converts;
use super::onnx_model::OnnxModel;
use super::scorer::ScorerOptions;
use super::tensor::TensorDescription;
use crate::error::SpecError;

/// The names of the columns of each input, in the model's order.
pub(super) fn choose(
    options: &ScorerOptions<'_>,
    model: &OnnxModel,
    schema: &Schema,
) -> Result<Vec<Vec<String>>, SpecError> {
    let inputs = model.inputs();
    let own_name = |input: &TensorDescription| {
        schema.column_with_name(&input.name).is_some_and(|(_, field)| {
            matches!(field.data_type(), DataType::List(_)) || input.width().is_none_or(|width| width == 1)
        })
    };
    let explicit = |input: &TensorDescription| {
        options.inputs.iter().find(|(name, _)| *name == input.name).map(|(_, columns)| columns.clone())
    };
    let path = format!("{}.inputs", options.path);
    if !options.inputs.is_empty() || inputs.iter().all(own_name) {
        return inputs
            .iter()
            .map(|input| match explicit(input) {
                Some(columns) => Ok(columns),
                None if own_name(input) => Ok(vec![input.name.clone()]),
                None => Err(SpecError::new(
                    "MODEL_INPUT",
                    path.clone(),
                    format!(
                        "no columns are given for the model's input {input}, and no column has its name; columns: {}",
                        columns(schema)
                    ),
                )),
            })
            .collect();
    }
    let offered = options.default_columns;
    if let [only] = inputs {
        let is_array = |name: &String| {
            schema.column_with_name(name).is_some_and(|(_, field)| matches!(field.data_type(), DataType::List(_)))
        };
        let fits = only.width().is_none_or(|width| width == offered.len()) || matches!(offered, [one] if is_array(one));
        if fits && !offered.is_empty() {
            return Ok(vec![offered.to_vec()]);
        }
    } else if options.by_position
        && let Some(chosen) = in_order(inputs, offered, schema)
    {
        return Ok(chosen);
    }
    Err(SpecError::new(
        "MODEL_INPUT",
        path,
        format!(
            "the model takes {}, which fits neither the columns' names nor the {} columns offered in order ({}); columns: {}",
            describe(inputs),
            offered.len(),
            offered.join(", "),
            columns(schema)
        ),
    )
    .with_hint("map each model input to its columns under `inputs`"))
}

/// The offered columns dealt out: an array to an input, or as many plain columns as it has values. `None` if they do not
/// come out even, or one is of a type that its input does not take.
fn in_order(inputs: &[TensorDescription], offered: &[String], schema: &Schema) -> Option<Vec<Vec<String>>> {
    let mut left = offered;
    let mut chosen = Vec::with_capacity(inputs.len());
    for input in inputs {
        let (_, field) = schema.column_with_name(left.first()?)?;
        let count = match field.data_type() {
            DataType::List(_) => 1,
            _ => input.width().unwrap_or(1),
        };
        let (taken, rest) = left.split_at_checked(count)?;
        for name in taken {
            let (_, field) = schema.column_with_name(name)?;
            if !converts(leaf(field.data_type()).1, input.element?) {
                return None;
            }
        }
        chosen.push(taken.to_vec());
        left = rest;
    }
    left.is_empty().then_some(chosen)
}

/// All inputs or outputs with type and shape.
pub(super) fn describe(tensors: &[TensorDescription]) -> String {
    tensors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn columns(schema: &Schema) -> String {
    schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ")
}
