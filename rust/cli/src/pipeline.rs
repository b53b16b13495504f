//! A pipeline file made ready in this process: read, its models loaded, everything checked.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use firesteel_engine::{
    error::{SpecError, SpecErrors, StageError},
    model::{registry, runtime},
    pipeline::{Call, InputMode, Prepared, prepare_pipeline, unreadable_file},
    spec::PipelineSpec,
};

use crate::{error::CliError, store};

/// Options of every command that loads a pipeline.
#[derive(Debug, clap::Args)]
pub(crate) struct PipelineArgs {
    /// The pipeline file
    #[arg(value_name = "PIPELINE.yaml")]
    file: PathBuf,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

/// What a pipeline needs of this machine.
#[derive(Debug, clap::Args)]
pub(crate) struct RuntimeArgs {
    /// ONNX Runtime's library; default: build/native/libonnxruntime.so beside this program's folder
    #[arg(long, value_name = "FILE", env = "FIRESTEEL_ONNXRUNTIME", hide_env_values = true)]
    onnxruntime: Option<PathBuf>,
}

impl PipelineArgs {
    /// See [`RuntimeArgs::prepare`].
    pub(crate) fn prepare(&self) -> Result<Prepared, CliError> {
        self.runtime.prepare(&self.file)
    }
}

/// What a prepared pipeline asks of the engine.
pub(crate) fn call_of(prepared: &Prepared) -> Result<Call, CliError> {
    let call = serde_json::from_str(&prepared.call);
    Ok(call.map_err(|error| SpecErrors::from(SpecError::new("INTERNAL", "", error.to_string())))?)
}

impl RuntimeArgs {
    /// Checks a pipeline file, its schema and its models, as the driver of a Spark job does.
    pub(crate) fn prepare(&self, pipeline: &Path) -> Result<Prepared, CliError> {
        let file = pipeline.to_string_lossy();
        let yaml = std::fs::read_to_string(pipeline).map_err(CliError::file(pipeline))?;
        let spec = PipelineSpec::from_yaml(&yaml, &file)?;
        if !spec.models.is_empty() {
            self.start()?;
        }
        let folder = pipeline.parent().unwrap_or(Path::new(""));
        let mut found = Vec::with_capacity(spec.models.len() + 1);
        let mut faults = Vec::new();
        for (position, model) in spec.models.iter().enumerate() {
            let file = folder.join(&model.uri);
            match load(folder, &model.uri) {
                Ok(sha256) => found.push(sha256),
                Err(message) => faults.push(unreadable_file(&spec, position, &message, &beside(&file, ".onnx"))),
            }
        }
        for (position, named) in spec.input.files().into_iter().enumerate() {
            let file = folder.join(&named.file);
            match std::fs::read(&file) {
                Ok(bytes) => found.push(STANDARD.encode(bytes)),
                Err(error) => {
                    let message = format!("{}: {error}", file.display());
                    let position = spec.models.len() + position;
                    faults.push(unreadable_file(&spec, position, &message, &beside(&file, "")));
                }
            }
        }
        if !faults.is_empty() {
            return Err(SpecErrors(faults).into());
        }
        Ok(prepare_pipeline(&yaml, &file, &found, InputMode::Bytes)?)
    }

    /// Starts ONNX Runtime, as every command that loads models must.
    pub(crate) fn start(&self) -> Result<(), CliError> {
        Ok(runtime::init(&self.onnxruntime_library()?)?)
    }

    fn onnxruntime_library(&self) -> Result<PathBuf, CliError> {
        let beside = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("native/libonnxruntime.so"));
        let library = self.onnxruntime.clone().or_else(beside).filter(|path| path.exists());
        match library.map(std::path::absolute) {
            Some(Ok(path)) => Ok(path),
            _ => Err(StageError::Runtime(
                "libonnxruntime.so was not found: give --onnxruntime FILE or set FIRESTEEL_ONNXRUNTIME".to_owned(),
            )
            .into()),
        }
    }
}

/// Names of the files in the folder of `file` that end with `suffix`.
fn beside(file: &Path, suffix: &str) -> Vec<String> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(suffix)).collect()
}

/// Loads one model; gives its hash, and its version if it has one, as [`prepare_pipeline`] wants them.
fn load(folder: &Path, uri: &str) -> Result<String, String> {
    let (bytes, version) = store::found(folder, uri).map_err(|error| error.to_string())?;
    let model = registry::load(&bytes).map_err(|error| format!("{}: {error}", folder.join(uri).display()))?;
    let version = version.map_or_else(String::new, |version| format!("@{version}"));
    Ok(format!("{}{version}", model.sha256()))
}
