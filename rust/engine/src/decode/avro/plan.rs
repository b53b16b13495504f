//! From a writer's schema and the wanted columns to the steps that read one record.
//!
//! The writer's fields come in the writer's order; each is read into a column, descended into, or passed over. This
//! is Avro's schema resolution ("Schema Resolution" in the specification) with the wanted columns as reader: promotions
//! follow from the column's type, and a field that the writer does not know gets the default of the reader's schema
//! where there is one, else null.

use arrow::datatypes::{DataType, TimeUnit};

use super::default;
use super::schema::{Field, FixedLogical, IntLogical, LongLogical, Schema, Type, TypeId, Unit};
use super::skip::Skipper;
use crate::decode::paths::{Level, Wanted};

/// What is wanted, the same for all writers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    /// The tree of wanted columns.
    pub(super) levels: &'a [Level],
    /// The columns' types.
    pub(super) types: &'a [DataType],
    /// The reader's own schema: names that fields had before, and defaults.
    pub(super) schema: Option<&'a Schema>,
    /// Deepest nesting that is taken.
    pub(super) max_depth: usize,
}

/// Why a writer's schema cannot be read into the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Misfit {
    /// The column (or, beyond the columns, the level) is something else there.
    Type { subject: usize, found: &'static str },
    /// A column's field is not in the writer's schema, and the caller wants that to be an error.
    Missing { key: String, path: String, known: Vec<String> },
}

/// The steps that read one record.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) skipper: Skipper,
    /// Columns that the writer's schema does not know: they are null, or have the reader's default.
    pub(super) missing: Vec<String>,
}

/// One step.
#[derive(Debug)]
pub(super) enum Step {
    /// A value into a column.
    Value { column: usize, value: Value },
    /// A union of null and a value. `null` is the branch's number.
    Nullable { column: usize, null: u64, value: Value },
    /// Null in these columns.
    Nulls(Vec<usize>),
    /// Any other union; one step per branch.
    Union(Vec<Step>),
    /// A nested record.
    Record(Vec<Step>),
    /// A branch of a union that the column does not take.
    Refused { subject: usize, found: &'static str },
    /// A constant: a datum in its own bytes.
    Default { datum: Vec<u8>, step: Box<Step> },
    /// So many bytes passed over.
    SkipBytes(u64),
    /// A number passed over.
    SkipVarint,
    /// Anything else passed over; it stands in a record of this level.
    Skip { of: TypeId, depth: usize },
}

/// How a value's bytes are read.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    /// A length and bytes.
    Bytes,
    Enum(Vec<String>),
    Date,
    Timestamp(Unit),
    /// A length and a two's complement number, most significant byte first, of this scale.
    DecimalBytes(i32),
    /// The same in so many bytes.
    DecimalFixed(usize, i32),
    Fixed(usize),
    /// Sixteen bytes to be written as text.
    Uuid,
}

impl Plan {
    /// The steps for records of `writer`. With `is_strict` a missing field is an error.
    pub(super) fn new(writer: &Schema, reader: Reader<'_>, is_strict: bool) -> Result<Self, Misfit> {
        let mut compiler = Compiler { writer, reader, is_strict, missing: Vec::new() };
        let own = reader.schema.map(Schema::root);
        let steps = compiler.record(writer.root(), own, 0, 1)?;
        let missing = compiler.missing;
        Ok(Self { steps, skipper: Skipper::new(writer.clone(), reader.max_depth), missing })
    }
}

struct Compiler<'a> {
    writer: &'a Schema,
    reader: Reader<'a>,
    is_strict: bool,
    missing: Vec<String>,
}

