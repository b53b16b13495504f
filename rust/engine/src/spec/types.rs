//! The typed model of a pipeline file. Its JSON form is the same shape as the YAML, and canonical.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::formats::{AvroSpec, InputFile, ProtobufSpec};
use super::model_uri::ModelUri;
use super::ordered;
use super::running::{BatchBounds, DeviceChoice};
use super::schema::TableSchema;
use super::source::Source;
use super::windows::{OrderSpec, WindowSpec};

/// One pipeline: decode → clean → features → windows → models → output.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineSpec {
    /// Name of the pipeline: letters, digits, `-` and `_`. Shown in logs, metrics and query names.
    pub name: String,
    /// Where the columns come from: format and schema of one record.
    pub input: InputSpec,
    /// Rules that reject or repair rows, applied in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clean: Vec<CleanRule>,
    /// New columns: name and SQL expression in Spark's dialect. A later one may use an earlier one.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty", with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub features: IndexMap<String, String>,
    /// Whether events of several partitions wait for each other, so that windows see them in one order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderSpec>,
    /// Features with memory: windows over each key's events, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowSpec>,
    /// ONNX models to score, in this order. A later one may use an earlier one's outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<ModelSpec>,
    /// Columns of the result, in this order: a name, or `{new_name: column}`.
    pub output: Vec<OutputColumn>,
    /// The text it was loaded from, for places in messages.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) source: Source,
}

/// Format and schema of one input record.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [
    {"required": ["schema"]},
    {"required": ["format"], "properties": {"format": {"enum": ["avro", "protobuf"]}}}
]))]
pub struct InputSpec {
    /// Format of the bytes of one record.
    #[serde(default)]
    pub format: Format,
    /// Columns in Spark DDL, such as `id BIGINT NOT NULL, ts TIMESTAMP, amount DOUBLE`. Avro and Protobuf records may
    /// have more; without this key all that can be columns are.
    #[serde(default, skip_serializing_if = "TableSchema::is_open")]
    pub schema: TableSchema,
    /// How CSV records are written. Only with `format: csv`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvOptions>,
    /// Which schemas Avro records are written by. Only with `format: avro`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avro: Option<AvroSpec>,
    /// Which message Protobuf records hold. Only with `format: protobuf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protobuf: Option<ProtobufSpec>,
    /// A record longer than this is rejected with TOO_LARGE. Unit: bytes.
    #[serde(default = "default_max_record_bytes")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub max_record_bytes: usize,
    /// A record nested deeper than this is rejected with TOO_DEEP. Unit: levels.
    #[serde(default = "default_max_depth")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_depth: usize,
}

/// Default of [`InputSpec::max_record_bytes`]: 16 MiB.
pub const DEFAULT_MAX_RECORD_BYTES: usize = 16 << 20;
/// Default of [`InputSpec::max_depth`].
pub const DEFAULT_MAX_DEPTH: usize = 128;

fn default_max_record_bytes() -> usize {
    DEFAULT_MAX_RECORD_BYTES
}

fn default_max_depth() -> usize {
    DEFAULT_MAX_DEPTH
}

/// Format of an input record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object per record.
    #[default]
    Json,
    /// One CSV line per record, fields in the order of the schema.
    Csv,
    /// One Avro datum per record.
    Avro,
    /// One Protobuf message per record.
    Protobuf,
}

/// How CSV records are written. Each character is one ASCII character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CsvOptions {
    /// Stands between two fields.
    #[schemars(length(min = 1, max = 1))]
    pub delimiter: char,
    /// The record's first line names the fields and is skipped. Kafka records rarely have one.
    pub header: bool,
    /// Encloses a field that contains the delimiter.
    #[schemars(length(min = 1, max = 1))]
    pub quote: char,
    /// Stands before a quote inside a quoted field; without it a quote is doubled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escape: Option<char>,
    /// A field that is exactly this text, unquoted, is null.
    pub null: String,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: ',', header: false, quote: '"', escape: None, null: String::new() }
    }
}

