//! What the shape of a file can't say: names are valid and unique, columns exist, selectors parse.
//!
//! Works on the typed spec, so it guards specs from JSON too. Expressions and models are checked where they are
//! compiled ([`crate::clean`], [`crate::features`], [`crate::model`]).

use std::collections::HashSet;

use super::names;
use super::selector::Selector;
use super::types::{CleanRule, Format, InputSpec, PipelineSpec};
use super::{check_formats, check_windows};
use crate::error::SpecError;

/// All faults of a spec, in file order.
pub(super) fn all(spec: &PipelineSpec) -> Vec<SpecError> {
    let mut faults = Vec::new();
    pipeline_name(spec, &mut faults);
    input(spec, &mut faults);
    let mut columns = Columns { is_open: spec.input.schema.is_open(), ..Columns::default() };
    for leaf in spec.input.schema.leaves().fields() {
        columns.add(leaf.name());
    }
    clean(spec, &columns, &mut faults);
    for (name, sql) in &spec.features {
        let path = format!("features.{name}");
        new_column(&path, name, "feature", &mut columns, &mut faults);
        if sql.trim().is_empty() {
            faults.push(SpecError::new("BAD_EXPRESSION", path, "the expression is empty"));
        }
    }
    check_windows::all(spec, &mut columns, &mut faults);
    let open = models(spec, &mut columns, &mut faults);
    output(spec, &columns, open, &mut faults);
    faults
}

/// Known columns; names that differ by case only are one column, as in Spark.
#[derive(Default)]
pub(super) struct Columns {
    /// The input's columns are not known yet, so any name may be one.
    is_open: bool,
    names: Vec<String>,
    folded: HashSet<String>,
}

impl Columns {
    fn add(&mut self, name: &str) -> bool {
        self.names.push(name.to_owned());
        self.folded.insert(name.to_lowercase())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.is_open || self.folded.contains(&name.to_lowercase())
    }

    pub(super) fn unknown(&self, path: String, name: &str) -> SpecError {
        SpecError::new("UNKNOWN_COLUMN", path, format!("there is no column {name}"))
            .with_hint(names::advice(name, self.names.iter().map(String::as_str)))
    }
}

pub(super) fn new_column(path: &str, name: &str, what: &str, columns: &mut Columns, faults: &mut Vec<SpecError>) {
    if let Some(message) = names::fault(name) {
        faults.push(SpecError::new("BAD_NAME", path, message));
    } else if !columns.add(name) {
        let message = format!("{what} {name} has the name of an earlier column");
        faults.push(SpecError::new("DUPLICATE_NAME", path, message).with_hint("choose another name"));
    }
}

fn pipeline_name(spec: &PipelineSpec, faults: &mut Vec<SpecError>) {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if spec.name.is_empty() || !spec.name.chars().all(good) {
        let message = format!("{:?} is not a valid pipeline name", spec.name);
        faults.push(SpecError::new("BAD_NAME", "name", message).with_hint("use letters, digits, - and _"));
    }
}

fn input(spec: &PipelineSpec, faults: &mut Vec<SpecError>) {
    let input = &spec.input;
    let blocks = [
        ("csv", Format::Csv, input.csv.is_some()),
        ("avro", Format::Avro, input.avro.is_some()),
        ("protobuf", Format::Protobuf, input.protobuf.is_some()),
    ];
    for (name, _, _) in blocks.iter().filter(|(_, format, is_there)| *is_there && *format != input.format) {
        let message = format!("{name} options with format {}", word(input.format));
        let hint = format!("write format: {name}");
        faults.push(SpecError::new("BAD_VALUE", format!("input.{name}"), message).with_hint(hint));
    }
    match input.format {
        Format::Json | Format::Csv if input.schema.is_open() => {
            faults.push(SpecError::new("MISSING_KEY", "input.schema", "the key schema is missing"));
        }
        Format::Json => {}
        Format::Csv => csv(input, faults),
        Format::Avro => check_formats::avro(input, faults),
        Format::Protobuf => check_formats::protobuf(input, faults),
    }
    let limits = [
        ("input.max_record_bytes", spec.input.max_record_bytes, i32::MAX as usize),
        ("input.max_depth", spec.input.max_depth, 10_000),
    ];
    for (path, value, max) in limits {
        if !(1..=max).contains(&value) {
            faults.push(SpecError::new("BAD_VALUE", path, format!("{value} is not in 1 to {max}")));
        }
    }
}

fn word(format: Format) -> &'static str {
    match format {
        Format::Json => "json",
        Format::Csv => "csv",
        Format::Avro => "avro",
        Format::Protobuf => "protobuf",
    }
}

