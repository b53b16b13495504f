//! The layout of a store on this machine's disks, as the Scala side's `StoreFolder` has it on every file system.
//!
//! `versions/000003/model.onnx`, then `versions/000003/model.json`, without which there is no version 3; and
//! `aliases/champion/000007.json`, one file per move. No file is written twice.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use chrono::{SecondsFormat, Utc};
use firesteel_engine::model::onnx_model::sha256;
use firesteel_engine::spec::is_alias;
use serde_json::{Map, Value, json};

use crate::error::CliError;

/// A version as its `model.json` tells it.
#[derive(Debug)]
pub(super) struct StoredVersion {
    pub(super) version: u64,
    pub(super) sha256: String,
    pub(super) about: Value,
}

/// One move of an alias; `undoes` is the number of the move that a rollback takes back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub(super) number: u64,
    pub(super) version: u64,
    undoes: Option<u64>,
}

/// A folder of a model's versions.
#[derive(Debug)]
pub(crate) struct StoreFolder {
    path: PathBuf,
}

impl StoreFolder {
    /// A store to add to, which need not be there.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// A store that is there.
    pub(crate) fn open(path: &Path) -> Result<Self, CliError> {
        if path.join("versions").is_dir() {
            return Ok(Self::new(path));
        }
        let shown = path.display();
        Err(store(format!(
            "MODEL_STORE: {shown} is no model store: it has no folder `versions`. Add a model first: firesteel model add {shown} FILE"
        )))
    }

    /// All whole versions, in order.
    pub(super) fn list(&self) -> Result<Vec<StoredVersion>, CliError> {
        let numbers = numbers(&self.path.join("versions"), "")?;
        Ok(numbers.into_iter().filter_map(|number| self.version(number)).collect())
    }

    fn version(&self, number: u64) -> Option<StoredVersion> {
        let about = read_json(&self.folder(number).join("model.json"))?;
        let sha256 = about["sha256"].as_str().filter(|hash| hash.len() == 64)?.to_owned();
        (about["version"].as_u64() == Some(number)).then_some(StoredVersion { version: number, sha256, about })
    }

    /// A version's bytes, checked against its hash.
    pub(crate) fn read(&self, number: u64) -> Result<Vec<u8>, CliError> {
        let shown = self.path.display();
        let Some(known) = self.version(number) else {
            let there: Vec<String> = self.list()?.iter().map(|version| version.version.to_string()).collect();
            return Err(store(format!(
                "MODEL_VERSION: {shown} has no version {number}. There are: {}. Versions that a stream has used must stay",
                there.join(", ")
            )));
        };
        let file = self.folder(number).join("model.onnx");
        let bytes = fs::read(&file).map_err(CliError::file(&file))?;
        let found = sha256(&bytes);
        if found == known.sha256 {
            return Ok(bytes);
        }
        Err(store(format!(
            "MODEL_CHECKSUM: {} has sha256 {found}, but was added with {}. The file was changed or damaged: add the model again as a new version",
            file.display(),
            known.sha256
        )))
    }

    /// Where an alias stands.
    pub(crate) fn current(&self, alias: &str) -> Result<u64, CliError> {
        self.standing(alias)?.last().map(|last| last.version).ok_or_else(|| {
            let shown = self.path.display();
            store(format!(
                "MODEL_ALIAS: {shown} has no alias {alias}. Set it with: firesteel model move {shown} {alias} VERSION"
            ))
        })
    }

    /// All aliases and where they stand.
    pub(super) fn aliases(&self) -> Result<Vec<(String, u64)>, CliError> {
        let mut names: Vec<String> = match fs::read_dir(self.path.join("aliases")) {
            Ok(entries) => entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect(),
            Err(_) => Vec::new(),
        };
        names.retain(|name| is_alias(name));
        names.sort();
        let standing = names.into_iter().map(|name| Ok(self.standing(&name)?.last().map(|last| (name, last.version))));
        standing.filter_map(Result::transpose).collect()
    }