impl InputSpec {
    /// Files that the driver must put in, in the order of the pipeline file's keys.
    pub fn files(&self) -> Vec<InputFile> {
        let named = |key, file: Option<&String>| Some(InputFile { key, file: file?.clone() });
        let avro = self.avro.as_ref().and_then(|avro| named("input.avro.schema_file", avro.schema_file.as_ref()));
        let protobuf = self.protobuf.as_ref();
        let protobuf = protobuf.and_then(|p| named("input.protobuf.descriptor_file", p.descriptor_file.as_ref()));
        avro.into_iter().chain(protobuf).collect()
    }
}

/// One clean rule. The first rule that fails rejects the row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum CleanRule {
    /// Columns that must not be null; else REQUIRED_MISSING.
    Require(Vec<String>),
    /// A boolean SQL expression that must be true; false and null reject with CHECK_FAILED.
    Check(String),
    /// Values that replace nulls, by column.
    Fill(
        #[serde(with = "ordered")]
        #[schemars(with = "BTreeMap<String, Literal>")]
        IndexMap<String, Literal>,
    ),
}

/// A constant in the pipeline file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Literal {
    /// `true` or `false`
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A text; also a date (`yyyy-MM-dd`) or a timestamp (RFC 3339).
    Text(String),
}

/// One ONNX model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Name of the model, unique in the pipeline.
    pub name: String,
    /// Path of the ONNX file, relative to the pipeline file and read on the driver; or a model in a store:
    /// `models/fraud@champion`, `models/fraud@3`, `models:/fraud@champion`.
    pub uri: String,
    /// SHA-256 of the ONNX file, 64 hex digits. If given, another file is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-fA-F]{64}$"))]
    pub sha256: Option<String>,
    /// Model input → column or list of columns. Empty: each input is the column of the same name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty", deserialize_with = "one_or_many")]
    #[serde(serialize_with = "ordered::serialize")]
    #[schemars(with = "BTreeMap<String, OneOrMany>")]
    pub inputs: IndexMap<String, Vec<String>>,
    /// New column → model output: `name`, `name[1]` or `name["label"]`. Empty: all outputs by their own names.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty", with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub outputs: IndexMap<String, String>,
    /// What a null in an input column does: `reject`, `nan` or `{impute: VALUE}`, for all inputs or by input.
    #[serde(default)]
    pub nulls: Nulls,
    /// What a result that is NaN does.
    #[serde(default)]
    pub nan: NanPolicy,
    /// Whether whole numbers may be rounded where a model takes floats. Otherwise such a row is rejected with INPUT_VALUE.
    #[serde(default)]
    pub allow_lossy: bool,
    /// What may compute the scores.
    #[serde(default, skip_serializing_if = "KernelChoice::is_auto")]
    pub kernel: KernelChoice,
    /// What the model runs on.
    #[serde(default, skip_serializing_if = "DeviceChoice::is_cpu")]
    pub device: DeviceChoice,
    /// Threads of ONNX Runtime for one call of the model, the task's own included. With more than one, bits may differ.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub threads: usize,
    /// Rows of a call of ONNX Runtime: `auto`, a number, or bounds for the number that is measured.
    #[serde(default, skip_serializing_if = "BatchBounds::is_default")]
    #[schemars(with = "super::running::BatchSize")]
    pub batch_size: BatchBounds,
    /// Whether a model of a store adds the columns `<name>_version` and `<name>_sha256` to the output.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub stamp: bool,
    /// The earlier model that this one is compared with: its scores are shown beside, and it never rejects a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenges: Option<String>,
    /// Which rows a challenger scores; by default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<SampleSpec>,
    /// Version in its store, as the driver found it. Not a key of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub version: Option<i64>,
}

/// A part of the rows that depends on nothing but their own values: the same rows in every run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleSpec {
    /// How many of the values, more than 0 and at most 1.
    pub share: f64,
    /// Columns whose values are in the sample or not, such as a customer's id: all rows of a customer are, or none.
    #[serde(deserialize_with = "super::windows::one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub by: Vec<String>,
}

