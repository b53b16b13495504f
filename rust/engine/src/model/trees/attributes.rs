//! The attributes of one node, by name.

use std::collections::HashMap;

use crate::model::error::ModelError;
use crate::model::wire::Reader;

/// Values of one `AttributeProto`; those it does not have are empty.
#[derive(Debug, Default)]
struct Attribute {
    text: Option<String>,
    integer: Option<i64>,
    integers: Vec<i64>,
    floats: Vec<f32>,
    texts: Vec<String>,
}

/// All attributes of a node.
#[derive(Debug, Default)]
pub(super) struct Attributes(HashMap<String, Attribute>);

impl Attributes {
    /// Reads the attributes of a `NodeProto`.
    pub(super) fn read(node: &[u8]) -> Result<Self, ModelError> {
        let mut all = HashMap::new();
        for field in Reader::new(node) {
            let field = field?;
            if let (5, Some(bytes)) = (field.number, field.bytes()) {
                let (name, attribute) = attribute(bytes)?;
                all.insert(name, attribute);
            }
        }
        Ok(Self(all))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.integer
    }

    pub(super) fn integers(&self, name: &str) -> &[i64] {
        self.0.get(name).map_or(&[], |attribute| &attribute.integers)
    }

    pub(super) fn floats(&self, name: &str) -> &[f32] {
        self.0.get(name).map_or(&[], |attribute| &attribute.floats)
    }

    pub(super) fn texts(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], |attribute| &attribute.texts)
    }

    /// The text, or `default` where the node does not say.
    pub(super) fn text_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.0.get(name).and_then(|attribute| attribute.text.as_deref()).unwrap_or(default)
    }
}

fn attribute(bytes: &[u8]) -> Result<(String, Attribute), ModelError> {
    let mut name = String::new();
    let mut out = Attribute::default();
    for field in Reader::new(bytes) {
        let field = field?;
        match field.number {
            1 => name = field.text().unwrap_or_default(),
            3 => out.integer = field.varint().map(|value| value as i64),
            4 => out.text = field.text(),
            7 => out.floats.extend(field.floats()),
            8 => out.integers.extend(field.integers()?),
            9 => out.texts.extend(field.text()),
            _ => {}
        }
    }
    Ok((name, out))
}
