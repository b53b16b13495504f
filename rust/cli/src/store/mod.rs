//! `firesteel model`: versions and aliases of models in a folder of this machine. Stores elsewhere have the same commands
//! in `python -m firesteel model`.

mod folder;

use std::path::{Path, PathBuf};

use firesteel_engine::model::{TensorDescription, registry};
use firesteel_engine::spec::ModelUri;
use serde_json::{Map, Value, json};

pub(crate) use self::folder::StoreFolder;
use self::folder::{Move, check_alias, store};
use crate::{error::CliError, pipeline::RuntimeArgs};

/// Versions and aliases of models in a store's folder
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ModelCommand {
    /// Check a model and add it as the next version
    Add(AddArgs),
    /// Show versions and aliases
    List {
        /// The store's folder
        store: PathBuf,
    },
    /// Let an alias stand at a version
    Move {
        /// The store's folder
        store: PathBuf,
        /// The alias
        alias: String,
        /// The version's number
        version: u64,
    },
    /// Let an alias stand where another one does: promote STORE challenger champion
    Promote {
        /// The store's folder
        store: PathBuf,
        /// The alias that stands at the wanted version
        from: String,
        /// The alias to move
        to: String,
    },
    /// Take an alias's last move back
    Rollback {
        /// The store's folder
        store: PathBuf,
        /// The alias
        alias: String,
    },
    /// Read every version and check it
    Verify {
        /// The store's folder
        store: PathBuf,
        #[command(flatten)]
        runtime: RuntimeArgs,
    },
}

/// Options of `model add`.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// The store's folder; made if it is not there
    store: PathBuf,
    /// The ONNX file
    file: PathBuf,
    /// Let this alias stand at the new version
    #[arg(long)]
    alias: Option<String>,
    /// A word about this version
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

/// Runs one command to its end.
pub(crate) fn run(command: &ModelCommand) -> Result<(), CliError> {
    let by = std::env::var("USER").unwrap_or_default();
    match command {
        ModelCommand::Add(args) => add(args, &by),
        ModelCommand::List { store } => list(&StoreFolder::open(store)?),
        ModelCommand::Move { store, alias, version } => {
            moved(store, alias, StoreFolder::open(store)?.set(alias, *version, &by)?)
        }
        ModelCommand::Promote { store, from, to } => {
            let folder = StoreFolder::open(store)?;
            moved(store, to, folder.set(to, folder.current(from)?, &by)?)
        }
        ModelCommand::Rollback { store, alias } => moved(store, alias, StoreFolder::open(store)?.rollback(alias, &by)?),
        ModelCommand::Verify { store, runtime } => verify(&StoreFolder::open(store)?, runtime),
    }
}

/// The bytes behind a model's uri as seen from a folder, and the version if it has one.
pub(crate) fn found(folder: &Path, uri: &str) -> Result<(Vec<u8>, Option<u64>), CliError> {
    match ModelUri::parse(uri) {
        ModelUri::File(path) => {
            let file = folder.join(path);
            Ok((std::fs::read(&file).map_err(CliError::file(&file))?, None))
        }
        ModelUri::Alias { store, alias } => {
            let store = StoreFolder::open(&folder.join(store))?;
            let version = store.current(alias)?;
            Ok((store.read(version)?, Some(version)))
        }
        ModelUri::Version { store, version } => {
            Ok((StoreFolder::open(&folder.join(store))?.read(version)?, Some(version)))
        }
        ModelUri::Mlflow(uri) => Err(store(format!(
            "MLFLOW: {uri} is in MLflow's registry, which this program does not reach. Use Spark or Python, or download the model"
        ))),
    }
}

fn add(args: &AddArgs, by: &str) -> Result<(), CliError> {
    args.alias.as_deref().map_or(Ok(()), check_alias)?;
    let bytes = std::fs::read(&args.file).map_err(CliError::file(&args.file))?;
    args.runtime.start()?;
    // Our parser and ONNX Runtime look at it first: what can't be loaded is never a version.
    let model = registry::load(&bytes).map_err(|error| store(error.to_string()))?;
    let described = |tensors: &[TensorDescription]| -> Value {
        tensors.iter().map(|t| json!({"name": t.name, "type": t.to_string()})).collect()
    };
    let mut about = Map::new();
    about.insert("source".to_owned(), args.file.to_string_lossy().into());
    about.insert("note".to_owned(), args.note.as_str().into());
    about.insert("by".to_owned(), by.into());
    about.insert("inputs".to_owned(), described(model.inputs()));
    about.insert("outputs".to_owned(), described(model.outputs()));
    let folder = StoreFolder::new(&args.store);
    let added = folder.add(&bytes, about)?;
    let shown = args.store.display();
    println!("{shown}@{} added (sha256 {}, {} bytes)", added.version, &added.sha256[..12], bytes.len());
    match &args.alias {
        Some(alias) => moved(&args.store, alias, folder.set(alias, added.version, by)?),
        None => Ok(()),
    }
}

fn moved(store: &Path, alias: &str, to: Move) -> Result<(), CliError> {
    println!("{}@{alias} is version {} (move {})", store.display(), to.version, to.number);
    Ok(())
}

fn list(folder: &StoreFolder) -> Result<(), CliError> {
    let aliases = folder.aliases()?;
    for version in folder.list()? {
        let mut words = vec![
            version.version.to_string(),
            version.sha256[..12].to_owned(),
            version.about["created"].as_str().unwrap_or_default().to_owned(),
            format!("{} bytes", version.about["bytes"]),
        ];
        words.extend(aliases.iter().filter(|(_, at)| *at == version.version).map(|(alias, _)| format!("@{alias}")));
        words.extend(version.about["note"].as_str().filter(|note| !note.is_empty()).map(str::to_owned));
        println!("{}", words.join("  "));
    }
    Ok(())
}

fn verify(folder: &StoreFolder, runtime: &RuntimeArgs) -> Result<(), CliError> {
    runtime.start()?;
    let versions = folder.list()?;
    let mut bad = Vec::new();
    for version in &versions {
        let loaded = folder
            .read(version.version)
            .and_then(|bytes| registry::load(&bytes).map(|_| ()).map_err(|error| store(error.to_string())));
        if let Err(error) = loaded {
            bad.push(format!("{}: {error}", version.version));
        }
    }
    if bad.is_empty() {
        println!("{} versions are whole and load", versions.len());
        return Ok(());
    }
    let (count, all) = (bad.len(), versions.len());
    Err(store(format!("MODEL_CHECKSUM: {count} of {all} versions are not good:\n{}", bad.join("\n"))))
}
