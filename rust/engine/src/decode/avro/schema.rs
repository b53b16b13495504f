//! An Avro schema as a table of types that name each other by number, so that a type may hold itself.
//!
//! Source of the rules: Apache Avro 1.12, specification, "Schema Declaration" and "Logical Types". Properties that do
//! not change how a datum is read (docs, orders, unknown attributes) are passed over; a logical type that does not
//! fit its type is passed over too, as the specification asks.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Number of a type in [`Schema::types`].
pub(super) type TypeId = usize;

/// Deepest nesting of a schema's own text; keeps hostile text from exhausting the stack.
const MAX_NESTING: usize = 100;

/// A parsed schema.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Schema {
    types: Vec<Type>,
    root: TypeId,
}

/// One type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    Null,
    Boolean,
    /// A varint of 32 bits.
    Int(Option<IntLogical>),
    /// A varint of 64 bits.
    Long(Option<LongLogical>),
    Float,
    Double,
    /// A length and bytes; perhaps a decimal.
    Bytes(Option<DecimalType>),
    /// A length and UTF-8.
    String,
    /// So many bytes.
    Fixed(usize, Option<FixedLogical>),
    /// The names of the values.
    Enum(Vec<String>),
    Record(Vec<Field>),
    Array(TypeId),
    Map(TypeId),
    Union(Vec<TypeId>),
}

/// Meaning of an `int`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntLogical {
    Date,
    TimeMillis,
}

/// Meaning of a `long`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LongLogical {
    TimeMicros,
    /// An instant.
    Timestamp(Unit),
    /// A clock reading without zone.
    LocalTimestamp(Unit),
}

/// Meaning of a `fixed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FixedLogical {
    Decimal(DecimalType),
    Uuid,
}

/// Ticks of a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// A decimal's digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DecimalType {
    pub(super) precision: u32,
    pub(super) scale: i32,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) of: TypeId,
    pub(super) default: Option<Value>,
}

impl Schema {
    /// Reads the JSON text of a schema whose outermost type is a record. The error is a sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let json: Value = serde_json::from_str(text).map_err(|error| format!("the schema is no JSON: {error}"))?;
        let mut parser = Parser::default();
        let root = parser.read(&json, "", 0)?;
        let types: Option<Vec<Type>> = parser.types.into_iter().collect();
        let schema = Self { types: types.unwrap_or_default(), root };
        match schema.get(root) {
            Type::Record(_) => Ok(schema),
            other => Err(format!("the outermost type is {}, but a record's columns are wanted", other.kind())),
        }
    }

    /// The outermost record.
    pub(super) fn root(&self) -> TypeId {
        self.root
    }

    /// Numbers come from this schema only, so each has its type.
    #[inline(always)]
    pub(super) fn get(&self, id: TypeId) -> &Type {
        self.types.get(id).unwrap_or(&Type::Null)
    }

    /// Number of types.
    pub(super) fn len(&self) -> usize {
        self.types.len()
    }
}

impl Type {
    /// What it is, for messages, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "a null",
            Self::Boolean => "a boolean",
            Self::Int(None) => "an int",
            Self::Int(Some(IntLogical::Date)) => "a date",
            Self::Int(Some(IntLogical::TimeMillis)) => "a time-millis",
            Self::Long(None) => "a long",
            Self::Long(Some(LongLogical::TimeMicros)) => "a time-micros",
            Self::Long(Some(LongLogical::Timestamp(_))) => "a timestamp",
            Self::Long(Some(LongLogical::LocalTimestamp(_))) => "a local-timestamp",
            Self::Float => "a float",
            Self::Double => "a double",
            Self::Bytes(None) => "bytes",
            Self::Bytes(Some(_)) | Self::Fixed(_, Some(FixedLogical::Decimal(_))) => "a decimal",
            Self::Fixed(_, Some(FixedLogical::Uuid)) => "a uuid",
            Self::Fixed(_, None) => "a fixed",
            Self::String => "a string",
            Self::Enum(_) => "an enum",
            Self::Record(_) => "a record",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
            Self::Union(_) => "a union",
        }
    }
}

#[derive(Default)]
struct Parser {
    /// `None` while a named type is being read.
    types: Vec<Option<Type>>,
    /// Named types by full name.
    named: HashMap<String, TypeId>,
}

impl Parser {
    fn add(&mut self, of: Option<Type>) -> TypeId {
        self.types.push(of);
        self.types.len() - 1
    }

    fn read(&mut self, json: &Value, namespace: &str, depth: usize) -> Result<TypeId, String> {
        if depth > MAX_NESTING {
            return Err(format!("the schema is nested deeper than {MAX_NESTING}"));
        }
        match json {
            Value::String(name) => self.by_name(name, namespace),
            Value::Array(branches) => {
                let mut ids = Vec::with_capacity(branches.len());
                for branch in branches {
                    if branch.is_array() {
                        return Err("a union stands directly in a union".to_owned());
                    }
                    ids.push(self.read(branch, namespace, depth + 1)?);
                }
                Ok(self.add(Some(Type::Union(ids))))
            }
            Value::Object(object) => self.complex(object, namespace, depth),
            _ => Err("a type is a name, a list or a map".to_owned()),
        }
    }

