//! `firesteel state inspect`: what the windows of a pipeline know, from the snapshots in a query's checkpoint.
//!
//! A snapshot says itself what is in it, so no pipeline file is needed. [`files`] finds snapshots, [`summary`] counts what
//! is in one, [`dump`] reads what Spark's state store had instead, [`asked`] finds keys, [`show`] writes for people and [`value`] for both them and programs.

mod asked;
mod dump;
mod files;
mod show;
mod summary;
mod value;

use std::path::PathBuf;

use firesteel_engine::state::{RestoreError, Snapshot};
use serde_json::{Value, json};

use self::{
    asked::Asked,
    files::SnapshotFile,
    summary::{BlockSummary, Found},
};
use crate::error::CliError;

/// Look into the state of windows.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum StateCommand {
    /// Show what a snapshot holds, or the history of a key
    Inspect(InspectArgs),
}

/// Options of `state inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// A snapshot (OFFSET.arrow), a folder of them, or a query's checkpoint; of folders the newest snapshot per partition.
    /// Or what `python -m firesteel dump-state` wrote of a query whose windows live in Spark's state store (.jsonl)
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Show keys with this value in this key column, as customer_id=42; may be repeated, all must hold
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = asked::part)]
    key: Vec<(String, String)>,
    /// Most events of a key that are shown, the newest ones
    #[arg(long, value_name = "N", default_value_t = 20)]
    events: usize,
    /// Print JSON, with all events
    #[arg(long)]
    json: bool,
}

/// Runs one command to its end.
pub(crate) fn run(command: &StateCommand) -> Result<(), CliError> {
    let StateCommand::Inspect(args) = command;
    let files = files::find(&args.path)?;
    let mut looked = Vec::with_capacity(files.len());
    for file in &files {
        looked.push((file, look(file, &args.key)?));
    }
    if args.key.is_empty() {
        let summaries = || looked.iter().map(|(file, looked)| (*file, looked.summaries.as_slice()));
        if args.json {
            let files = summaries().map(|(file, blocks)| with_file(file, json!({"blocks": value::blocks(blocks)})));
            println!("{:#}", Value::Array(files.collect()));
        } else {
            summaries().for_each(|(file, blocks)| print!("{}", show::snapshot(file, blocks)));
        }
        return Ok(());
    }
    if looked.iter().all(|(_, looked)| looked.found.is_empty()) {
        let near = looked.iter().find_map(|(_, looked)| looked.near.clone()).unwrap_or_default();
        return Err(CliError::Content {
            path: args.path.clone(),
            message: format!("{}{near}", asked::nobody(&args.key)),
        });
    }
    if args.json {
        let each = looked.iter().flat_map(|(file, looked)| {
            looked.found.iter().map(|found| with_file(file, value::found(found, &looked.summaries[found.block].layout)))
        });
        println!("{:#}", Value::Array(each.collect()));
    } else {
        for (file, looked) in &looked {
            for found in &looked.found {
                print!("{}", show::key(file, found, &looked.summaries[found.block].layout, args.events));
            }
        }
    }
    Ok(())
}

/// What was found in one snapshot.
struct Looked {
    summaries: Vec<BlockSummary>,
    found: Vec<Found>,
    /// Advice, if nobody was found.
    near: Option<String>,
}

/// Why a file could not be looked into.
#[derive(Debug)]
enum Refusal {
    File(std::io::Error),
    Content(String),
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::File(error)
    }
}

fn look(file: &SnapshotFile, key: &[(String, String)]) -> Result<Looked, CliError> {
    if file.path.extension().is_some_and(|extension| extension == "jsonl") {
        return dump::look(file, key).map_err(|refusal| match refusal {
            Refusal::File(error) => CliError::file(&file.path)(error),
            Refusal::Content(message) => CliError::Content { path: file.path.clone(), message },
        });
    }
    let bytes = std::fs::read(&file.path).map_err(CliError::file(&file.path))?;
    let bad = |error: RestoreError| CliError::Content { path: file.path.clone(), message: error.to_string() };
    let snapshot = Snapshot::open(&bytes).map_err(bad)?;
    let mut summaries: Vec<BlockSummary> = snapshot.blocks().map(BlockSummary::new).collect();
    let mut asked =
        Asked::new(key, &summaries).map_err(|message| CliError::Content { path: file.path.clone(), message })?;
    let mut found = Vec::new();
    let read = snapshot.each_key(|block, key, history| {
        let Some(summary) = summaries.get_mut(block) else {
            return Err(RestoreError::Damaged(format!("there is no block {block}")));
        };
        let (parts, size) = (summary.layout.key(key)?, key.len() + history.len());
        let history = summary.layout.history(history)?;
        summary.add(history.events.len(), size);
        if asked.takes(block, &parts) {
            found.push(Found { block, key: parts, history, bytes: size });
        }
        Ok(())
    });
    read.map_err(bad)?;
    Ok(Looked { summaries, found, near: asked.near() })
}

/// Puts where it was found before the rest.
fn with_file(file: &SnapshotFile, rest: Value) -> Value {
    let mut all = json!({"file": file.path, "partition": file.partition, "offset": file.offset});
    if let (Value::Object(all), Value::Object(rest)) = (&mut all, rest) {
        all.extend(rest);
    }
    all
}
