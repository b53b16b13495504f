//! From a message's descriptor and the wanted columns to what is done with each field number.
//!
//! Fields may come in any order, several times, or not at all, so a plan says three things: where a number's value
//! goes, which columns it takes back (other members of its `oneof`), and what a column holds whose field never came.

use arrow::datatypes::{DataType, TimeUnit};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::decode::paths::{self, Wanted};

/// Field numbers up to here are looked up by position.
const DENSE: usize = 256;

/// What is done with the fields of all levels of the schema.
#[derive(Debug)]
pub(super) struct Plan {
    /// The record's own message first.
    pub(super) levels: Vec<Level>,
    /// What is put into columns whose fields did not come although their message did.
    pub(super) fills: Vec<Fill>,
}

/// One message level.
#[derive(Debug, Default)]
pub(super) struct Level {
    dense: Vec<Option<Box<Target>>>,
    sparse: Vec<(u64, Box<Target>)>,
}

/// What is done with one field.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) action: Action,
    /// Columns that this field takes back: those of its `oneof`'s other members.
    pub(super) clears: Vec<usize>,
    /// Levels likewise.
    pub(super) clears_levels: Vec<usize>,
}

/// Where a field's value goes.
#[derive(Debug)]
pub(super) enum Action {
    /// Nowhere; the field is here for what it takes back.
    Skip,
    /// Into a column.
    Column(usize, Scalar),
    /// It is a message with columns inside. `subject` is told of in faults.
    Message { level: usize, subject: usize },
}

/// How a value is read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Float,
    Double,
    Bool,
    Bytes,
    /// Names by number, in the order of the numbers.
    Enum(Vec<(i32, String)>),
    /// `google.protobuf.Timestamp`
    Timestamp,
}

/// A constant for a column whose field did not come.
#[derive(Debug)]
pub(super) struct Fill {
    /// Only if this level's message came.
    pub(super) level: usize,
    pub(super) column: usize,
    pub(super) value: Constant,
}

/// A field's default.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Constant {
    Integer(i64),
    Unsigned(u64),
    Float(f32),
    Double(f64),
    Bool(bool),
    Bytes(Vec<u8>),
}

/// Why a message cannot be read into the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Misfit {
    /// The column (or, beyond the columns, the level) is something else there.
    Type { subject: usize, found: String },
    /// The message has no such field.
    Missing { key: String, path: String, known: Vec<String> },
}

impl Level {
    /// The target of a field number.
    #[inline(always)]
    pub(super) fn find(&self, number: u64) -> Option<&Target> {
        match usize::try_from(number).ok().and_then(|number| self.dense.get(number)) {
            Some(target) => target.as_deref(),
            None if self.sparse.is_empty() => None,
            None => self.sparse.iter().find(|(known, _)| *known == number).map(|(_, target)| target.as_ref()),
        }
    }

    fn set(&mut self, number: u32, target: Target) {
        let position = number as usize;
        if position >= DENSE {
            self.sparse.push((u64::from(number), Box::new(target)));
            return;
        }
        if self.dense.len() <= position {
            self.dense.resize_with(position + 1, || None);
        }
        self.dense[position] = Some(Box::new(target));
    }
}

impl Plan {
    /// What is done with the fields of `message`.
    pub(super) fn new(message: &MessageDescriptor, tree: &[paths::Level], types: &[DataType]) -> Result<Self, Misfit> {
        let levels = tree.iter().map(|_| Level::default()).collect();
        let mut planner = Planner { tree, types, plan: Self { levels, fills: Vec::new() } };
        let keys = tree.first().map(|level| level.keys.as_slice()).unwrap_or_default();
        planner.level(message, 0, "", keys)?;
        Ok(planner.plan)
    }
}

struct Planner<'a> {
    tree: &'a [paths::Level],
    types: &'a [DataType],
    plan: Plan,
}

