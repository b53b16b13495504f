//! A schema registry that follows Confluent's REST API: schemas by the ids that records carry.
//!
//! Asked from inside a batch, so every answer is kept for the life of the process and no question takes longer than
//! the time that the author allows. An id that the registry does not know is the record's fault and rejects its row; a
//! registry that does not answer is nobody's row and fails the task. Start at [`Registry::shared`].

mod client;
mod secret;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use client::{Answer, Client};
pub use secret::{Secret, SecretRef};

use crate::error::{SpecError, StageError};

/// How long one question may take, all tries together, unless the author says otherwise, in seconds.
pub const DEFAULT_REGISTRY_TIMEOUT_S: u64 = 30;

/// An id that the registry did not know is asked for again after this time: it may have been registered meanwhile.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);

/// Unknown ids kept in mind at once.
const MAX_UNKNOWN: usize = 100_000;

/// Where the registry is and who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RegistryOptions {
    /// Address, such as `https://registry:8081`.
    pub url: String,
    /// How the registry knows us.
    pub login: Login,
    /// Longest time for one question, all tries together.
    pub timeout: Duration,
}

/// How a registry knows who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Login {
    /// It does not.
    #[default]
    None,
    /// HTTP basic authentication.
    Basic {
        /// User, or API key.
        username: String,
        /// Password, or API secret.
        password: SecretRef,
    },
    /// A bearer token.
    Bearer(SecretRef),
}

/// A schema as the registry holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredSchema {
    /// Its id.
    pub id: u32,
    /// `AVRO`, `PROTOBUF` or `JSON`.
    pub kind: String,
    /// Its text.
    pub text: String,
    /// It is made of other schemas too, which it names.
    pub has_references: bool,
}

/// Why the registry gave no answer that could be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryError {
    /// No answer within the time.
    Unreachable(String),
    /// It refused us.
    Refused(String),
    /// An answer that is none of Confluent's API.
    Answer(String),
}

/// A registry, with what it has answered so far.
#[derive(Debug)]
pub struct Registry {
    client: Client,
    schemas: Mutex<HashMap<u32, Arc<RegisteredSchema>>>,
    unknown: Mutex<HashMap<u32, Instant>>,
    subjects: Mutex<HashMap<String, Arc<RegisteredSchema>>>,
}

/// Registries of this process, by how they are asked.
static SHARED: LazyLock<Mutex<HashMap<RegistryOptions, Arc<Registry>>>> = LazyLock::new(Mutex::default);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept is whole after every statement, so a panic elsewhere spoils nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// The registry of these options, one for the whole process. Nothing is asked yet.
    ///
    /// Fails on a secret that is not where the options say.
    pub fn shared(options: &RegistryOptions) -> Result<Arc<Self>, SpecError> {
        let client = Client::new(options.clone())?;
        let fresh = || {
            Arc::new(Self { client, schemas: Mutex::default(), unknown: Mutex::default(), subjects: Mutex::default() })
        };
        Ok(Arc::clone(lock(&SHARED).entry(options.clone()).or_insert_with(fresh)))
    }

    /// The schema of an id; `None` if the registry does not know it.
    ///
    /// Takes as long as the options allow, and no time at all for an id that was asked for before.
    pub fn schema(&self, id: u32) -> Result<Option<Arc<RegisteredSchema>>, RegistryError> {
        if let Some(known) = lock(&self.schemas).get(&id) {
            return Ok(Some(Arc::clone(known)));
        }
        if lock(&self.unknown).get(&id).is_some_and(|since| since.elapsed() < UNKNOWN_FOR) {
            return Ok(None);
        }
        match self.client.get(&format!("schemas/ids/{id}"))? {
            Answer::Found(json) => {
                let schema = Arc::new(self.read(&json, id)?);
                lock(&self.schemas).insert(id, Arc::clone(&schema));
                Ok(Some(schema))
            }
            Answer::NotThere => {
                let mut unknown = lock(&self.unknown);
                if unknown.len() >= MAX_UNKNOWN {
                    unknown.clear();
                }
                unknown.insert(id, Instant::now());
                Ok(None)
            }
        }
    }

    /// The newest schema of a subject, as it was when this process first asked; `None` if there is no such subject.
    pub fn latest(&self, subject: &str) -> Result<Option<Arc<RegisteredSchema>>, RegistryError> {
        if let Some(known) = lock(&self.subjects).get(subject) {
            return Ok(Some(Arc::clone(known)));
        }
        match self.client.get(&format!("subjects/{}/versions/latest", client::escaped(subject)))? {
            Answer::Found(json) => {
                let id = json.get("id").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
                let schema = Arc::new(self.read(&json, id.unwrap_or_default())?);
                lock(&self.subjects).insert(subject.to_owned(), Arc::clone(&schema));
                Ok(Some(schema))
            }
            Answer::NotThere => Ok(None),
        }
    }

    /// Address, for messages.
    pub fn url(&self) -> &str {
        self.client.url()
    }

    fn read(&self, json: &Value, id: u32) -> Result<RegisteredSchema, RegistryError> {
        let Some(text) = json.get("schema").and_then(Value::as_str) else {
            return Err(RegistryError::Answer(format!(
                "{} answered for schema {id} without the key schema; is the address a schema registry?",
                self.url()
            )));
        };
        let references = json.get("references").and_then(Value::as_array);
        Ok(RegisteredSchema {
            id,
            kind: json.get("schemaType").and_then(Value::as_str).unwrap_or("AVRO").to_owned(),
            text: text.to_owned(),
            has_references: references.is_some_and(|references| !references.is_empty()),
        })
    }
}

impl From<RegistryError> for StageError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Unreachable(message) => Self::RegistryUnreachable(message),
            RegistryError::Refused(message) => Self::RegistryRefused(message),
            RegistryError::Answer(message) => Self::RegistryAnswer(message),
        }
    }
}

impl RegistryError {
    /// The same, told of the pipeline file before a job starts.
    pub fn at(self, path: &str) -> SpecError {
        match self {
            Self::Unreachable(message) => SpecError::new("REGISTRY_UNREACHABLE", path, message),
            Self::Refused(message) => SpecError::new("REGISTRY_REFUSED", path, message),
            Self::Answer(message) => SpecError::new("REGISTRY_ANSWER", path, message),
        }
    }
}
