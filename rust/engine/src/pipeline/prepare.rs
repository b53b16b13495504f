//! The driver's check of a call: everything that can be known before a job starts is known after this.

use super::arrival::Order;
use super::call::{Argument, Call, InputMode, Prepared, PreparedParts, PreparedWindow};
use super::compile::Compiled;
use super::describe::ddl;
use super::parts::Part;
use super::stamp;
use crate::error::{SpecError, SpecErrors};
use crate::spec::{PipelineSpec, WindowSpec, names};

/// A file that could not be read, at its place in the pipeline file. `position` counts the models and then
/// [`crate::spec::InputSpec::files`]; `there` are the files beside it, and the nearest is advised.
pub fn unreadable_file(spec: &PipelineSpec, position: usize, message: &str, there: &[String]) -> SpecError {
    let files = spec.input.files();
    let (fault, uri) = match (spec.models.get(position), position.checked_sub(spec.models.len())) {
        (None, Some(file)) => {
            let (key, name) = files.get(file).map_or(("input", ""), |file| (file.key, file.file.as_str()));
            (SpecError::new("SCHEMA_UNREADABLE", key, message), name)
        }
        (model, _) => (
            SpecError::new("MODEL_UNREADABLE", format!("models[{position}].uri"), message),
            model.map_or("", |model| model.uri.as_str()),
        ),
    };
    let (folder, name) = uri.rfind('/').map_or(("", uri), |slash| uri.split_at(slash + 1));
    let others = there.iter().map(String::as_str).filter(|other| *other != name);
    spec.locate(match names::nearest(name, others) {
        Some(near) => fault.with_hint(format!("did you mean {folder}{near}?")),
        None => fault,
    })
}

/// Checks a pipeline file whose models are loaded in this process. `found` has what the driver found for the files that
/// the pipeline file names: for each model, in file order, its hash, with `@` and the version behind it if it comes from
/// a store and has one; then the content of each of [`crate::spec::InputSpec::files`] in base64.
///
/// # Errors
/// Every fault found, with file, line and column.
pub fn prepare_pipeline(yaml: &str, file: &str, found: &[String], mode: InputMode) -> Result<Prepared, SpecErrors> {
    let checked = Checked::new(yaml, file, found, mode)?;
    let mut whole = checked.part(None)?;
    let window = |window: &WindowSpec| PreparedWindow { key: window.key.clone(), columns: window.columns() };
    whole.windows = checked.spec.windows.iter().map(window).collect();
    Ok(whole)
}

/// Checks a pipeline file with windows, as [`prepare_pipeline`], for engines that run it in parts.
///
/// # Errors
/// Every fault found, with file, line and column.
pub fn prepare_parts(
    yaml: &str,
    file: &str,
    found: &[String],
    mode: InputMode,
    buckets: u32,
    stream: bool,
) -> Result<PreparedParts, SpecErrors> {
    let checked = Checked::new(yaml, file, found, mode)?;
    let blocks = (0..checked.spec.windows.len()).map(|block| {
        let call = checked.call(Some(Part::Block(block)));
        checked.compiled(Some(Part::Block(block)))?.bucket(buckets, Order::Arrival)?;
        serde_json::to_string(&call).map_err(|e| SpecError::new("INTERNAL", "", e.to_string()).into())
    });
    Ok(PreparedParts {
        front: checked.part(Some(Part::Front { buckets, stream }))?,
        blocks: blocks.collect::<Result<_, SpecErrors>>()?,
        back: checked.part(Some(Part::Back))?,
    })
}

/// A pipeline whose models and files are there.
struct Checked {
    spec: PipelineSpec,
    json: String,
    mode: InputMode,
}