impl Planner<'_> {
    fn level(
        &mut self,
        message: &MessageDescriptor,
        level: usize,
        path: &str,
        keys: &[(String, Wanted)],
    ) -> Result<(), Misfit> {
        let mut wanted: Vec<(FieldDescriptor, Action)> = Vec::with_capacity(keys.len());
        for (key, place) in keys {
            let Some(field) = message.get_field_by_name(key) else {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let known = message.fields().map(|field| field.name().to_owned()).collect();
                return Err(Misfit::Missing { key: key.clone(), path, known });
            };
            let action = self.action(&field, level, *place)?;
            wanted.push((field, action));
        }
        let members: Vec<(u32, Vec<usize>, Vec<usize>)> = wanted
            .iter()
            .map(|(field, action)| {
                let (columns, levels) = self.holds(action);
                (field.number(), columns, levels)
            })
            .collect();
        // A member of a oneof takes back the others, wanted or not.
        for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
            let is_wanted = |field: &FieldDescriptor| wanted.iter().any(|(other, _)| other.number() == field.number());
            if oneof.fields().any(|field| is_wanted(&field)) {
                let unwanted: Vec<FieldDescriptor> = oneof.fields().filter(|field| !is_wanted(field)).collect();
                wanted.extend(unwanted.into_iter().map(|field| (field, Action::Skip)));
            }
        }
        for (field, action) in wanted {
            let (mut clears, mut clears_levels) = (Vec::new(), Vec::new());
            if let Some(oneof) = field.containing_oneof().filter(|oneof| !oneof.is_synthetic()) {
                let others: Vec<u32> =
                    oneof.fields().map(|other| other.number()).filter(|other| *other != field.number()).collect();
                for (_, columns, levels) in members.iter().filter(|(number, ..)| others.contains(number)) {
                    clears.extend_from_slice(columns);
                    clears_levels.extend_from_slice(levels);
                }
            }
            self.plan.levels[level].set(field.number(), Target { action, clears, clears_levels });
        }
        Ok(())
    }

    /// Where a wanted field's value goes; plans what is inside.
    fn action(&mut self, field: &FieldDescriptor, level: usize, place: Wanted) -> Result<Action, Misfit> {
        let subject = match place {
            Wanted::Column(column) => column,
            Wanted::Level(inner) => self.types.len() + inner,
        };
        let misfit = |found: &str| Misfit::Type { subject, found: found.to_owned() };
        if field.is_map() {
            return Err(misfit("a map"));
        }
        if field.is_list() {
            return Err(misfit("a repeated field"));
        }
        if field.is_group() {
            return Err(misfit("a group"));
        }
        match (field.kind(), place) {
            (Kind::Message(message), Wanted::Level(inner)) => {
                let Some(paths::Level { path, keys }) = self.tree.get(inner) else { return Ok(Action::Skip) };
                self.level(&message, inner, path, keys)?;
                Ok(Action::Message { level: inner, subject })
            }
            (other, Wanted::Level(_)) => Err(misfit(kind_name(&other))),
            (Kind::Message(message), Wanted::Column(column)) => match message.full_name() {
                "google.protobuf.Timestamp" if is_instant(&self.types[column]) => {
                    Ok(Action::Column(column, Scalar::Timestamp))
                }
                name if is_wrapper(name) => {
                    let inner = self.plan.levels.len();
                    self.plan.levels.push(Level::default());
                    self.level(&message, inner, field.name(), &[("value".to_owned(), place)])?;
                    Ok(Action::Message { level: inner, subject })
                }
                name => Err(misfit(&format!("a message {name}"))),
            },
            (kind, Wanted::Column(column)) => {
                let scalar = scalar(&kind, &self.types[column]).ok_or_else(|| misfit(kind_name(&kind)))?;
                let has_default = field.field_descriptor_proto().default_value.is_some();
                if (!field.supports_presence() || has_default)
                    && let Some(value) = constant(field, &scalar)
                {
                    self.plan.fills.push(Fill { level, column, value });
                }
                Ok(Action::Column(column, scalar))
            }
        }
    }

    /// Columns and levels that a field's value reaches.
    fn holds(&self, action: &Action) -> (Vec<usize>, Vec<usize>) {
        match action {
            Action::Skip => (Vec::new(), Vec::new()),
            Action::Column(column, _) => (vec![*column], Vec::new()),
            Action::Message { level, .. } => {
                let (mut columns, mut levels) = (Vec::new(), vec![*level]);
                let inner = &self.plan.levels[*level];
                let targets = inner.dense.iter().flatten().chain(inner.sparse.iter().map(|(_, target)| target));
                for target in targets {
                    let (more_columns, more_levels) = self.holds(&target.action);
                    columns.extend(more_columns);
                    levels.extend(more_levels);
                }
                (columns, levels)
            }
        }
    }
}

