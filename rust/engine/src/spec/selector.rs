//! Which part of a model's output becomes a column: `name`, `name[1]`, `name["label"]` or `name[*]`.

use std::fmt;

/// A parsed selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// The model's output.
    pub output: String,
    /// The part of it; `None` for the whole.
    pub part: Option<Part>,
}

/// A part of a model's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Position in a vector, from 0.
    Position(usize),
    /// Key of a map, such as a class label.
    Label(String),
    /// All values, as an array.
    All,
}

impl Selector {
    /// Parse a selector; the error says what to write. The output's name may contain any character but `[`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let Some((output, rest)) = text.split_once('[') else {
            return match text {
                "" => Err("the selector is empty: write the name of a model output".to_owned()),
                name => Ok(Self { output: name.to_owned(), part: None }),
            };
        };
        let shape = || format!("{text:?} is not a selector: write name, name[0], name[\"label\"] or name[*]");
        let output = output.trim_end();
        let inside = rest.strip_suffix(']').ok_or_else(shape)?.trim();
        if output.is_empty() {
            return Err(shape());
        }
        let label = ['"', '\''].iter().find_map(|quote| inside.strip_prefix(*quote)?.strip_suffix(*quote));
        let part = match label {
            Some(label) => Part::Label(label.to_owned()),
            None if inside == "*" => Part::All,
            None => Part::Position(inside.parse().map_err(|_| shape())?),
        };
        Ok(Self { output: output.to_owned(), part: Some(part) })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            None => f.write_str(&self.output),
            Some(Part::Position(position)) => write!(f, "{}[{position}]", self.output),
            Some(Part::Label(label)) => write!(f, "{}[\"{label}\"]", self.output),
            Some(Part::All) => write!(f, "{}[*]", self.output),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_all_forms() {
        for (text, output, part) in [
            ("score", "score", None),
            ("probabilities[1]", "probabilities", Some(Part::Position(1))),
            ("p[\"fraud\"]", "p", Some(Part::Label("fraud".into()))),
            ("p['1']", "p", Some(Part::Label("1".into()))),
            ("embedding[*]", "embedding", Some(Part::All)),
        ] {
            assert_eq!(Selector::parse(text).unwrap(), Selector { output: output.into(), part });
        }
    }

    #[test]
    fn refuses_what_is_no_selector() {
        for text in ["", "p[", "p[]", "p[-1]", "[1]", "p[1]x", "p[a]"] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
    }
}
