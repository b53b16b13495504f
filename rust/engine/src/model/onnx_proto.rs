//! Reads an ONNX file ourselves, before ONNX Runtime sees a byte of it.
//!
//! Why: a model is untrusted input. ONNX lets a tensor live in another file ("external data"), and ONNX Runtime uses
//! the same field for an address in its own memory; both have been ways to read foreign files or memory
//! (CVE-2024-27318, CVE-2026-27489, onnxruntime 28709). Firesteel ships a model as one blob, so neither has a use
//! here and both are refused wherever a tensor can stand: initializers, sparse tensors, attributes, subgraphs,
//! functions and training info. Bytes can't make this panic: lengths and depth are checked ([`super::wire`]).
//! Field numbers: `onnx-ml.proto` of ONNX 1.23. Start at [`inspect`].

use std::collections::HashMap;

use super::error::ModelError;
use super::wire::{Field, Reader};

/// How deep messages may nest: protobuf's own limit in C++, which ONNX Runtime uses.
const MAX_DEPTH: usize = 100;
/// ONNX Runtime's marker for "this location is an address in my memory", part of two spellings.
const MEMORY_MARKER: &[u8] = b"_MEM_ADDR_/*";
/// Names listed in a message at most.
const MAX_LISTED: usize = 5;

/// What the file says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelSummary {
    /// Tool that wrote the file, such as `skl2onnx`.
    pub producer_name: String,
    /// Its version.
    pub producer_version: String,
    /// Version of the file format.
    pub ir_version: i64,
    /// Operator sets by domain; the empty domain is `ai.onnx`.
    pub opsets: Vec<(String, i64)>,
    /// The author's text.
    pub doc_string: String,
    /// The author's key-value pairs.
    pub metadata: Vec<(String, String)>,
    /// Domains of operators that stock ONNX Runtime does not have; such a model needs a custom library.
    pub custom_domains: Vec<String>,
    /// Class labels by output name, where the file tells them.
    pub labels: HashMap<String, Vec<String>>,
}

/// Domains whose operators stock ONNX Runtime has.
const KNOWN_DOMAINS: [&str; 5] = ["", "ai.onnx", "ai.onnx.ml", "com.microsoft", "ai.onnx.training"];

/// The parts of a node that matter here.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) op_type: String,
    pub(super) domain: String,
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
    /// `classlabels_*` of classifiers and ZipMap, in order.
    pub(super) labels: Vec<String>,
}

impl Node {
    pub(super) fn is_zipmap(&self) -> bool {
        self.op_type == "ZipMap" && self.domain == "ai.onnx.ml"
    }
}

/// Checks the file and says what is in it.
///
/// # Errors
/// `MODEL_MALFORMED`, `MODEL_FORMAT`, `MODEL_EXTERNAL_DATA`, `MODEL_MEMORY_ADDRESS`, `MODEL_TOO_DEEP`.
pub fn inspect(bytes: &[u8]) -> Result<ModelSummary, ModelError> {
    if bytes.get(4..8) == Some(b"ORTM") {
        return Err(ModelError::new(
            "MODEL_FORMAT",
            "the file is in ONNX Runtime's own .ort format; give the .onnx file it was made from",
        ));
    }
    if bytes.is_empty() {
        return Err(ModelError::malformed("the file is empty"));
    }
    let mut walk = Walk::default();
    walk.message(bytes, Kind::Model, 0)?;
    if !walk.marked.is_empty() {
        return Err(ModelError::new(
            "MODEL_MEMORY_ADDRESS",
            format!(
                "tensor {} carries ONNX Runtime's mark for an address in memory, which no honest file has; do not use this model",
                list(&walk.marked)
            ),
        ));
    }
    if !walk.external.is_empty() {
        return Err(ModelError::new(
            "MODEL_EXTERNAL_DATA",
            format!(
                "the data of {} lies in another file; a model must be one file: save it with onnx.save_model(model, path, save_as_external_data=False)",
                list(&walk.external)
            ),
        ));
    }
    let mut summary = summarize(bytes)?;
    summary.custom_domains = walk.custom_domains;
    Ok(summary)
}

fn list(names: &[String]) -> String {
    let shown = names.iter().take(MAX_LISTED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(MAX_LISTED) {
        Some(more @ 1..) => format!("{shown} and {more} more"),
        _ => shown,
    }
}

/// Messages through which a tensor can be reached.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Sparse,
    Function,
    Training,
}