    /// The moves that no rollback has taken back, in order.
    fn standing(&self, alias: &str) -> Result<Vec<Move>, CliError> {
        let folder = self.path.join("aliases").join(alias);
        let mut stack: Vec<Move> = Vec::new();
        for number in numbers(&folder, ".json")? {
            let file = folder.join(format!("{number:06}.json"));
            let found = read_json(&file);
            let Some(version) = found.as_ref().and_then(|node| node["version"].as_u64()).filter(|&v| v > 0) else {
                log::warn!(
                    "MODEL_ALIAS: {} is not whole and is passed over; the move before it counts",
                    file.display()
                );
                continue;
            };
            match found.and_then(|node| node["undoes"].as_u64()) {
                Some(undone) => stack.retain(|earlier| earlier.number != undone),
                None => stack.push(Move { number, version, undoes: None }),
            }
        }
        Ok(stack)
    }

    /// Adds a model that was checked; gives its version.
    pub(super) fn add(&self, bytes: &[u8], about: Map<String, Value>) -> Result<StoredVersion, CliError> {
        let number = numbers(&self.path.join("versions"), "")?.last().copied().unwrap_or(0) + 1;
        let hash = sha256(bytes);
        let created = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut node =
            json!({"format": 1, "version": number, "sha256": hash, "bytes": bytes.len(), "created": created});
        if let Some(known) = node.as_object_mut() {
            known.extend(about);
        }
        create(&self.folder(number).join("model.onnx"), bytes)?;
        create(&self.folder(number).join("model.json"), format!("{node:#}\n").as_bytes())?;
        Ok(StoredVersion { version: number, sha256: hash, about: node })
    }

    /// Moves an alias to a version, which must be there and whole.
    pub(super) fn set(&self, alias: &str, version: u64, by: &str) -> Result<Move, CliError> {
        self.write(alias, Move { number: 0, version, undoes: None }, by)
    }

    /// Takes an alias's last move back.
    pub(super) fn rollback(&self, alias: &str, by: &str) -> Result<Move, CliError> {
        match self.standing(alias)?.as_slice() {
            [.., before, last] => {
                self.write(alias, Move { number: 0, version: before.version, undoes: Some(last.number) }, by)
            }
            _ => Err(store(format!(
                "MODEL_ALIAS: {}@{alias} has no move before its last one to go back to. Move it to a version by its number",
                self.path.display()
            ))),
        }
    }

    fn write(&self, alias: &str, wanted: Move, by: &str) -> Result<Move, CliError> {
        check_alias(alias)?;
        self.read(wanted.version)?;
        let folder = self.path.join("aliases").join(alias);
        let number = numbers(&folder, ".json")?.last().copied().unwrap_or(0) + 1;
        let moved = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut node = json!({"version": wanted.version, "moved": moved, "by": by});
        if let Some(undone) = wanted.undoes {
            node["undoes"] = undone.into();
        }
        create(&folder.join(format!("{number:06}.json")), format!("{node:#}\n").as_bytes())?;
        Ok(Move { number, ..wanted })
    }

    fn folder(&self, version: u64) -> PathBuf {
        self.path.join("versions").join(format!("{version:06}"))
    }
}

/// Refuses a word that can't be an alias.
pub(super) fn check_alias(alias: &str) -> Result<(), CliError> {
    if is_alias(alias) {
        return Ok(());
    }
    Err(store(format!("MODEL_ALIAS: '{alias}' can't be an alias. Use letters, digits, - and _, a letter first")))
}

pub(super) fn store(message: String) -> CliError {
    CliError::Store(message)
}

/// Numbers of at least six digits that name things in a folder, in order; none if there is no folder.
fn numbers(folder: &Path, suffix: &str) -> Result<Vec<u64>, CliError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CliError::file(folder)(error)),
    };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut found: Vec<u64> = names
        .filter_map(|name| {
            let digits = name.strip_suffix(suffix)?;
            let is_number = digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| digits.parse().ok()).flatten()
        })
        .collect();
    found.sort_unstable();
    Ok(found)
}

/// `None` if the file is not there or not whole.
fn read_json(file: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

fn create(file: &Path, bytes: &[u8]) -> Result<(), CliError> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(CliError::file(folder))?;
    }
    let opened = OpenOptions::new().write(true).create_new(true).open(file);
    opened.and_then(|mut out| out.write_all(bytes)).map_err(CliError::file(file))
}
