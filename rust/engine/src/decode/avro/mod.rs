//! Avro: datums written by a schema, read straight into the columns.
//!
//! A datum says nothing about itself: the writer's schema decides what its bytes mean. It is either given with the
//! pipeline, or named by an id in front of each record (Confluent's wire format) and asked for at a registry. Each
//! writer's schema becomes a plan once; a record then costs one walk over its bytes.
//!
//! Not done by arrow-avro's decoder, since it does not isolate rows: a datum that breaks off leaves its first fields in
//! their columns and the batch unusable. It is the tests' second opinion. Start at [`AvroReader::read`].

mod default;
mod derive;
mod plan;
mod run;
mod schema;
mod skip;

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};

pub(crate) use derive::columns;

use super::binary::Cursor;
use super::columns::Columns;
use super::fault::{Fault, Parsed};
use super::options::AvroOptions;
use super::paths::{self, Level};
use super::registry::{RegisteredSchema, Registry};
use super::text::type_name;
use crate::error::{SpecError, StageError};
use crate::spec::names;
use crate::stage::RejectCode;
use plan::{Misfit, Plan, Reader};
use schema::Schema;

/// Bytes before a datum in Confluent's wire format: a zero and the schema's id, most significant byte first.
pub(super) const CONFLUENT_HEADER: usize = 5;

/// Reads Avro records.
#[derive(Debug)]
pub(super) struct AvroReader {
    levels: Vec<Level>,
    types: Vec<DataType>,
    max_depth: usize,
    writers: Writers,
    failure: Option<StageError>,
}

#[derive(Debug)]
enum Writers {
    /// One schema for all records.
    One(Box<Plan>),
    /// By the id in front of the record.
    Registry(Box<ById>),
}

/// Plans by schema id.
#[derive(Debug)]
struct ById {
    registry: Arc<Registry>,
    /// The reader's own schema, if there is one.
    reader: Option<Schema>,
    plans: Vec<(u32, Result<Plan, Fault>)>,
    /// Position of the plan used last.
    last: usize,
}

impl AvroReader {
    /// Fails on a schema that cannot be read, and on columns that it does not have or has with other types.
    pub(super) fn try_new(schema: &SchemaRef, options: &AvroOptions, max_depth: usize) -> Result<Self, SpecError> {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        let levels = paths::levels(&names, max_depth)?;
        let own = match &options.schema {
            Some(text) => Some(Schema::parse(text).map_err(|m| SpecError::new("BAD_AVRO_SCHEMA", "input.avro", m))?),
            None => None,
        };
        // What the author sees of the schema must have all that the author wants.
        let plan = match &own {
            Some(own) => {
                let reader = Reader { levels: &levels, types: &types, schema: None, max_depth };
                Some(Plan::new(own, reader, true).map_err(|misfit| refused(&misfit, &names, &types, &levels))?)
            }
            None => None,
        };
        let writers = match (&options.registry, plan) {
            (Some(registry), _) => Writers::Registry(Box::new(ById {
                registry: Registry::shared(registry)?,
                reader: own,
                plans: Vec::new(),
                last: 0,
            })),
            (None, Some(plan)) => Writers::One(Box::new(plan)),
            (None, None) => {
                let message = "Avro records cannot be read without their schema";
                return Err(SpecError::new("MISSING_KEY", "input.avro", message)
                    .with_hint("write schema_file, schema or registry"));
            }
        };
        Ok(Self { levels, types, max_depth, writers, failure: None })
    }

    /// Dotted path of a record level.
    pub(super) fn path(&self, level: usize) -> &str {
        self.levels.get(level).map_or("", |level| &level.path)
    }

    /// Why the last record's fault is none of its own, if so: the batch cannot be processed.
    pub(super) fn take_failure(&mut self) -> Option<StageError> {
        self.failure.take()
    }

