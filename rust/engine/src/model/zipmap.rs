//! Takes ZipMap out of a model.
//!
//! skl2onnx and onnxmltools end a classifier with ZipMap by default: it turns the `[rows, classes]` tensor into a list
//! of dictionaries, one allocation per row, which no column can hold. We put an `Identity` in its place, so the output
//! keeps its name and becomes the tensor that fed the ZipMap; ONNX Runtime removes the `Identity` again. The labels
//! were read by [`super::onnx_proto`] before. A ZipMap whose output is no graph output, or that another node reads,
//! stays as it is.

use std::borrow::Cow;
use std::collections::HashSet;

use super::error::ModelError;
use super::onnx_proto::{Node, node, nodes, value_name};
use super::wire::{Reader, Writer};

/// The opset that is added when the file imports only `ai.onnx.ml`; every ONNX Runtime that we take has it.
const DEFAULT_OPSET: u64 = 15;

/// The model without its ZipMaps; the bytes as they came if it has none.
pub(super) fn remove(model: &[u8]) -> Result<Cow<'_, [u8]>, ModelError> {
    let mut out = Writer::default();
    let mut changed = false;
    let mut has_default_opset = false;
    for field in Reader::new(model) {
        let field = field?;
        match (field.number, field.bytes()) {
            (7, Some(graph)) => match rewrite_graph(graph)? {
                Some(rewritten) => {
                    changed = true;
                    out.bytes(7, &rewritten);
                }
                None => out.copy(&field),
            },
            (8, Some(opset)) => {
                has_default_opset |= imports_default_domain(opset)?;
                out.copy(&field);
            }
            _ => out.copy(&field),
        }
    }
    if !changed {
        return Ok(Cow::Borrowed(model));
    }
    if !has_default_opset {
        let mut opset = Writer::default();
        opset.varint(2, DEFAULT_OPSET);
        out.bytes(8, &opset.finish());
    }
    Ok(Cow::Owned(out.finish()))
}

fn imports_default_domain(opset: &[u8]) -> Result<bool, ModelError> {
    let mut domain = String::new();
    for field in Reader::new(opset) {
        let field = field?;
        if field.number == 1 {
            domain = field.text().unwrap_or_default();
        }
    }
    Ok(domain.is_empty() || domain == "ai.onnx")
}

fn rewrite_graph(graph: &[u8]) -> Result<Option<Vec<u8>>, ModelError> {
    let all = nodes(graph)?;
    let used: HashSet<&str> = all.iter().flat_map(|node| &node.inputs).map(String::as_str).collect();
    let mut outputs = HashSet::new();
    for field in Reader::new(graph) {
        let field = field?;
        if let (12, Some(bytes)) = (field.number, field.bytes()) {
            outputs.insert(value_name(bytes)?);
        }
    }
    let removable = |node: &Node| {
        node.is_zipmap()
            && node.inputs.len() == 1
            && node.outputs.len() == 1
            && outputs.contains(&node.outputs[0])
            && !used.contains(node.outputs[0].as_str())
    };
    let replaced: Vec<&Node> = all.iter().filter(|node| removable(node)).collect();
    if replaced.is_empty() {
        return Ok(None);
    }
    let mut out = Writer::default();
    for field in Reader::new(graph) {
        let field = field?;
        match (field.number, field.bytes()) {
            (1, Some(bytes)) => {
                let node = node(bytes)?;
                if removable(&node) { out.bytes(1, &identity(&node)) } else { out.copy(&field) }
            }
            (12, Some(bytes)) => {
                let name = value_name(bytes)?;
                match replaced.iter().find(|node| node.outputs[0] == name) {
                    Some(node) => out.bytes(12, &tensor_output(&name, node.labels.len())),
                    None => out.copy(&field),
                }
            }
            // A value_info of the old sequence type would contradict the new output.
            (13, Some(bytes)) => {
                let name = value_name(bytes)?;
                if !replaced.iter().any(|node| node.outputs[0] == name) {
                    out.copy(&field);
                }
            }
            _ => out.copy(&field),
        }
    }
    Ok(Some(out.finish()))
}

/// `NodeProto` of an Identity from the ZipMap's input to its output.
fn identity(node: &Node) -> Vec<u8> {
    let mut out = Writer::default();
    out.bytes(1, node.inputs[0].as_bytes());
    out.bytes(2, node.outputs[0].as_bytes());
    out.bytes(3, format!("firesteel_{}", node.outputs[0]).as_bytes());
    out.bytes(4, b"Identity");
    out.finish()
}

/// `ValueInfoProto` of a float tensor `[rows, classes]`; ZipMap takes nothing else.
fn tensor_output(name: &str, classes: usize) -> Vec<u8> {
    let mut rows = Writer::default();
    rows.bytes(2, b"rows");
    let mut columns = Writer::default();
    if classes > 0 {
        columns.varint(1, classes as u64);
    } else {
        columns.bytes(2, b"classes");
    }
    let mut shape = Writer::default();
    shape.bytes(1, &rows.finish());
    shape.bytes(1, &columns.finish());
    let mut tensor = Writer::default();
    tensor.varint(1, 1);
    tensor.bytes(2, &shape.finish());
    let mut kind = Writer::default();
    kind.bytes(1, &tensor.finish());
    let mut out = Writer::default();
    out.bytes(1, name.as_bytes());
    out.bytes(2, &kind.finish());
    out.finish()
}