    fn by_name(&mut self, name: &str, namespace: &str) -> Result<TypeId, String> {
        let primitive = match name {
            "null" => Type::Null,
            "boolean" => Type::Boolean,
            "int" => Type::Int(None),
            "long" => Type::Long(None),
            "float" => Type::Float,
            "double" => Type::Double,
            "bytes" => Type::Bytes(None),
            "string" => Type::String,
            _ => {
                let full = full_name(name, namespace);
                let found = self.named.get(&full).or_else(|| self.named.get(name));
                return found.copied().ok_or_else(|| format!("there is no type {full}"));
            }
        };
        Ok(self.add(Some(primitive)))
    }

    fn complex(&mut self, object: &Map<String, Value>, namespace: &str, depth: usize) -> Result<TypeId, String> {
        let kind = object.get("type").ok_or_else(|| "a type without the key type".to_owned())?;
        let Value::String(kind) = kind else {
            // {"type": {"type": "string"}} and {"type": ["null", "int"]} mean what stands inside.
            return self.read(kind, namespace, depth + 1);
        };
        match kind.as_str() {
            "record" | "error" => self.record(object, namespace, depth),
            "enum" => {
                let symbols: Vec<String> = texts(object.get("symbols"));
                if symbols.is_empty() {
                    return Err(format!("the enum {} has no symbols", name_of(object)?));
                }
                self.define(object, namespace, Some(Type::Enum(symbols))).map(|(id, _)| id)
            }
            "fixed" => {
                let size = object.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or_else(|| "a fixed without a size".to_owned())?;
                let logical = match logical_type(object) {
                    "decimal" => decimal(object).map(FixedLogical::Decimal),
                    "uuid" if size == 16 => Some(FixedLogical::Uuid),
                    _ => None,
                };
                self.define(object, namespace, Some(Type::Fixed(size, logical))).map(|(id, _)| id)
            }
            "array" => {
                let items = object.get("items").ok_or_else(|| "an array without items".to_owned())?;
                let items = self.read(items, namespace, depth + 1)?;
                Ok(self.add(Some(Type::Array(items))))
            }
            "map" => {
                let values = object.get("values").ok_or_else(|| "a map without values".to_owned())?;
                let values = self.read(values, namespace, depth + 1)?;
                Ok(self.add(Some(Type::Map(values))))
            }
            name => {
                let id = self.by_name(name, namespace)?;
                Ok(match self.logical(id, object) {
                    Some(logical) => self.add(Some(logical)),
                    None => id,
                })
            }
        }
    }

    /// A primitive type with the meaning that its attributes give it.
    fn logical(&self, id: TypeId, object: &Map<String, Value>) -> Option<Type> {
        let logical = logical_type(object);
        Some(match (self.types.get(id)?.as_ref()?, logical) {
            (Type::Int(None), "date") => Type::Int(Some(IntLogical::Date)),
            (Type::Int(None), "time-millis") => Type::Int(Some(IntLogical::TimeMillis)),
            (Type::Long(None), "time-micros") => Type::Long(Some(LongLogical::TimeMicros)),
            (Type::Long(None), logical) => {
                let (unit, is_local) = match logical.strip_prefix("local-") {
                    Some(rest) => (rest, true),
                    None => (logical, false),
                };
                let unit = match unit {
                    "timestamp-millis" => Unit::Millis,
                    "timestamp-micros" => Unit::Micros,
                    "timestamp-nanos" => Unit::Nanos,
                    _ => return None,
                };
                Type::Long(Some(if is_local {
                    LongLogical::LocalTimestamp(unit)
                } else {
                    LongLogical::Timestamp(unit)
                }))
            }
            (Type::Bytes(None), "decimal") => Type::Bytes(Some(decimal(object)?)),
            _ => return None,
        })
    }

    fn record(&mut self, object: &Map<String, Value>, namespace: &str, depth: usize) -> Result<TypeId, String> {
        let (id, inner) = self.define(object, namespace, None)?;
        let Some(Value::Array(list)) = object.get("fields") else {
            return Err(format!("the record {} has no list of fields", name_of(object)?));
        };
        let mut fields: Vec<Field> = Vec::with_capacity(list.len());
        for field in list {
            let field = field.as_object().ok_or_else(|| "a field that is no map".to_owned())?;
            let name = name_of(field)?.to_owned();
            if fields.iter().any(|other| other.name == name) {
                return Err(format!("the record {} has the field {name} twice", name_of(object)?));
            }
            let of = field.get("type").ok_or_else(|| format!("the field {name} has no type"))?;
            let of = self.read(of, &inner, depth + 1).map_err(|fault| format!("{name}: {fault}"))?;
            fields.push(Field {
                name,
                aliases: texts(field.get("aliases")),
                of,
                default: field.get("default").cloned(),
            });
        }
        self.types[id] = Some(Type::Record(fields));
        Ok(id)
    }