impl Checked {
    fn new(yaml: &str, file: &str, found: &[String], mode: InputMode) -> Result<Self, SpecErrors> {
        let mut spec = PipelineSpec::from_yaml(yaml, file)?;
        let Some((sha256, files)) = found.split_at_checked(spec.models.len()) else {
            let message = format!("{} models, but {} hashes were given", spec.models.len(), found.len());
            return Err(SpecError::new("INTERNAL", "models", message).into());
        };
        super::input::complete(&mut spec, files)?;
        for (position, (model, found)) in spec.models.iter_mut().zip(sha256).enumerate() {
            let (loaded, version) = match found.split_once('@') {
                Some((sha256, version)) => (sha256, version.parse().ok()),
                None => (found.as_str(), None),
            };
            model.version = version;
            if let Some(wanted) = model.sha256.as_deref().filter(|wanted| !wanted.eq_ignore_ascii_case(loaded)) {
                let message = format!("{} has sha256 {loaded}, the file wants {wanted}", model.uri);
                let fault = SpecError::new("WRONG_MODEL", format!("models[{position}].sha256"), message)
                    .with_hint("the model was replaced: check it, then write its hash or leave the key out");
                return Err(spec.locate(fault).into());
            }
            model.sha256 = Some(loaded.to_owned());
        }
        stamp::show(&mut spec);
        let json = spec.to_json();
        Ok(Self { spec, json, mode })
    }

    fn call(&self, part: Option<Part>) -> Call {
        Call::Pipeline { spec: self.json.clone(), mode: self.mode, part }
    }

    fn compiled(&self, part: Option<Part>) -> Result<Compiled, SpecErrors> {
        Compiled::pipeline(self.spec.clone(), self.mode, part)
            .map_err(|faults| SpecErrors(faults.0.into_iter().map(|fault| self.spec.locate(fault)).collect()))
    }

    fn part(&self, part: Option<Part>) -> Result<Prepared, SpecErrors> {
        prepared(&self.call(part), &self.compiled(part)?)
    }
}

/// Checks a model call whose model is loaded in this process. `model` is its location as the user wrote it.
///
/// # Errors
/// Every fault found.
pub fn prepare_predict(model: &str, sha256: &str, arguments: Vec<Argument>) -> Result<Prepared, SpecErrors> {
    let schema = super::predict::schema_of(&arguments)?;
    let compiled = Compiled::predict(model.to_owned(), sha256.to_owned(), schema)?;
    prepared(&Call::Predict { model: model.to_owned(), sha256: sha256.to_owned(), arguments }, &compiled)
}

fn prepared(call: &Call, compiled: &Compiled) -> Result<Prepared, SpecErrors> {
    Ok(Prepared {
        call: serde_json::to_string(call).map_err(|e| SpecError::new("INTERNAL", "", e.to_string()))?,
        input: ddl(compiled.input_schema().fields()),
        optional: compiled.optional(),
        output: ddl(compiled.output_schema().fields()),
        plan: compiled.plan().to_owned(),
        windows: Vec::new(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const YAML: &str = "name: t
input:
  format: json
  schema: id BIGINT NOT NULL, amount DOUBLE
clean:
  - check: amuont > 0
output: [id]
";

    #[test]
    fn a_rule_keeps_its_place_beside_not_null_columns() {
        let faults = prepare_pipeline(YAML, "t.yaml", &[], InputMode::Bytes).unwrap_err();
        assert_eq!((faults.0[0].path.as_str(), faults.0[0].place.line), ("clean[0].check", 6), "{faults}");
    }

    #[test]
    fn a_model_that_is_not_there_has_a_place_and_a_neighbour() {
        let yaml = YAML.replace("amuont", "amount") + "models:\n  - {name: m, uri: models/smal.onnx}\n";
        let spec = PipelineSpec::from_yaml(&yaml, "t.yaml").unwrap();
        let there = ["small.onnx".to_owned(), "other.onnx".to_owned()];
        assert_eq!(
            unreadable_file(&spec, 0, "not there", &there).to_string(),
            "t.yaml:9:20: MODEL_UNREADABLE: models[0].uri: not there (did you mean models/small.onnx?)"
        );
    }

    #[test]
    fn the_plan_shows_what_not_null_demands_once() {
        let yaml = YAML.replace("amuont", "amount");
        let prepared = prepare_pipeline(&yaml, "t.yaml", &[], InputMode::Bytes).unwrap();
        assert_eq!(prepared.plan.matches("require id").count(), 1, "{}", prepared.plan);
    }
}
