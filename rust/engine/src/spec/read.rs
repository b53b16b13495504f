//! From the YAML tree to the typed spec: every structural fault of a file in one pass.
//!
//! The key lists here mirror the serde types in [`super::types`]; a test compares them with the generated JSON
//! Schema, so the two can't drift.

use indexmap::IndexMap;

use super::names;
use super::node::{Node, Value};
use super::schema::TableSchema;
use super::source::{Located, Source, inner_place};
use super::types::{
    CleanRule, CsvOptions, DEFAULT_MAX_DEPTH, DEFAULT_MAX_RECORD_BYTES, Format, InputSpec, KernelChoice, Literal,
    ModelSpec, NanPolicy, NullPolicy, Nulls, OutputColumn, PipelineSpec,
};
use crate::error::{Place, SpecError};

pub(super) const PIPELINE_KEYS: [&str; 8] =
    ["name", "input", "clean", "features", "order", "windows", "models", "output"];
pub(super) const INPUT_KEYS: [&str; 7] =
    ["format", "schema", "csv", "avro", "protobuf", "max_record_bytes", "max_depth"];
pub(super) const CSV_KEYS: [&str; 5] = ["delimiter", "header", "quote", "escape", "null"];
pub(super) const MODEL_KEYS: [&str; 15] = [
    "name",
    "uri",
    "sha256",
    "inputs",
    "outputs",
    "nulls",
    "nan",
    "allow_lossy",
    "kernel",
    "device",
    "threads",
    "batch_size",
    "stamp",
    "challenges",
    "sample",
];
pub(super) const CLEAN_KEYS: [&str; 3] = ["require", "check", "fill"];

const FORMATS: [(&str, Format); 4] =
    [("json", Format::Json), ("csv", Format::Csv), ("avro", Format::Avro), ("protobuf", Format::Protobuf)];

/// Collects faults and places while the tree is walked.
pub(super) struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    pub(super) faults: Vec<SpecError>,
    pub(super) source: Source,
}

