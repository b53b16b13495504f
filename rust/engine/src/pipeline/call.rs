//! What a caller asks the engine for, as one value that crosses every border (JNI, files) as JSON.

use serde::{Deserialize, Serialize};

use super::parts::Part;

/// How records come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputMode {
    /// Undecoded: `value` (binary) and, if known, `topic` (string), `partition` (int), `offset` (bigint).
    Bytes,
    /// Already typed: one column per leaf of the pipeline's schema, by name. Decoding is skipped.
    Typed,
}

/// One argument of a model call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Argument {
    /// Column name as the user wrote it.
    pub name: String,
    /// Spark DDL type, such as `DOUBLE`.
    #[serde(rename = "type")]
    pub data_type: String,
}

/// A call of the engine. Its canonical JSON identifies the compiled call inside a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// A whole pipeline; every model's `sha256` is set.
    Pipeline {
        /// Canonical JSON of the [`crate::spec::PipelineSpec`].
        spec: String,
        /// How its records come in.
        mode: InputMode,
        /// The part of it that is run; all of it if it is not said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        part: Option<Part>,
    },
    /// One model on typed columns: `firesteel_predict`.
    Predict {
        /// Name for messages: the model's location as the user wrote it.
        model: String,
        /// Content hash of the model.
        sha256: String,
        /// The arguments, in order.
        arguments: Vec<Argument>,
    },
}

/// A call that has been checked, with all that a planner needs to know. Crosses as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prepared {
    /// Canonical JSON of the [`Call`]; all that an executor needs beside the models.
    pub call: String,
    /// Columns that the call reads, as Spark DDL: `value BINARY, topic STRING, …`. Optional ones are in `optional`.
    pub input: String,
    /// Columns of `input` that may be left out.
    pub optional: Vec<String>,
    /// The result struct's fields, as Spark DDL.
    pub output: String,
    /// The plan for a person: stages, casts, models.
    pub plan: String,
    /// The window blocks, in their order.
    #[serde(default)]
    pub windows: Vec<PreparedWindow>,
    /// Challengers and whom they challenge, in file order.
    #[serde(default)]
    pub comparisons: Vec<PreparedComparison>,
}

/// A challenger beside its champion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedComparison {
    /// The challenger's name.
    pub challenger: String,
    /// The champion's name.
    pub champion: String,
    /// What is compared: a column of the champion and one of the challenger, by their names in the result.
    pub columns: Vec<[String; 2]>,
}

/// What a planner needs to know of a window block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreparedWindow {
    /// Columns of the key.
    pub key: Vec<String>,
    /// The columns that it adds.
    pub columns: Vec<String>,
}

/// A pipeline with windows in its parts, see [`Part`]. Crosses as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreparedParts {
    /// What stands before the first block; gives packed rows.
    pub front: Prepared,
    /// Canonical JSON of each block's call, for [`super::Compiled::bucket`].
    pub blocks: Vec<String>,
    /// What stands behind the last block; takes packed rows.
    pub back: Prepared,
}