impl Kind {
    /// The kind of the message in a field, if a tensor can be below it.
    fn child(self, number: u32) -> Option<Kind> {
        match (self, number) {
            (Kind::Model, 7) => Some(Kind::Graph),
            (Kind::Model, 20) => Some(Kind::Training),
            (Kind::Model, 25) => Some(Kind::Function),
            (Kind::Training, 1 | 2) => Some(Kind::Graph),
            (Kind::Graph, 1) | (Kind::Function, 7) => Some(Kind::Node),
            (Kind::Graph, 5) => Some(Kind::Tensor),
            (Kind::Graph, 15) => Some(Kind::Sparse),
            (Kind::Node, 5) | (Kind::Function, 11) => Some(Kind::Attribute),
            (Kind::Attribute, 5 | 10) => Some(Kind::Tensor),
            (Kind::Attribute, 6 | 11) => Some(Kind::Graph),
            (Kind::Attribute, 22 | 23) => Some(Kind::Sparse),
            (Kind::Sparse, 1 | 2) => Some(Kind::Tensor),
            _ => None,
        }
    }
}

/// Visits every message that can hold a tensor. A field that stands twice is visited twice: protobuf would merge.
#[derive(Debug, Default)]
struct Walk {
    external: Vec<String>,
    marked: Vec<String>,
    custom_domains: Vec<String>,
}

impl Walk {
    fn message(&mut self, bytes: &[u8], kind: Kind, depth: usize) -> Result<(), ModelError> {
        if depth > MAX_DEPTH {
            return Err(ModelError::new(
                "MODEL_TOO_DEEP",
                format!("graphs nest deeper than {MAX_DEPTH} messages; ONNX Runtime would not read it either"),
            ));
        }
        if kind == Kind::Tensor {
            return self.tensor(bytes);
        }
        for field in Reader::new(bytes) {
            let field = field?;
            if kind == Kind::Node && field.number == 7 {
                self.domain(&field);
            }
            if let (Some(child), Some(inner)) = (kind.child(field.number), field.bytes()) {
                self.message(inner, child, depth + 1)?;
            }
        }
        Ok(())
    }

    fn domain(&mut self, field: &Field<'_>) {
        if let Some(domain) = field.text()
            && !KNOWN_DOMAINS.contains(&domain.as_str())
            && !self.custom_domains.contains(&domain)
        {
            self.custom_domains.push(domain);
        }
    }

    fn tensor(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        let mut name = String::new();
        let mut external = false;
        let mut marked = false;
        for field in Reader::new(bytes) {
            let field = field?;
            match field.number {
                8 => name = field.text().unwrap_or_default(),
                13 => {
                    external = true;
                    marked |= field
                        .bytes()
                        .is_some_and(|entry| entry.windows(MEMORY_MARKER.len()).any(|window| window == MEMORY_MARKER));
                }
                14 => external |= field.varint() != Some(0),
                _ => {}
            }
        }
        if name.is_empty() {
            name.push_str("(unnamed)");
        }
        if marked {
            self.marked.push(name);
        } else if external {
            self.external.push(name);
        }
        Ok(())
    }
}

fn summarize(bytes: &[u8]) -> Result<ModelSummary, ModelError> {
    let mut summary = ModelSummary::default();
    let mut graph = None;
    for field in Reader::new(bytes) {
        let field = field?;
        match (field.number, field.bytes()) {
            (1, None) => summary.ir_version = field.varint().unwrap_or(0) as i64,
            (2, Some(_)) => summary.producer_name = field.text().unwrap_or_default(),
            (3, Some(_)) => summary.producer_version = field.text().unwrap_or_default(),
            (6, Some(_)) => summary.doc_string = field.text().unwrap_or_default(),
            (7, Some(inner)) if graph.replace(inner).is_some() => {
                return Err(ModelError::malformed("the file has two graphs"));
            }
            (8, Some(inner)) => summary.opsets.push(opset(inner)?),
            (14, Some(inner)) => summary.metadata.push(pair(inner)?),
            _ => {}
        }
    }
    let graph = graph.ok_or_else(|| ModelError::malformed("the file has no graph; it is no ONNX model"))?;
    if summary.ir_version <= 0 {
        return Err(ModelError::malformed("the file has no IR version; it is no ONNX model"));
    }
    summary.labels = labels(graph)?;
    Ok(summary)
}