impl<'a> Compiler<'a> {
    /// Steps for a record of type `id`, which makes up `level` of the columns and stands at `depth`. `own` is the
    /// reader's type for it.
    fn record(&mut self, id: TypeId, own: Option<TypeId>, level: usize, depth: usize) -> Result<Vec<Step>, Misfit> {
        let (writer, reader) = (self.writer, self.reader);
        let (Type::Record(fields), Some(Level { path, keys })) = (writer.get(id), reader.levels.get(level)) else {
            return Err(self.other_level(level, writer.get(id)));
        };
        let own = own_fields(reader.schema, own);
        let owns: Vec<Option<&Field>> = keys.iter().map(|(key, _)| own.iter().find(|own| own.name == *key)).collect();
        let sources: Vec<Option<usize>> =
            keys.iter().zip(&owns).map(|((key, _), own)| source(fields, key, *own)).collect();
        let mut steps = Vec::with_capacity(fields.len());
        for (position, field) in fields.iter().enumerate() {
            match sources.iter().position(|source| *source == Some(position)) {
                Some(key) => steps.push(self.step(field.of, owns[key].map(|own| own.of), keys[key].1, depth)?),
                None => add_skip(&mut steps, self.skip(field.of, depth)),
            }
        }
        for (key, _) in sources.iter().enumerate().filter(|(_, source)| source.is_none()) {
            let (name, wanted) = &keys[key];
            let full = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if self.is_strict {
                let known = fields.iter().map(|field| field.name.clone()).collect();
                return Err(Misfit::Missing { key: name.clone(), path: full, known });
            }
            steps.push(self.absent(owns[key], *wanted, depth)?);
            self.missing.push(full);
        }
        Ok(steps)
    }

    /// The step for a value of type `id` that is wanted.
    fn step(&mut self, id: TypeId, own: Option<TypeId>, wanted: Wanted, depth: usize) -> Result<Step, Misfit> {
        let writer = self.writer;
        match (writer.get(id), wanted) {
            (Type::Union(branches), _) => self.union(branches, own, wanted, depth),
            (Type::Null, _) => Ok(Step::Nulls(self.columns_of(wanted))),
            (Type::Record(_), Wanted::Level(level)) => Ok(Step::Record(self.record(id, own, level, depth + 1)?)),
            (other, Wanted::Level(level)) => Err(self.other_level(level, other)),
            (other, Wanted::Column(column)) => {
                let found = Misfit::Type { subject: column, found: other.kind() };
                let value = self.reader.types.get(column).and_then(|wanted| value(other, wanted)).ok_or(found)?;
                Ok(Step::Value { column, value })
            }
        }
    }

    fn union(
        &mut self,
        branches: &[TypeId],
        own: Option<TypeId>,
        wanted: Wanted,
        depth: usize,
    ) -> Result<Step, Misfit> {
        let mut steps = Vec::with_capacity(branches.len());
        let mut refused = None;
        let mut fits = false;
        for &branch in branches {
            steps.push(match self.step(branch, own, wanted, depth) {
                Ok(step) => {
                    fits |= !matches!(self.writer.get(branch), Type::Null) || branches.len() == 1;
                    step
                }
                Err(Misfit::Type { subject, found }) => {
                    refused.get_or_insert(Misfit::Type { subject, found });
                    Step::Refused { subject, found }
                }
                Err(missing) => return Err(missing),
            });
        }
        if let (Some(misfit), false) = (refused, fits) {
            return Err(misfit);
        }
        if let [first, second] = steps.as_mut_slice() {
            let pair = match (first, second) {
                (Step::Nulls(_), Step::Value { column, value }) => Some((*column, 0, value)),
                (Step::Value { column, value }, Step::Nulls(_)) => Some((*column, 1, value)),
                _ => None,
            };
            if let Some((column, null, value)) = pair {
                return Ok(Step::Nullable { column, null, value: std::mem::replace(value, Value::Boolean) });
            }
        }
        Ok(Step::Union(steps))
    }

    /// The step for a field that the writer does not have: the reader's default, or null.
    fn absent(&self, own: Option<&Field>, wanted: Wanted, depth: usize) -> Result<Step, Misfit> {
        let nulls = Step::Nulls(self.columns_of(wanted));
        let (Some(own), Some(schema)) = (own, self.reader.schema) else { return Ok(nulls) };
        let mut datum = Vec::new();
        let default = own.default.as_ref().filter(|json| default::encode(schema, own.of, json, &mut datum));
        if default.is_none() {
            return Ok(nulls);
        }
        // The default is a datum of the reader's own schema.
        let mut compiler = Compiler { writer: schema, reader: self.reader, is_strict: false, missing: Vec::new() };
        let step = compiler.step(own.of, Some(own.of), wanted, depth)?;
        Ok(Step::Default { datum, step: Box::new(step) })
    }

    fn skip(&self, id: TypeId, depth: usize) -> Step {
        match self.writer.get(id) {
            Type::Null => Step::SkipBytes(0),
            Type::Boolean => Step::SkipBytes(1),
            Type::Int(_) | Type::Long(_) | Type::Enum(_) => Step::SkipVarint,
            Type::Float => Step::SkipBytes(4),
            Type::Double => Step::SkipBytes(8),
            Type::Fixed(size, _) => Step::SkipBytes(*size as u64),
            _ => Step::Skip { of: id, depth },
        }
    }