    /// Gives a named type its number and its names, before what is inside is read; and the namespace in force inside.
    fn define(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
        of: Option<Type>,
    ) -> Result<(TypeId, String), String> {
        let name = name_of(object)?;
        let own = object.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
        let full = full_name(name, own);
        let inner = full.rfind('.').map_or("", |dot| &full[..dot]).to_owned();
        let id = self.add(of);
        for alias in texts(object.get("aliases")) {
            self.named.entry(full_name(&alias, &inner)).or_insert(id);
        }
        if self.named.insert(full.clone(), id).is_some_and(|other| other != id) {
            return Err(format!("the type {full} is defined twice"));
        }
        Ok((id, inner))
    }
}

fn name_of(object: &Map<String, Value>) -> Result<&str, String> {
    object.get("name").and_then(Value::as_str).ok_or_else(|| "a named type or field without a name".to_owned())
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn texts(json: Option<&Value>) -> Vec<String> {
    let list = json.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn logical_type(object: &Map<String, Value>) -> &str {
    object.get("logicalType").and_then(Value::as_str).unwrap_or_default()
}

fn decimal(object: &Map<String, Value>) -> Option<DecimalType> {
    let precision = u32::try_from(object.get("precision")?.as_u64()?).ok().filter(|&precision| precision > 0)?;
    let scale = match object.get("scale") {
        Some(scale) => u32::try_from(scale.as_u64()?).ok()?,
        None => 0,
    };
    let scale = i32::try_from(scale).ok().filter(|_| scale <= precision)?;
    Some(DecimalType { precision, scale })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn fields(text: &str) -> Vec<Field> {
        let schema = Schema::parse(text).unwrap();
        let Type::Record(fields) = schema.get(schema.root()).clone() else { panic!("{schema:?}") };
        fields
    }

    fn kinds(types: &str) -> Vec<&'static str> {
        let schema = Schema::parse(&format!(r#"{{"type":"record","name":"r","fields":[{types}]}}"#)).unwrap();
        let Type::Record(fields) = schema.get(schema.root()) else { panic!() };
        fields.iter().map(|field| schema.get(field.of).kind()).collect()
    }

    #[test]
    fn logical_types_are_known_or_passed_over() {
        let text = r#"{"name":"a","type":{"type":"int","logicalType":"date"}},
            {"name":"b","type":{"type":"long","logicalType":"timestamp-nanos"}},
            {"name":"c","type":{"type":"long","logicalType":"local-timestamp-millis"}},
            {"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}},
            {"name":"e","type":{"type":"bytes","logicalType":"decimal","precision":4,"scale":5}},
            {"name":"f","type":{"type":"fixed","name":"u","size":16,"logicalType":"uuid"}},
            {"name":"g","type":{"type":"string","logicalType":"date"}},
            {"name":"h","type":{"type":"int","logicalType":"of my own"}},
            {"name":"i","type":{"type":["null","u"]}}"#;
        assert_eq!(
            kinds(text),
            [
                "a date",
                "a timestamp",
                "a local-timestamp",
                "a decimal",
                "bytes",
                "a uuid",
                "a string",
                "an int",
                "a union"
            ]
        );
    }

    #[test]
    fn names_are_found_through_namespaces() {
        let text = r#"{"type":"record","name":"a.b.R","fields":[
            {"name":"e","type":{"type":"enum","name":"E","symbols":["X"]}},
            {"name":"again","type":"E"}, {"name":"full","type":"a.b.E"},
            {"name":"next","type":["null","R"]},
            {"name":"other","type":{"type":"fixed","name":"F","namespace":"c","size":2}}, {"name":"f","type":"c.F"}]}"#;
        let fields = fields(text);
        assert_eq!((fields[0].of, fields[0].of), (fields[1].of, fields[2].of));
        assert_eq!(fields[4].of, fields[5].of);
    }

    #[test]
    fn what_is_no_schema_is_refused_with_a_sentence() {
        for (text, needle) in [
            ("", "no JSON"),
            ("\"string\"", "a string, but a record"),
            (r#"{"type":"record","name":"r"}"#, "no list of fields"),
            (r#"{"type":"record","fields":[]}"#, "without a name"),
            (r#"{"type":"record","name":"r","fields":[{"name":"a","type":"strin"}]}"#, "a: there is no type strin"),
            (r#"{"type":"record","name":"r","fields":[{"name":"a","type":[["null"]]}]}"#, "union stands directly"),
            (r#"{"type":"record","name":"r","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}"#, "twice"),
            (r#"{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"fixed","name":"f"}}]}"#, "size"),
        ] {
            let fault = Schema::parse(text).unwrap_err();
            assert!(fault.contains(needle), "{text}: {fault}");
        }
        let deep = format!("{}\"int\"{}", "{\"type\":\"array\",\"items\":".repeat(110), "}".repeat(110));
        assert!(Schema::parse(&deep).unwrap_err().contains("nested deeper"));
    }
}