fn opset(bytes: &[u8]) -> Result<(String, i64), ModelError> {
    let mut out = (String::new(), 0);
    for field in Reader::new(bytes) {
        let field = field?;
        match field.number {
            1 => out.0 = field.text().unwrap_or_default(),
            2 => out.1 = field.varint().unwrap_or(0) as i64,
            _ => {}
        }
    }
    Ok(out)
}

fn pair(bytes: &[u8]) -> Result<(String, String), ModelError> {
    let mut out = (String::new(), String::new());
    for field in Reader::new(bytes) {
        let field = field?;
        match field.number {
            1 => out.0 = field.text().unwrap_or_default(),
            2 => out.1 = field.text().unwrap_or_default(),
            _ => {}
        }
    }
    Ok(out)
}

/// Reads one `NodeProto`.
pub(super) fn node(bytes: &[u8]) -> Result<Node, ModelError> {
    let mut out = Node::default();
    for field in Reader::new(bytes) {
        let field = field?;
        match (field.number, field.bytes()) {
            (1, Some(_)) => out.inputs.extend(field.text()),
            (2, Some(_)) => out.outputs.extend(field.text()),
            (4, Some(_)) => out.op_type = field.text().unwrap_or_default(),
            (7, Some(_)) => out.domain = field.text().unwrap_or_default(),
            (5, Some(attribute)) => out.labels.extend(label_attribute(attribute)?),
            _ => {}
        }
    }
    Ok(out)
}

/// The values of an attribute named `classlabels_*`, as text; empty for any other.
fn label_attribute(bytes: &[u8]) -> Result<Vec<String>, ModelError> {
    let mut wanted = false;
    let mut labels = Vec::new();
    for field in Reader::new(bytes) {
        let field = field?;
        match field.number {
            1 => wanted = field.bytes().is_some_and(|name| name.starts_with(b"classlabels")),
            8 => labels.extend(field.integers()?.iter().map(i64::to_string)),
            9 => labels.extend(field.text()),
            _ => {}
        }
    }
    Ok(if wanted { labels } else { Vec::new() })
}

/// The nodes of a graph, in file order.
pub(super) fn nodes(graph: &[u8]) -> Result<Vec<Node>, ModelError> {
    let mut out = Vec::new();
    for field in Reader::new(graph) {
        let field = field?;
        if let (1, Some(bytes)) = (field.number, field.bytes()) {
            out.push(node(bytes)?);
        }
    }
    Ok(out)
}

/// The name of a `ValueInfoProto`.
pub(super) fn value_name(bytes: &[u8]) -> Result<String, ModelError> {
    let mut name = String::new();
    for field in Reader::new(bytes) {
        let field = field?;
        if field.number == 1 {
            name = field.text().unwrap_or_default();
        }
    }
    Ok(name)
}

/// Class labels of the graph's outputs: a ZipMap says them, or a classifier whose second output (the scores) reaches
/// the graph output through nodes that keep the columns.
fn labels(graph: &[u8]) -> Result<HashMap<String, Vec<String>>, ModelError> {
    // Mul: onnxmltools ends a LightGBM classifier with a multiplication by one.
    const KEEPS_COLUMNS: [&str; 6] = ["Identity", "Normalizer", "Cast", "Softmax", "Mul", "ZipMap"];
    let nodes = nodes(graph)?;
    let mut producer = HashMap::new();
    for node in &nodes {
        for (i, output) in node.outputs.iter().enumerate() {
            producer.insert(output.as_str(), (node, i));
        }
    }
    let mut out = HashMap::new();
    for field in Reader::new(graph) {
        let field = field?;
        let (12, Some(bytes)) = (field.number, field.bytes()) else { continue };
        let name = value_name(bytes)?;
        let mut at = name.as_str();
        // A path longer than the graph has nodes is a cycle, which ONNX Runtime will refuse.
        for _ in 0..=nodes.len() {
            let Some((node, position)) = producer.get(at) else { break };
            let says = node.is_zipmap() || (node.op_type.ends_with("Classifier") && *position == 1);
            if says && !node.labels.is_empty() {
                out.insert(name.clone(), node.labels.clone());
                break;
            }
            match node.inputs.first() {
                Some(input) if KEEPS_COLUMNS.contains(&node.op_type.as_str()) => at = input,
                _ => break,
            }
        }
    }
    Ok(out)
}
