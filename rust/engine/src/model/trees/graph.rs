//! Finds the ensemble in a model's graph, and which of its results reaches which output of the model.
//!
//! Converters wrap an ensemble in nodes that change nothing: Identity, a Cast to the type that is there already,
//! a multiplication by one. The ensemble must read the model's only input, or that through one Scaler; outputs that come from anything else are not
//! ours, and a pipeline that wants one runs the model in ONNX Runtime.

use std::collections::HashMap;

use super::attributes::Attributes;
use super::prepare::Scaler;
use crate::model::error::ModelError;
use crate::model::onnx_proto::{Node, node, value_name};
use crate::model::wire::Reader;

/// ONNX's numbers for element types.
const FLOAT: i64 = 1;
const INT64: i64 = 7;

/// What a value in the graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Input,
    /// The input, scaled.
    Scaled,
    Scores,
    Labels,
    /// A constant of one element, 1.0.
    One,
}

/// A result of an ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Role {
    /// Floats: a value per target, or per class.
    Scores,
    /// The winning class.
    Labels,
}

/// Kind of ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ensemble {
    Classifier,
    Regressor,
}

/// The one ensemble of a model.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) kind: Ensemble,
    pub(super) attributes: Attributes,
    /// What stands between the input and the ensemble.
    pub(super) scaler: Option<Scaler>,
    /// Outputs of the model that are results of the ensemble, by name.
    pub(super) outputs: Vec<(String, Role)>,
}

/// The ensemble of `model`; `None` if the graph is not of the known form.
pub(super) fn find(model: &[u8]) -> Result<Option<Found>, ModelError> {
    let mut graph = None;
    for field in Reader::new(model) {
        let field = field?;
        if let (7, Some(bytes)) = (field.number, field.bytes()) {
            graph = Some(bytes);
        }
    }
    let Some(graph) = graph else { return Ok(None) };
    let mut origins: HashMap<String, Origin> = HashMap::new();
    let (mut inputs, mut outputs, mut constants) = (Vec::new(), Vec::new(), Vec::new());
    for field in Reader::new(graph) {
        let field = field?;
        match (field.number, field.bytes()) {
            (5, Some(bytes)) => constants.push(constant(bytes)?),
            (11, Some(bytes)) => inputs.push(value_name(bytes)?),
            (12, Some(bytes)) => outputs.push(value_name(bytes)?),
            _ => {}
        }
    }
    // Old files list constants among the inputs.
    inputs.retain(|input| !constants.iter().any(|(name, _)| name == input));
    let [input] = inputs.as_slice() else { return Ok(None) };
    origins.insert(input.clone(), Origin::Input);
    origins.extend(constants.into_iter().filter(|(_, is_one)| *is_one).map(|(name, _)| (name, Origin::One)));

    let mut found: Option<(Ensemble, Attributes, bool)> = None;
    let mut scaler = None;
    // The nodes of a valid graph stand in an order in which they can run.
    for field in Reader::new(graph) {
        let field = field?;
        let (1, Some(bytes)) = (field.number, field.bytes()) else { continue };
        let node = node(bytes)?;
        if let Some(kind) = ensemble(&node) {
            let scaled = match origin(&origins, &node, 0) {
                Some(Origin::Input) => false,
                Some(Origin::Scaled) => true,
                _ => return Ok(None),
            };
            if found.is_some() {
                return Ok(None);
            }
            found = Some((kind, Attributes::read(bytes)?, scaled));
            let results = match kind {
                Ensemble::Classifier => [Some(Origin::Labels), Some(Origin::Scores)],
                Ensemble::Regressor => [Some(Origin::Scores), None],
            };
            for (name, result) in node.outputs.iter().zip(results) {
                origins.extend(result.map(|result| (name.clone(), result)));
            }
        } else if let (true, [name]) = (is_scaler(&origins, &node), node.outputs.as_slice()) {
            // Two of them would have to be told apart.
            if scaler.is_some() {
                return Ok(None);
            }
            let attributes = Attributes::read(bytes)?;
            let (offset, scale) = (attributes.floats("offset").to_vec(), attributes.floats("scale").to_vec());
            scaler = Some(Scaler { offset, scale });
            origins.insert(name.clone(), Origin::Scaled);
        } else if let (Some(same), [name]) = (unchanged(&origins, &node, bytes)?, node.outputs.as_slice()) {
            origins.insert(name.clone(), same);
        }
    }
    Ok(found.map(|(kind, attributes, scaled)| {
        let role = |name: &String| match origins.get(name) {
            Some(Origin::Scores) => Some(Role::Scores),
            Some(Origin::Labels) => Some(Role::Labels),
            _ => None,
        };
        let outputs = outputs.into_iter().filter_map(|name| role(&name).map(|role| (name, role))).collect();
        Found { kind, attributes, scaler: scaler.filter(|_| scaled), outputs }
    }))
}

fn ensemble(node: &Node) -> Option<Ensemble> {
    match (node.domain.as_str(), node.op_type.as_str()) {
        ("ai.onnx.ml", "TreeEnsembleClassifier") => Some(Ensemble::Classifier),
        ("ai.onnx.ml", "TreeEnsembleRegressor") => Some(Ensemble::Regressor),
        _ => None,
    }
}

fn is_scaler(origins: &HashMap<String, Origin>, node: &Node) -> bool {
    (node.domain.as_str(), node.op_type.as_str()) == ("ai.onnx.ml", "Scaler")
        && origin(origins, node, 0) == Some(Origin::Input)
}

fn origin(origins: &HashMap<String, Origin>, node: &Node, input: usize) -> Option<Origin> {
    origins.get(node.inputs.get(input)?).copied()
}

/// What the node's output is, if the node changes nothing.
fn unchanged(origins: &HashMap<String, Origin>, node: &Node, bytes: &[u8]) -> Result<Option<Origin>, ModelError> {
    if !node.domain.is_empty() && node.domain != "ai.onnx" {
        return Ok(None);
    }
    let first = origin(origins, node, 0);
    Ok(match node.op_type.as_str() {
        "Identity" => first,
        "Cast" => match (first, Attributes::read(bytes)?.integer("to")) {
            // Only an ensemble on floats is taken, so its input is of floats here.
            (Some(Origin::Input | Origin::Scaled | Origin::Scores), Some(FLOAT))
            | (Some(Origin::Labels), Some(INT64)) => first,
            _ => None,
        },
        "Mul" => match (first, origin(origins, node, 1)) {
            (Some(Origin::Scores), Some(Origin::One)) | (Some(Origin::One), Some(Origin::Scores)) => {
                Some(Origin::Scores)
            }
            _ => None,
        },
        _ => None,
    })
}

/// The name of a constant, and whether it is the lone float 1. Weights of a large model are passed over unread.
fn constant(tensor: &[u8]) -> Result<(String, bool), ModelError> {
    /// Key, length and the value's four bytes.
    const LONE_FLOAT: usize = 6;
    let (mut name, mut kind, mut values) = (String::new(), None, Vec::new());
    for field in Reader::new(tensor) {
        let field = field?;
        match field.number {
            2 => kind = field.varint(),
            4 | 9 => values.push(field),
            8 => name = field.text().unwrap_or_default(),
            _ => {}
        }
    }
    let is_one = matches!(values.as_slice(), [only] if only.raw.len() <= LONE_FLOAT && only.floats() == [1.0]);
    Ok((name, kind == Some(FLOAT as u64) && is_one))
}