fn csv(input: &InputSpec, faults: &mut Vec<SpecError>) {
    if input.schema.is_nested() {
        let message = "a CSV record has no nested fields, but the schema has a STRUCT";
        faults.push(SpecError::new("BAD_SCHEMA", "input.schema", message));
    }
    if input.csv.as_ref().is_some_and(|csv| csv.delimiter == csv.quote) {
        let message = "delimiter and quote are the same character";
        faults.push(SpecError::new("BAD_VALUE", "input.csv.quote", message));
    }
}

fn clean(spec: &PipelineSpec, columns: &Columns, faults: &mut Vec<SpecError>) {
    for (i, rule) in spec.clean.iter().enumerate() {
        match rule {
            CleanRule::Require(required) => {
                for (j, name) in required.iter().enumerate().filter(|(_, name)| !columns.has(name)) {
                    faults.push(columns.unknown(format!("clean[{i}].require[{j}]"), name));
                }
                if required.is_empty() {
                    faults.push(SpecError::new("BAD_VALUE", format!("clean[{i}].require"), "no column is named"));
                }
            }
            CleanRule::Fill(values) => {
                for name in values.keys().filter(|name| !columns.has(name)) {
                    faults.push(columns.unknown(format!("clean[{i}].fill.{name}"), name));
                }
            }
            CleanRule::Check(sql) if sql.trim().is_empty() => {
                faults.push(SpecError::new("BAD_EXPRESSION", format!("clean[{i}].check"), "the expression is empty"));
            }
            CleanRule::Check(_) => {}
        }
    }
}

/// Checks the models and adds their columns; true if some model's outputs are not named here.
fn models(spec: &PipelineSpec, columns: &mut Columns, faults: &mut Vec<SpecError>) -> bool {
    let mut seen = HashSet::new();
    let mut open = false;
    for (i, model) in spec.models.iter().enumerate() {
        let path = format!("models[{i}]");
        if let Some(message) = names::fault(&model.name) {
            faults.push(SpecError::new("BAD_NAME", format!("{path}.name"), message));
        } else if !seen.insert(model.name.to_lowercase()) {
            let message = format!("two models are named {}", model.name);
            faults.push(SpecError::new("DUPLICATE_NAME", format!("{path}.name"), message));
        }
        if model.uri.trim().is_empty() {
            faults.push(SpecError::new("BAD_VALUE", format!("{path}.uri"), "the path is empty"));
        }
        if let Some(sha256) = &model.sha256
            && !(sha256.len() == 64 && sha256.chars().all(|c| c.is_ascii_hexdigit()))
        {
            faults.push(SpecError::new("BAD_VALUE", format!("{path}.sha256"), "a SHA-256 has 64 hex digits"));
        }
        for (input, list) in &model.inputs {
            for (j, name) in list.iter().enumerate().filter(|(_, name)| !columns.has(name) && !open) {
                let one = format!("{path}.inputs.{input}");
                let path = if list.len() == 1 { one } else { format!("{one}[{j}]") };
                faults.push(columns.unknown(path, name));
            }
        }
        for (column, selector) in &model.outputs {
            let path = format!("{path}.outputs.{column}");
            if let Err(message) = Selector::parse(selector) {
                faults.push(SpecError::new("BAD_SELECTOR", &path, message));
            }
            new_column(&path, column, "model output", columns, faults);
        }
        for column in model.stamp_columns().into_iter().flatten() {
            new_column(&format!("{path}.stamp"), &column, "stamp", columns, faults);
        }
        open |= model.outputs.is_empty();
    }
    open
}

fn output(spec: &PipelineSpec, columns: &Columns, open: bool, faults: &mut Vec<SpecError>) {
    if spec.output.is_empty() {
        faults.push(SpecError::new("BAD_VALUE", "output", "no column is named"));
    }
    let mut seen = HashSet::new();
    for (i, output) in spec.output.iter().enumerate() {
        let path = format!("output[{i}]");
        // The name of an input column may have a dot (a nested leaf); an alias is a new name and must be plain.
        if output.name != output.column
            && let Some(message) = names::fault(&output.name)
        {
            faults.push(SpecError::new("BAD_NAME", &path, message));
        }
        if !seen.insert(output.name.to_lowercase()) {
            let message = format!("column {} is listed twice", output.name);
            faults.push(SpecError::new("DUPLICATE_NAME", &path, message));
        }
        if !columns.has(&output.column) && !open {
            faults.push(columns.unknown(path, &output.column));
        }
    }
}
