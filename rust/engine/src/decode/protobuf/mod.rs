//! Protobuf: messages of a type that a descriptor set describes, read straight into the columns.
//!
//! The descriptor (what `protoc --descriptor_set_out --include_imports` writes) becomes a plan once: what is done with
//! each field number of the levels that hold columns. A record then costs one walk over its bytes; fields that no column
//! wants are passed over by their wire type alone. Start at [`ProtobufReader::read`].

mod derive;
mod plan;
mod walk;

use arrow::datatypes::{DataType, SchemaRef};
use prost_reflect::{DescriptorPool, MessageDescriptor};

pub(crate) use derive::columns;

use super::avro::{CONFLUENT_HEADER, confluent_id};
use super::binary::Cursor;
use super::columns::Columns;
use super::fault::{Fault, Parsed};
use super::options::{Framing, ProtobufOptions};
use super::paths::{self, Level};
use super::text::type_name;
use crate::error::SpecError;
use crate::spec::names;
use crate::stage::RejectCode;
use plan::{Misfit, Plan};
use walk::Walk;

/// Reads Protobuf records.
#[derive(Debug)]
pub(super) struct ProtobufReader {
    tree: Vec<Level>,
    plan: Plan,
    walk: Walk,
    framing: Framing,
    /// Which message of its file, as Confluent's wire format counts them.
    indexes: Vec<i64>,
}

impl ProtobufReader {
    /// Fails on a descriptor set that cannot be read, on a message that it does not have, and on columns that the
    /// message does not have or has with other types.
    pub(super) fn try_new(schema: &SchemaRef, options: &ProtobufOptions, max_depth: usize) -> Result<Self, SpecError> {
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        let tree = paths::levels(&names, max_depth)?;
        let message = message(options)?;
        let plan =
            Plan::new(&message, &tree, &types).map_err(|misfit| refused(&misfit, &names, &types, &tree, &message))?;
        // The path alternates between the kind of thing (a message) and its number.
        let indexes = message.path().iter().skip(1).step_by(2).map(|&index| i64::from(index)).collect();
        let walk = Walk::new(plan.levels.len(), max_depth);
        Ok(Self { tree, walk, plan, framing: options.framing, indexes })
    }

    /// Dotted path of a message level.
    pub(super) fn path(&self, level: usize) -> &str {
        self.tree.get(level).map_or("", |level| &level.path)
    }

    /// Reads one record into one row. After a fault the columns must be rolled back.
    pub(super) fn read(&mut self, bytes: &[u8], columns: &mut Columns) -> Parsed<()> {
        let start = match self.framing {
            // No bytes are a message in which every field has its default.
            Framing::Bare => 0,
            Framing::Confluent => self.header(bytes)?,
        };
        self.walk.message(&self.plan, 0, Cursor::new(bytes, start), columns)?;
        self.walk.fill(&self.plan, columns)?;
        columns.end_row()
    }

    /// Passes over Confluent's header: a zero, the schema's id, and which message of the schema's file it is.
    fn header(&self, bytes: &[u8]) -> Parsed<usize> {
        confluent_id(bytes)?;
        let mut cursor = Cursor::new(bytes, CONFLUENT_HEADER);
        let count = cursor.zigzag()?;
        // A lone zero is short for the first message of the file.
        let is_same = if count == 0 {
            self.indexes == [0]
        } else {
            let mut is_same = usize::try_from(count) == Ok(self.indexes.len());
            for index in 0..count {
                let found = cursor.zigzag()?;
                is_same &= usize::try_from(index).ok().and_then(|index| self.indexes.get(index)) == Some(&found);
            }
            is_same && count > 0
        };
        if !is_same {
            let what = "another message of the file than input.protobuf.message";
            return Err(Fault::new(RejectCode::WrongType, CONFLUENT_HEADER, what));
        }
        Ok(cursor.at())
    }
}

/// The message that the options name.
fn message(options: &ProtobufOptions) -> Result<MessageDescriptor, SpecError> {
    let pool = DescriptorPool::decode(options.descriptor.as_slice()).map_err(|error| {
        let message = format!("the descriptor set cannot be read: {error}");
        SpecError::new("BAD_DESCRIPTOR", "input.protobuf", message)
            .with_hint("make it with protoc --include_imports --descriptor_set_out=FILE")
    })?;
    let wanted = options.message.trim_start_matches('.');
    pool.get_message_by_name(wanted).ok_or_else(|| {
        let message = format!("the descriptor set has no message {wanted}");
        let known: Vec<String> = pool.all_messages().map(|message| message.full_name().to_owned()).collect();
        // A name without its package is the commonest slip.
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let suffix = format!(".{wanted}");
        let hint = match known.iter().find(|name| name.ends_with(&suffix)) {
            Some(full) => format!("did you mean {full}?"),
            None => names::advice(wanted, known.iter().copied()),
        };
        SpecError::new("UNKNOWN_MESSAGE", "input.protobuf.message", message).with_hint(hint)
    })
}

/// The author's columns do not fit the author's message.
fn refused(
    misfit: &Misfit,
    names: &[&str],
    types: &[DataType],
    tree: &[Level],
    message: &MessageDescriptor,
) -> SpecError {
    let full_name = message.full_name();
    match misfit {
        Misfit::Type { subject, found } => {
            let (name, wanted) = match (names.get(*subject), types.get(*subject)) {
                (Some(name), Some(wanted)) => (*name, type_name(wanted)),
                _ => (tree.get(subject - names.len()).map_or("", |level| &level.path), "a STRUCT".to_owned()),
            };
            let message = format!("column {name} is {wanted}, but {found} in {full_name}");
            let hint = match found.as_str() {
                "a map" | "a repeated field" => "maps and repeated fields cannot be columns yet: leave it out",
                _ => "docs/reference/decoding.md lists which fields each column type takes",
            };
            SpecError::new("TYPE_MISMATCH", "input.schema", message).with_hint(hint)
        }
        Misfit::Missing { key, path, known } => {
            SpecError::new("UNKNOWN_COLUMN", "input.schema", format!("{full_name} has no field {path}"))
                .with_hint(names::advice(key, known.iter().map(String::as_str)))
        }
    }
}