    /// Columns at a place of the tree and below it.
    fn columns_of(&self, wanted: Wanted) -> Vec<usize> {
        match wanted {
            Wanted::Column(column) => vec![column],
            Wanted::Level(level) => {
                let keys = self.reader.levels.get(level).map(|level| level.keys.as_slice()).unwrap_or_default();
                keys.iter().flat_map(|(_, wanted)| self.columns_of(*wanted)).collect()
            }
        }
    }

    fn other_level(&self, level: usize, found: &Type) -> Misfit {
        Misfit::Type { subject: self.reader.types.len() + level, found: found.kind() }
    }
}

/// The fields of the reader's type for a record, perhaps in a union with null; none if it has no such type.
fn own_fields(schema: Option<&Schema>, id: Option<TypeId>) -> &[Field] {
    let (Some(schema), Some(id)) = (schema, id) else { return &[] };
    match schema.get(id) {
        Type::Record(fields) => fields,
        Type::Union(branches) => branches
            .iter()
            .find_map(|&branch| match schema.get(branch) {
                Type::Record(fields) => Some(fields.as_slice()),
                _ => None,
            })
            .unwrap_or_default(),
        _ => &[],
    }
}

/// The writer's field for a key: the one of its name, else of one of the names that the reader's field had before.
fn source(fields: &[Field], key: &str, own: Option<&Field>) -> Option<usize> {
    let named = |name: &str| fields.iter().position(|field| field.name == name);
    named(key).or_else(|| own.into_iter().flat_map(|own| &own.aliases).find_map(|alias| named(alias)))
}

/// Adds a skip, joined with the one before where both are so many bytes.
fn add_skip(steps: &mut Vec<Step>, skip: Step) {
    match (steps.last_mut(), &skip) {
        (_, Step::SkipBytes(0)) => {}
        (Some(Step::SkipBytes(before)), Step::SkipBytes(more)) => *before = before.saturating_add(*more),
        _ => steps.push(skip),
    }
}

/// How a value of a writer's type is read for a column, if the column takes it.
fn value(of: &Type, wanted: &DataType) -> Option<Value> {
    let is_integer = matches!(wanted, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64);
    let is_number = is_integer || matches!(wanted, DataType::Float32 | DataType::Float64 | DataType::Decimal128(..));
    let is_instant = matches!(wanted, DataType::Timestamp(TimeUnit::Microsecond, Some(_)));
    let is_wall = matches!(wanted, DataType::Timestamp(TimeUnit::Microsecond, None));
    let is_bytes = matches!(wanted, DataType::Utf8 | DataType::Binary);
    Some(match of {
        Type::Boolean if *wanted == DataType::Boolean => Value::Boolean,
        Type::Int(None) if is_number => Value::Int,
        Type::Int(Some(IntLogical::Date)) if *wanted == DataType::Date32 => Value::Date,
        Type::Int(_) if is_integer => Value::Int,
        Type::Long(None) if is_number || is_instant => Value::Long,
        Type::Long(Some(LongLogical::Timestamp(unit))) if is_instant => Value::Timestamp(*unit),
        Type::Long(Some(LongLogical::LocalTimestamp(unit))) if is_wall => Value::Timestamp(*unit),
        Type::Long(_) if is_integer => Value::Long,
        Type::Float if matches!(wanted, DataType::Float32 | DataType::Float64) => Value::Float,
        Type::Double if *wanted == DataType::Float64 => Value::Double,
        Type::Bytes(None) | Type::String if is_bytes => Value::Bytes,
        Type::Bytes(Some(_)) if *wanted == DataType::Binary => Value::Bytes,
        Type::Bytes(Some(decimal)) if matches!(wanted, DataType::Decimal128(..)) => Value::DecimalBytes(decimal.scale),
        Type::Fixed(size, Some(FixedLogical::Decimal(decimal))) if matches!(wanted, DataType::Decimal128(..)) => {
            Value::DecimalFixed(*size, decimal.scale)
        }
        Type::Fixed(_, Some(FixedLogical::Uuid)) if *wanted == DataType::Utf8 => Value::Uuid,
        Type::Fixed(size, _) if *wanted == DataType::Binary => Value::Fixed(*size),
        Type::Enum(symbols) if *wanted == DataType::Utf8 => Value::Enum(symbols.clone()),
        _ => return None,
    })
}