/// The value at `key` of a map, with its path.
pub(super) type Entry<'n> = (String, &'n Node);

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, file: &'a str) -> Self {
        let source = Source { file: file.to_owned(), text: text.to_owned(), places: Default::default() };
        Self { text, file, faults: Vec::new(), source }
    }

    pub(super) fn fault(
        &mut self,
        condition: &'static str,
        path: &str,
        place: Place,
        message: String,
        hint: Option<String>,
    ) {
        let mut error = SpecError::new(condition, path, message).at(self.file, place);
        error.hint = hint;
        self.faults.push(error);
    }

    pub(super) fn wrong_type(&mut self, path: &str, node: &Node, wanted: &str) {
        let message = match node.value {
            Value::Null => format!("the value is missing; {wanted} is expected"),
            _ => format!("{wanted} is expected, not {}", node.value.kind()),
        };
        self.fault("WRONG_TYPE", path, node.place, message, None);
    }

    fn remember(&mut self, path: &str, node: &Node) {
        self.source.places.insert(path.to_owned(), Located { place: node.place, start: node.span.map(|s| s.0) });
    }

    /// The entries of a map, each remembered; `None` and a fault if it is no map.
    pub(super) fn map<'n>(
        &mut self,
        path: &str,
        node: &'n Node,
        wanted: &str,
    ) -> Option<Vec<(&'n str, Place, Entry<'n>)>> {
        let Value::Map(entries) = &node.value else {
            self.wrong_type(path, node, wanted);
            return None;
        };
        let mut out = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let full = if path.is_empty() { key.name.clone() } else { format!("{path}.{}", key.name) };
            self.remember(&full, value);
            out.push((key.name.as_str(), key.place, (full, value)));
        }
        Some(out)
    }

    /// A map with a fixed set of keys, in the order of `keys`; unknown ones are faults.
    pub(super) fn record<'n, const N: usize>(
        &mut self,
        path: &str,
        node: &'n Node,
        keys: [&str; N],
    ) -> Option<[Option<Entry<'n>>; N]> {
        let wanted = format!("a map with the keys {}", keys.join(", "));
        let entries = self.map(path, node, &wanted)?;
        let mut out = [const { None }; N];
        for (name, place, entry) in entries {
            match keys.iter().position(|key| *key == name) {
                Some(i) => out[i] = Some(entry),
                None => {
                    let message = format!("unknown key {name}");
                    self.fault("UNKNOWN_KEY", &entry.0, place, message, Some(names::advice(name, keys)));
                }
            }
        }
        Some(out)
    }

    pub(super) fn missing(&mut self, path: &str, node: &Node, key: &str, example: &str) {
        let message = format!("the key {key} is missing");
        self.fault("MISSING_KEY", path, node.place, message, Some(format!("write {key}: {example}")));
    }

    /// The text of a scalar as written; numbers and booleans count too (`one: 1` is an expression).
    pub(super) fn text(&mut self, (path, node): &Entry<'_>, wanted: &str) -> Option<String> {
        match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {
                let (start, end) = node.span?;
                Some(self.text.get(start..end)?.trim().to_owned())
            }
            _ => {
                self.wrong_type(path, node, wanted);
                None
            }
        }
    }

    pub(super) fn list<'n>(&mut self, path: &str, node: &'n Node, wanted: &str) -> Vec<Entry<'n>> {
        let Value::List(items) = &node.value else {
            self.wrong_type(path, node, wanted);
            return Vec::new();
        };
        let entries: Vec<Entry<'n>> =
            items.iter().enumerate().map(|(i, item)| (format!("{path}[{i}]"), item)).collect();
        for (path, node) in &entries {
            self.remember(path, node);
        }
        entries
    }

    pub(super) fn texts(&mut self, path: &str, node: &Node, wanted: &str) -> Vec<String> {
        self.list(path, node, wanted).iter().filter_map(|item| self.text(item, "a name")).collect()
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, entry: &Entry<'_>, words: &[(&str, T)]) -> Option<T> {
        let known = words.iter().map(|(word, _)| *word);
        let wanted = known.clone().collect::<Vec<_>>().join(" or ");
        let text = self.text(entry, &wanted)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let hint = names::advice(&text, known);
            self.fault("BAD_VALUE", &entry.0, entry.1.place, format!("{text:?} is not {wanted}"), Some(hint));
        }
        found
    }

    pub(super) fn count(&mut self, (path, node): &Entry<'_>, max: i64, unit: &str) -> Option<usize> {
        match node.value {
            Value::Integer(number) if (1..=max).contains(&number) => usize::try_from(number).ok(),
            Value::Integer(number) => {
                let hint = format!("1 to {max} {unit}");
                self.fault("BAD_VALUE", path, node.place, format!("{number} is out of range"), Some(hint));
                None
            }
            _ => {
                self.wrong_type(path, node, &format!("a whole number of {unit}"));
                None
            }
        }
    }

    /// The whole file. `None` only together with a fault.
    pub(super) fn pipeline(&mut self, root: &Node) -> Option<PipelineSpec> {
        let [name, input, clean, features, order, windows, models, output] = self.record("", root, PIPELINE_KEYS)?;
        if name.is_none() {
            self.missing("name", root, "name", "my-pipeline");
        }
        if input.is_none() {
            self.missing("input", root, "input", "{schema: \"id BIGINT, amount DOUBLE\"}");
        }
        if output.is_none() {
            self.missing("output", root, "output", "[id, score]");
        }
        let name = name.and_then(|entry| self.text(&entry, "a name"));
        let input = input.and_then(|entry| self.input(&entry));
        let clean = clean.map(|entry| self.clean(&entry)).unwrap_or_default();
        let features = features.map(|entry| self.features(&entry)).unwrap_or_default();
        let order = order.and_then(|entry| self.order(&entry));
        let windows = windows.map(|entry| self.windows(&entry)).unwrap_or_default();
        let models = models.map(|entry| self.models(&entry)).unwrap_or_default();
        let output = output.map(|entry| self.output(&entry));
        Some(PipelineSpec {
            name: name?,
            input: input?,
            clean,
            features,
            order,
            windows,
            models,
            output: output?,
            source: std::mem::take(&mut self.source),
        })
    }

    fn input(&mut self, (path, node): &Entry<'_>) -> Option<InputSpec> {
        let [format, schema, csv, avro, protobuf, max_record_bytes, max_depth] = self.record(path, node, INPUT_KEYS)?;
        let format = format.and_then(|entry| self.word(&entry, &FORMATS)).unwrap_or_default();
        // Binary formats have schemas of their own, which can say what the columns are.
        let schema = match (schema, format) {
            (Some(entry), _) => self.schema(&entry),
            (None, Format::Avro | Format::Protobuf) => Some(TableSchema::default()),
            (None, Format::Json | Format::Csv) => {
                self.missing("input.schema", node, "schema", "\"id BIGINT, ts TIMESTAMP, amount DOUBLE\"");
                None
            }
        };
        let csv = csv.and_then(|entry| self.csv(&entry));
        let avro = avro.and_then(|entry| self.avro(&entry));
        let protobuf = protobuf.and_then(|entry| self.protobuf(&entry));
        let max_record_bytes = max_record_bytes
            .and_then(|e| self.count(&e, i64::from(i32::MAX), "bytes"))
            .unwrap_or(DEFAULT_MAX_RECORD_BYTES);
        let max_depth = max_depth.and_then(|e| self.count(&e, 10_000, "levels")).unwrap_or(DEFAULT_MAX_DEPTH);
        Some(InputSpec { format, schema: schema?, csv, avro, protobuf, max_record_bytes, max_depth })
    }

    fn schema(&mut self, entry: &Entry<'_>) -> Option<TableSchema> {
        let text = self.text(entry, "a schema in Spark DDL, such as id BIGINT, amount DOUBLE")?;
        match TableSchema::parse(&text) {
            Ok(schema) => Some(schema),
            Err(fault) => {
                let condition = if fault.unsupported { "UNSUPPORTED_TYPE" } else { "BAD_SCHEMA" };
                let mut error = SpecError::new(condition, &entry.0, fault.message);
                error.place = inner_place(&text, fault.offset);
                error.hint = fault.hint;
                let error = self.source.locate(error, Some(&text));
                self.faults.push(error);
                None
            }
        }
    }

    fn csv(&mut self, (path, node): &Entry<'_>) -> Option<CsvOptions> {
        let [delimiter, header, quote, escape, null] = self.record(path, node, CSV_KEYS)?;
        let plain = CsvOptions::default();
        let delimiter = delimiter.and_then(|entry| self.character(&entry)).unwrap_or(plain.delimiter);
        let quote = quote.and_then(|entry| self.character(&entry)).unwrap_or(plain.quote);
        let escape = escape.and_then(|entry| self.character(&entry));
        let null = null.and_then(|entry| self.text(&entry, "a text")).unwrap_or(plain.null);
        let header = match header {
            Some((_, Node { value: Value::Boolean(header), .. })) => *header,
            Some((path, node)) => {
                self.wrong_type(&path, node, "true or false");
                plain.header
            }
            None => plain.header,
        };
        Some(CsvOptions { delimiter, header, quote, escape, null })
    }

    fn character(&mut self, entry: &Entry<'_>) -> Option<char> {
        let text = self.text(entry, "one character")?;
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) if c.is_ascii() && c != '\n' && c != '\r' => Some(c),
            _ => {
                let message = format!("{text:?} is not one ASCII character");
                self.fault("BAD_VALUE", &entry.0, entry.1.place, message, Some("write \",\" or \"\\t\"".to_owned()));
                None
            }
        }
    }

    fn clean(&mut self, (path, node): &Entry<'_>) -> Vec<CleanRule> {
        self.list(path, node, "a list of rules").iter().filter_map(|item| self.clean_rule(item)).collect()
    }

    fn clean_rule(&mut self, (path, node): &Entry<'_>) -> Option<CleanRule> {
        let [require, check, fill] = self.record(path, node, CLEAN_KEYS)?;
        let rules = [&require, &check, &fill].iter().filter(|rule| rule.is_some()).count();
        if rules != 1 {
            if let (Value::Map(entries), true) = (&node.value, rules > 1 || self.faults.is_empty()) {
                let message = format!("a rule has one key, not {}", entries.len());
                let hint = "write one list item per rule".to_owned();
                self.fault("BAD_VALUE", path, node.place, message, Some(hint));
            }
            return None;
        }
        if let Some((path, node)) = require {
            return Some(CleanRule::Require(self.texts(&path, node, "a list of columns")));
        }
        if let Some(entry) = check {
            return self.text(&entry, "an SQL expression").map(CleanRule::Check);
        }
        let (path, node) = fill?;
        let values = self.literals(&path, node, "a map from column to value")?;
        Some(CleanRule::Fill(values))
    }

    /// A map of constants.
    pub(super) fn literals(&mut self, path: &str, node: &Node, wanted: &str) -> Option<IndexMap<String, Literal>> {
        let mut values = IndexMap::new();
        for (name, _, entry) in self.map(path, node, wanted)? {
            if let Some(literal) = self.literal(&entry) {
                values.insert(name.to_owned(), literal);
            }
        }
        Some(values)
    }

    fn literal(&mut self, (path, node): &Entry<'_>) -> Option<Literal> {
        Some(match &node.value {
            Value::Boolean(value) => Literal::Boolean(*value),
            Value::Integer(value) => Literal::Integer(*value),
            Value::Float(value) if value.is_finite() => Literal::Float(*value),
            Value::Text(value) => Literal::Text(value.clone()),
            _ => {
                self.wrong_type(path, node, "a finite number, a text, true or false");
                return None;
            }
        })
    }

    fn features(&mut self, (path, node): &Entry<'_>) -> IndexMap<String, String> {
        self.expressions(path, node, "a map from name to SQL expression")
    }

    /// A map of expressions.
    pub(super) fn expressions(&mut self, path: &str, node: &Node, wanted: &str) -> IndexMap<String, String> {
        let entries = self.map(path, node, wanted).unwrap_or_default();
        entries
            .into_iter()
            .filter_map(|(name, _, entry)| Some((name.to_owned(), self.text(&entry, "an SQL expression")?)))
            .collect()
    }

    fn models(&mut self, (path, node): &Entry<'_>) -> Vec<ModelSpec> {
        self.list(path, node, "a list of models").iter().filter_map(|item| self.model(item)).collect()
    }

    fn model(&mut self, (path, node): &Entry<'_>) -> Option<ModelSpec> {
        let [
            name,
            uri,
            sha256,
            inputs,
            outputs,
            nulls,
            nan,
            allow_lossy,
            kernel,
            device,
            threads,
            batch_size,
            stamp,
            challenges,
            sample,
        ] = self.record(path, node, MODEL_KEYS)?;
        if name.is_none() {
            self.missing(&format!("{path}.name"), node, "name", "fraud");
        }
        if uri.is_none() {
            self.missing(&format!("{path}.uri"), node, "uri", "models/fraud.onnx");
        }
        let name = name.and_then(|entry| self.text(&entry, "a name"));
        let uri = uri.and_then(|entry| self.text(&entry, "a path"));
        let sha256 = sha256.and_then(|entry| self.text(&entry, "64 hex digits"));
        let nulls = nulls.map(|entry| self.nulls(&entry)).unwrap_or_default();
        let nan = nan.and_then(|entry| self.nan_policy(&entry)).unwrap_or_default();
        let allow_lossy = allow_lossy.and_then(|entry| self.yes_or_no(&entry)).unwrap_or_default();
        let kernel = kernel
            .and_then(|entry| {
                self.word(&entry, &[("auto", KernelChoice::Auto), ("onnxruntime", KernelChoice::OnnxRuntime)])
            })
            .unwrap_or_default();
        let device = device.and_then(|entry| self.device(&entry)).unwrap_or_default();
        let threads = threads.and_then(|entry| self.threads(&entry)).unwrap_or(1);
        let batch_size = batch_size.and_then(|entry| self.batch_size(&entry)).unwrap_or_default();
        let stamp = stamp.and_then(|entry| self.yes_or_no(&entry)).unwrap_or(true);
        let challenges = challenges.and_then(|entry| self.text(&entry, "the name of an earlier model"));
        let sample = sample.and_then(|entry| self.sample(&entry));
        let mut columns = IndexMap::new();
        if let Some((path, node)) = inputs {
            for (input, _, entry) in self.map(&path, node, "a map from model input to columns").unwrap_or_default() {
                let list = match entry.1.value {
                    Value::List(_) => self.texts(&entry.0, entry.1, "a list of columns"),
                    _ => self.text(&entry, "a column or a list of columns").into_iter().collect(),
                };
                columns.insert(input.to_owned(), list);
            }
        }
        let mut selectors = IndexMap::new();
        if let Some((path, node)) = outputs {
            for (column, _, entry) in self.map(&path, node, "a map from new column to model output").unwrap_or_default()
            {
                if let Some(selector) = self.text(&entry, "a model output, such as probabilities[1]") {
                    selectors.insert(column.to_owned(), selector);
                }
            }
        }
        Some(ModelSpec {
            name: name?,
            uri: uri?,
            sha256,
            inputs: columns,
            outputs: selectors,
            nulls,
            nan,
            allow_lossy,
            kernel,
            device,
            threads,
            batch_size,
            stamp,
            challenges,
            sample,
            version: None,
        })
    }

    /// `reject`, `nan` or `{impute: 0}`, for all inputs or by input.
    fn nulls(&mut self, entry: &Entry<'_>) -> Nulls {
        let (path, node) = entry;
        if !matches!(&node.value, Value::Map(_)) || is_impute(node) {
            return self.null_policy(entry).map(Nulls::All).unwrap_or_default();
        }
        let mut policies = IndexMap::new();
        for (input, _, entry) in self.map(path, node, "a map from model input to policy").unwrap_or_default() {
            if let Some(policy) = self.null_policy(&entry) {
                policies.insert(input.to_owned(), policy);
            }
        }
        Nulls::ByInput(policies)
    }

    fn null_policy(&mut self, entry: &Entry<'_>) -> Option<NullPolicy> {
        let (path, node) = entry;
        if let Value::Map(_) = &node.value {
            let [impute] = self.record(path, node, ["impute"])?;
            if impute.is_none() {
                self.missing(&format!("{path}.impute"), node, "impute", "0");
            }
            return impute.and_then(|entry| self.literal(&entry)).map(NullPolicy::Impute);
        }
        match self.word(entry, &[("reject", false), ("nan", true)])? {
            false => Some(NullPolicy::Reject),
            true => Some(NullPolicy::Nan),
        }
    }

    /// `pass`, `null` or `reject`; YAML reads the second as no value.
    fn nan_policy(&mut self, entry: &Entry<'_>) -> Option<NanPolicy> {
        let written = entry.1.span.and_then(|(start, end)| self.text.get(start..end));
        if entry.1.value == Value::Null && written.is_some_and(|text| text.trim() == "null") {
            return Some(NanPolicy::Null);
        }
        self.word(entry, &[("pass", NanPolicy::Pass), ("null", NanPolicy::Null), ("reject", NanPolicy::Reject)])
    }

    fn yes_or_no(&mut self, (path, node): &Entry<'_>) -> Option<bool> {
        if let Value::Boolean(value) = node.value {
            return Some(value);
        }
        self.wrong_type(path, node, "true or false");
        None
    }

    fn output(&mut self, (path, node): &Entry<'_>) -> Vec<OutputColumn> {
        let mut columns = Vec::new();
        for entry in self.list(path, node, "a list of columns") {
            if !matches!(entry.1.value, Value::Map(_)) {
                if let Some(name) = self.text(&entry, "a column, or {new_name: column}") {
                    columns.push(OutputColumn { column: name.clone(), name });
                }
                continue;
            }
            for (name, _, item) in self.map(&entry.0, entry.1, "{new_name: column}").unwrap_or_default() {
                if let Some(column) = self.text(&item, "a column") {
                    columns.push(OutputColumn { name: name.to_owned(), column });
                }
            }
        }
        columns
    }
}

/// Whether a map says what takes the place of nulls, and not what nulls of an input do.
fn is_impute(node: &Node) -> bool {
    let Value::Map(entries) = &node.value else { return false };
    matches!(entries.as_slice(), [(key, value)] if key.name == "impute" && !matches!(value.value, Value::Map(_)))
        && !matches!(entries.first().map(|(_, value)| &value.value), Some(Value::Text(word)) if word == "reject" || word == "nan")
}