/// What may compute a model's scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KernelChoice {
    /// Firesteel's own kernel for a model that it knows and gives ONNX Runtime's bits for, otherwise ONNX Runtime.
    #[default]
    Auto,
    /// ONNX Runtime for every model.
    OnnxRuntime,
}

impl KernelChoice {
    /// Whether it is the default.
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

// Serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_one(number: &usize) -> bool {
    *number == 1
}

// Serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_yes(value: &bool) -> bool {
    *value
}

impl ModelSpec {
    /// The columns that say which version of a model has scored a row and what its content's hash is; `None` for a plain
    /// file, and where the author wants none.
    pub fn stamp_columns(&self) -> Option<[String; 2]> {
        (self.stamp && ModelUri::parse(&self.uri).is_stored())
            .then(|| [format!("{}_version", self.name), format!("{}_sha256", self.name)])
    }
}

/// What a null in the column of a model's input does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum NullPolicy {
    /// The row is rejected with NULL_FEATURE.
    #[default]
    Reject,
    /// The model gets NaN, which tree models treat as missing.
    Nan,
    /// The model gets this value.
    Impute(Literal),
}

/// What nulls do, for all inputs of a model or for each by its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Nulls {
    /// The same for all.
    All(NullPolicy),
    /// By input; `reject` for those that are not named.
    ByInput(
        #[serde(with = "ordered")]
        #[schemars(with = "BTreeMap<String, NullPolicy>")]
        IndexMap<String, NullPolicy>,
    ),
}

impl Default for Nulls {
    fn default() -> Self {
        Self::All(NullPolicy::Reject)
    }
}

impl Nulls {
    /// What a null of this input does.
    pub fn of(&self, input: &str) -> &NullPolicy {
        match self {
            Self::All(policy) => policy,
            Self::ByInput(policies) => policies.get(input).unwrap_or(&NullPolicy::Reject),
        }
    }

    /// The inputs that are named.
    pub fn inputs(&self) -> impl Iterator<Item = &str> {
        let named = match self {
            Self::All(_) => None,
            Self::ByInput(policies) => Some(policies.keys().map(String::as_str)),
        };
        named.into_iter().flatten()
    }
}

/// What a result that is NaN does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NanPolicy {
    /// It is the value of the column.
    #[default]
    Pass,
    /// The column, or the entry of its array, is null.
    Null,
    /// The row is rejected with NAN_RESULT.
    Reject,
}

/// One column of the result. Written as `name`, or `{name: column}` where they differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OutputItem", into = "OutputItem")]
pub struct OutputColumn {
    /// Name in the result.
    pub name: String,
    /// The column it shows.
    pub column: String,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum OutputItem {
    Plain(String),
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
    Renamed(
        #[serde(with = "ordered")]
        #[schemars(with = "BTreeMap<String, String>")]
        IndexMap<String, String>,
    ),
}

impl From<OutputItem> for OutputColumn {
    fn from(item: OutputItem) -> Self {
        match item {
            OutputItem::Plain(name) => Self { column: name.clone(), name },
            // A map with another number of entries is refused by the checks, which see an empty name.
            OutputItem::Renamed(map) => match map.into_iter().next() {
                Some((name, column)) => Self { name, column },
                None => Self { name: String::new(), column: String::new() },
            },
        }
    }
}

impl From<OutputColumn> for OutputItem {
    fn from(output: OutputColumn) -> Self {
        if output.name == output.column {
            Self::Plain(output.name)
        } else {
            Self::Renamed(IndexMap::from([(output.name, output.column)]))
        }
    }
}

impl JsonSchema for OutputColumn {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "OutputColumn".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        OutputItem::json_schema(generator)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D>(deserializer: D) -> Result<IndexMap<String, Vec<String>>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let map = ordered::deserialize::<D, OneOrMany>(deserializer)?;
    Ok(map
        .into_iter()
        .map(|(input, columns)| match columns {
            OneOrMany::One(column) => (input, vec![column]),
            OneOrMany::Many(columns) => (input, columns),
        })
        .collect())
}
