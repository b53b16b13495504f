//! The pipeline file: typed, checked, and able to say where in the file a fault is.
//!
//! First on a record's way in time, not in data: it is read once on the driver and crosses to executors as canonical
//! JSON. It guarantees that a loaded spec has the right shape, valid and unique names and existing columns, and that
//! a wrong file is refused with all its faults at once, each with line and column. Whether expressions and models
//! fit is decided by the stages; [`PipelineSpec::locate`] gives their faults a place too. Start at
//! [`PipelineSpec::from_yaml`].

mod check;
mod check_challengers;
mod check_formats;
mod check_windows;
pub mod ddl;
mod formats;
mod model_uri;
pub mod names;
mod node;
mod ordered;
mod read;
mod read_challengers;
mod read_formats;
mod read_running;
mod read_windows;
mod running;
mod schema;
mod selector;
mod source;
#[cfg(test)]
mod tests;
mod types;
mod windows;

pub use self::formats::{AvroSpec, InputFile, ProtobufFraming, ProtobufSpec, RegistrySpec};
pub use self::model_uri::{ModelUri, is_alias};
pub use self::running::{BatchBounds, DeviceChoice};
pub use self::schema::{NOT_NULL_KEY, TableSchema, arrow_type, spark_type_name};
pub use self::selector::{Part, Selector};
pub(crate) use self::source::inner_place;
pub use self::types::{
    CleanRule, CsvOptions, DEFAULT_MAX_DEPTH, DEFAULT_MAX_RECORD_BYTES, Format, InputSpec, KernelChoice, Literal,
    ModelSpec, NanPolicy, NullPolicy, Nulls, OutputColumn, PipelineSpec, SampleSpec,
};
pub use self::windows::{BoundSpec, Current, Duration, Late, LateSpec, OrderSpec, Span, WindowSpec};

use crate::error::{SpecError, SpecErrors};

impl PipelineSpec {
    /// Read a pipeline file. `file` is its name as the user knows it, for messages.
    ///
    /// Fails with every fault found, in file order: first the shape; only a file of the right shape is checked for
    /// names and columns.
    pub fn from_yaml(text: &str, file: &str) -> Result<Self, SpecErrors> {
        let root = node::parse(text, file)?;
        let mut reader = read::Reader::new(text, file);
        let spec = reader.pipeline(&root);
        let mut faults = reader.faults;
        if let (Some(spec), true) = (spec, faults.is_empty()) {
            faults = check::all(&spec).into_iter().map(|fault| spec.locate(fault)).collect();
            if faults.is_empty() {
                return Ok(spec);
            }
        }
        faults.sort_by_key(|fault| (fault.place.line, fault.place.column));
        Err(SpecErrors(faults))
    }

    /// The same checks as [`PipelineSpec::from_yaml`]'s, for a spec that was changed since.
    pub(crate) fn check(&self) -> Result<(), SpecErrors> {
        match check::all(self) {
            faults if faults.is_empty() => Ok(()),
            faults => Err(SpecErrors(faults.into_iter().map(|fault| self.locate(fault)).collect())),
        }
    }

    /// The canonical JSON form: same keys as the file, defaults written out where they are scalars, schema
    /// normalised. Equal specs give equal text, so it can be hashed.
    pub fn to_json(&self) -> String {
        // Serialising these types can't fail: string keys and finite numbers only.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Read the JSON form.
    pub fn from_json(json: &str) -> Result<Self, SpecErrors> {
        let spec: Self =
            serde_json::from_str(json).map_err(|error| SpecError::new("BAD_JSON", "", error.to_string()))?;
        match check::all(&spec) {
            faults if faults.is_empty() => Ok(spec),
            faults => Err(SpecErrors(faults)),
        }
    }

    /// The JSON Schema of the file, for editors.
    pub fn json_schema() -> serde_json::Value {
        let mut schema = schemars::schema_for!(Self);
        schema.insert("title".to_owned(), "Firesteel pipeline".into());
        schema.to_value()
    }

    /// The same fault with file, line and column, for a spec that was loaded from YAML.
    ///
    /// `error.path` names the keys (`features.amount_log`, `models[0].outputs.score`). A place in `error` counts
    /// from the start of the text at that path, such as a column inside an SQL expression.
    #[must_use]
    pub fn locate(&self, error: SpecError) -> SpecError {
        let value = self.text_at(&error.path);
        self.source.locate(error, value.as_deref())
    }

    /// The text at a key path, if it is one that can have places inside.
    fn text_at(&self, path: &str) -> Option<String> {
        if let Some(name) = path.strip_prefix("features.") {
            return self.features.get(name).cloned();
        }
        if let Some((index, name)) = path.strip_prefix("windows[").and_then(|rest| rest.split_once("].compute.")) {
            return self.windows.get(index.parse::<usize>().ok()?)?.compute.get(name).cloned();
        }
        let index = path.strip_prefix("clean[")?.strip_suffix("].check")?;
        match self.clean.get(index.parse::<usize>().ok()?)? {
            CleanRule::Check(sql) => Some(sql.clone()),
            _ => None,
        }
    }
}