/// The wrappers of `google/protobuf/wrappers.proto`: a value that may be missing.
pub(super) fn is_wrapper(name: &str) -> bool {
    matches!(
        name.strip_prefix("google.protobuf."),
        Some(
            "DoubleValue"
                | "FloatValue"
                | "Int64Value"
                | "UInt64Value"
                | "Int32Value"
                | "UInt32Value"
                | "BoolValue"
                | "StringValue"
                | "BytesValue"
        )
    )
}

fn is_instant(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(TimeUnit::Microsecond, Some(_)))
}

/// How a field of a kind is read for a column, if the column takes it.
fn scalar(kind: &Kind, wanted: &DataType) -> Option<Scalar> {
    let is_integer = matches!(wanted, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64);
    let is_number = is_integer || matches!(wanted, DataType::Float32 | DataType::Float64 | DataType::Decimal128(..));
    let is_long = is_number || is_instant(wanted);
    let is_bytes = matches!(wanted, DataType::Utf8 | DataType::Binary);
    Some(match kind {
        Kind::Int32 if is_number => Scalar::Int32,
        Kind::Int64 if is_long => Scalar::Int64,
        Kind::Uint32 if is_number => Scalar::Uint32,
        Kind::Uint64 if is_long => Scalar::Uint64,
        Kind::Sint32 if is_number => Scalar::Sint32,
        Kind::Sint64 if is_long => Scalar::Sint64,
        Kind::Fixed32 if is_number => Scalar::Fixed32,
        Kind::Fixed64 if is_long => Scalar::Fixed64,
        Kind::Sfixed32 if is_number => Scalar::Sfixed32,
        Kind::Sfixed64 if is_long => Scalar::Sfixed64,
        Kind::Float if matches!(wanted, DataType::Float32 | DataType::Float64) => Scalar::Float,
        Kind::Double if *wanted == DataType::Float64 => Scalar::Double,
        Kind::Bool if *wanted == DataType::Boolean => Scalar::Bool,
        Kind::String | Kind::Bytes if is_bytes => Scalar::Bytes,
        Kind::Enum(_) if is_integer => Scalar::Int32,
        Kind::Enum(values) if *wanted == DataType::Utf8 => {
            let mut names: Vec<(i32, String)> =
                values.values().map(|value| (value.number(), value.name().to_owned())).collect();
            // Of several names for one number, the first stands for it.
            names.sort_by_key(|(number, _)| *number);
            names.dedup_by_key(|(number, _)| *number);
            Scalar::Enum(names)
        }
        _ => return None,
    })
}

fn constant(field: &FieldDescriptor, scalar: &Scalar) -> Option<Constant> {
    Some(match field.default_value() {
        Value::Bool(value) => Constant::Bool(value),
        Value::I32(value) => Constant::Integer(i64::from(value)),
        Value::I64(value) => Constant::Integer(value),
        Value::U32(value) => Constant::Integer(i64::from(value)),
        Value::U64(value) => Constant::Unsigned(value),
        Value::F32(value) => Constant::Float(value),
        Value::F64(value) => Constant::Double(value),
        Value::String(value) => Constant::Bytes(value.into_bytes()),
        Value::Bytes(value) => Constant::Bytes(value.to_vec()),
        Value::EnumNumber(number) => match scalar {
            Scalar::Enum(names) => {
                let name = names.iter().find(|(known, _)| *known == number)?;
                Constant::Bytes(name.1.clone().into_bytes())
            }
            _ => Constant::Integer(i64::from(number)),
        },
        Value::Message(_) | Value::List(_) | Value::Map(_) => return None,
    })
}

/// A kind in the words of a `.proto` file, with its article.
pub(super) fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Double => "a double",
        Kind::Float => "a float",
        Kind::Int32 => "an int32",
        Kind::Int64 => "an int64",
        Kind::Uint32 => "a uint32",
        Kind::Uint64 => "a uint64",
        Kind::Sint32 => "a sint32",
        Kind::Sint64 => "a sint64",
        Kind::Fixed32 => "a fixed32",
        Kind::Fixed64 => "a fixed64",
        Kind::Sfixed32 => "a sfixed32",
        Kind::Sfixed64 => "a sfixed64",
        Kind::Bool => "a bool",
        Kind::String => "a string",
        Kind::Bytes => "bytes",
        Kind::Message(_) => "a message",
        Kind::Enum(_) => "an enum",
    }
}