    /// Reads one record into one row. After a fault the columns must be rolled back.
    pub(super) fn read(&mut self, bytes: &[u8], columns: &mut Columns) -> Parsed<()> {
        if bytes.is_empty() {
            return Err(Fault::whole(RejectCode::EmptyValue, "the value is empty"));
        }
        let (plan, start) = match &mut self.writers {
            Writers::One(plan) => (&**plan, 0),
            Writers::Registry(by_id) => {
                let id = confluent_id(bytes)?;
                if by_id.plans.get(by_id.last).is_none_or(|(known, _)| *known != id) {
                    let reader = Reader {
                        levels: &self.levels,
                        types: &self.types,
                        schema: by_id.reader.as_ref(),
                        max_depth: self.max_depth,
                    };
                    match find(&by_id.registry, &by_id.plans, id, reader) {
                        Ok(Found::At(position)) => by_id.last = position,
                        Ok(Found::New(plan)) => {
                            by_id.last = by_id.plans.len();
                            by_id.plans.push((id, plan));
                        }
                        Err(Trouble::Fault(fault)) => return Err(fault),
                        Err(Trouble::Failure(failure)) => {
                            self.failure = Some(failure);
                            return Err(Fault::whole(RejectCode::UnknownSchema, "the schema could not be asked for"));
                        }
                    }
                }
                match by_id.plans.get(by_id.last) {
                    Some((_, Ok(plan))) => (plan, CONFLUENT_HEADER),
                    Some((_, Err(fault))) => return Err(fault.clone()),
                    None => return Err(Fault::whole(RejectCode::UnknownSchema, "a schema without a plan")),
                }
            }
        };
        let mut cursor = Cursor::new(bytes, start);
        run::run(plan, &plan.steps, &mut cursor, columns)?;
        if !cursor.is_done() {
            return Err(Fault::malformed(cursor.at(), "more bytes after the record; is it the writer's schema?"));
        }
        columns.end_row()
    }
}

/// The schema id of a record in Confluent's wire format.
#[inline(always)]
pub(super) fn confluent_id(bytes: &[u8]) -> Parsed<u32> {
    match bytes.first_chunk::<CONFLUENT_HEADER>() {
        Some(&[0, a, b, c, d]) => Ok(u32::from_be_bytes([a, b, c, d])),
        _ => Err(Fault::malformed(0, "the value does not begin with a zero byte and the four bytes of a schema id")),
    }
}

enum Found {
    At(usize),
    New(Result<Plan, Fault>),
}

enum Trouble {
    Fault(Fault),
    Failure(StageError),
}

#[inline(never)]
fn find(
    registry: &Registry,
    plans: &[(u32, Result<Plan, Fault>)],
    id: u32,
    reader: Reader<'_>,
) -> Result<Found, Trouble> {
    if let Some(position) = plans.iter().position(|(known, _)| *known == id) {
        return Ok(Found::At(position));
    }
    match registry.schema(id) {
        Ok(Some(schema)) => Ok(Found::New(plan_of(&schema, reader))),
        Ok(None) => {
            let message = format!("the schema registry does not know schema {id}");
            Err(Trouble::Fault(Fault::counted(RejectCode::UnknownSchema, message)))
        }
        Err(error) => Err(Trouble::Failure(error.into())),
    }
}

/// The plan for a registered schema, or the fault that each of its records has.
fn plan_of(schema: &RegisteredSchema, reader: Reader<'_>) -> Result<Plan, Fault> {
    let id = schema.id;
    let unknown = |message: String| Fault::counted(RejectCode::UnknownSchema, message);
    if schema.kind != "AVRO" {
        return Err(unknown(format!("schema {id} of the registry is {}, not AVRO", schema.kind)));
    }
    if schema.has_references {
        return Err(unknown(format!("schema {id} of the registry refers to others, which is not supported yet")));
    }
    let writer =
        Schema::parse(&schema.text).map_err(|fault| unknown(format!("schema {id} of the registry: {fault}")))?;
    match Plan::new(&writer, reader, false) {
        Ok(plan) => {
            if !plan.missing.is_empty() {
                log::warn!("schema {id} of the registry lacks {}: null or default", plan.missing.join(", "));
            }
            Ok(plan)
        }
        Err(Misfit::Type { subject, found }) => Err(Fault::wrong_type(CONFLUENT_HEADER, found).in_column(subject)),
        Err(Misfit::Missing { path, .. }) => Err(unknown(format!("schema {id} of the registry lacks {path}"))),
    }
}

/// The author's columns do not fit the author's schema.
fn refused(misfit: &Misfit, names: &[&str], types: &[DataType], levels: &[Level]) -> SpecError {
    match misfit {
        Misfit::Type { subject, found } => {
            let (name, wanted) = match (names.get(*subject), types.get(*subject)) {
                (Some(name), Some(wanted)) => (*name, type_name(wanted)),
                _ => (levels.get(subject - names.len()).map_or("", |level| &level.path), "a STRUCT".to_owned()),
            };
            let message = format!("column {name} is {wanted}, but {found} in the Avro schema");
            let hint = match *found {
                "an array" | "a map" => "arrays and maps cannot be columns yet: leave it out",
                _ => "docs/reference/decoding.md lists which Avro types each column type takes",
            };
            SpecError::new("TYPE_MISMATCH", "input.schema", message).with_hint(hint)
        }
        Misfit::Missing { key, path, known } => {
            SpecError::new("UNKNOWN_COLUMN", "input.schema", format!("the Avro schema has no field {path}"))
                .with_hint(names::advice(key, known.iter().map(String::as_str)))
        }
    }
}
