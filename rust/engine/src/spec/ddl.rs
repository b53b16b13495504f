//! The subset of Spark's DDL that describes an input: `id BIGINT NOT NULL, geo STRUCT<lat: DOUBLE, lon: DOUBLE>`.
//!
//! A small recursive parser, because the schema is the one text that every pipeline has and its faults deserve the
//! exact character. Types that the engine can't carry (MAP, intervals, arrays of structs) are refused by name.

use std::fmt::{self, Write as _};
use std::iter::Peekable;
use std::str::CharIndices;

use super::names;

/// Type of a column as Spark's DDL writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DdlType {
    /// `BOOLEAN`
    Boolean,
    /// `TINYINT`, 8 bits
    TinyInt,
    /// `SMALLINT`, 16 bits
    SmallInt,
    /// `INT`, 32 bits
    Int,
    /// `BIGINT`, 64 bits
    BigInt,
    /// `FLOAT`, 32 bits
    Float,
    /// `DOUBLE`, 64 bits
    Double,
    /// `DECIMAL(precision, scale)`
    Decimal(u8, i8),
    /// `STRING`
    String,
    /// `BINARY`
    Binary,
    /// `DATE`
    Date,
    /// `TIMESTAMP`: an instant, microseconds
    Timestamp,
    /// `TIMESTAMP_NTZ`: a wall clock without zone, microseconds
    TimestampNtz,
    /// `STRUCT<…>`
    Struct(Vec<DdlField>),
    /// `ARRAY<…>`: of plain values or of arrays
    Array(Box<DdlType>),
}

/// A named column or struct field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DdlField {
    /// Name as written, without backticks.
    pub name: String,
    /// Its type.
    pub data_type: DdlType,
    /// `NOT NULL` was written.
    pub not_null: bool,
}

/// A fault in a DDL text: the character it is at (from 0), what is wrong, and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DdlError {
    /// Character offset inside the text.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub hint: Option<String>,
    /// The type is known to Spark but not carried by the engine.
    pub unsupported: bool,
}

/// Words for types, for the nearest-name hint.
const TYPE_NAMES: [&str; 15] = [
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INT",
    "BIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL",
    "STRING",
    "BINARY",
    "DATE",
    "TIMESTAMP",
    "TIMESTAMP_NTZ",
    "STRUCT",
    "ARRAY",
];

/// Nesting that no sane schema reaches; keeps hostile text from exhausting the stack.
const MAX_DEPTH: usize = 32;

/// Parse a whole schema.
pub fn parse(text: &str) -> Result<Vec<DdlField>, DdlError> {
    let mut parser = Parser { text, tokens: Lexer::new(text).peekable() };
    let fields = parser.fields(None, 0)?;
    Ok(fields)
}

#[derive(Debug, Clone, PartialEq)]
enum Token<'a> {
    Word(&'a str),
    Quoted(String),
    Number(&'a str),
    Text,
    Symbol(char),
    Unclosed(char),
}

/// Splits the text into tokens with character offsets.
struct Lexer<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    offset: usize,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, chars: text.char_indices().peekable(), offset: 0 }
    }

    fn bump(&mut self) -> Option<char> {
        self.offset += 1;
        self.chars.next().map(|(_, c)| c)
    }

    fn take_while(&mut self, start: usize, keep: impl Fn(char) -> bool) -> &'a str {
        while self.chars.peek().is_some_and(|(_, c)| keep(*c)) {
            self.bump();
        }
        let end = self.chars.peek().map_or(self.text.len(), |(i, _)| *i);
        &self.text[start..end]
    }

    /// Text up to the closing quote, a doubled quote standing for one.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut out = String::new();
        loop {
            let c = self.bump()?;
            if c != quote {
                out.push(c);
            } else if self.chars.peek().is_some_and(|(_, next)| *next == quote) {
                self.bump();
                out.push(quote);
            } else {
                return Some(out);
            }
        }
    }
}

impl<'a> Iterator for Lexer<'a> {
    type Item = (usize, Token<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.chars.peek().is_some_and(|(_, c)| c.is_whitespace()) {
            self.bump();
        }
        let (start, c) = *self.chars.peek()?;
        let offset = self.offset;
        let token = if c.is_alphabetic() || c == '_' {
            Token::Word(self.take_while(start, |c| c.is_alphanumeric() || c == '_'))
        } else if c.is_ascii_digit() {
            Token::Number(self.take_while(start, |c| c.is_ascii_digit()))
        } else {
            self.bump();
            match c {
                '`' => self.quoted('`').map_or(Token::Unclosed('`'), Token::Quoted),
                '\'' | '"' => self.quoted(c).map_or(Token::Unclosed(c), |_| Token::Text),
                other => Token::Symbol(other),
            }
        };
        Some((offset, token))
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Peekable<Lexer<'a>>,
}

impl Parser<'_> {
    fn here(&mut self) -> usize {
        let end = self.text.chars().count();
        self.tokens.peek().map_or(end, |(offset, _)| *offset)
    }

    fn fail<T>(offset: usize, message: impl Into<String>, hint: Option<String>) -> Result<T, DdlError> {
        Err(DdlError { offset, message: message.into(), hint, unsupported: false })
    }

    fn eat(&mut self, symbol: char) -> bool {
        self.tokens.next_if(|(_, token)| *token == Token::Symbol(symbol)).is_some()
    }

    fn eat_word(&mut self, word: &str) -> bool {
        self.tokens.next_if(|(_, token)| matches!(token, Token::Word(w) if w.eq_ignore_ascii_case(word))).is_some()
    }

    fn expect(&mut self, symbol: char, after: &str) -> Result<(), DdlError> {
        if self.eat(symbol) {
            return Ok(());
        }
        let offset = self.here();
        Self::fail(offset, format!("expected {symbol} after {after}"), None)
    }

    /// Fields up to `close` (a struct) or the end of the text (the schema).
    fn fields(&mut self, close: Option<char>, depth: usize) -> Result<Vec<DdlField>, DdlError> {
        let offset = self.here();
        if depth > MAX_DEPTH {
            return Self::fail(offset, format!("structs nested deeper than {MAX_DEPTH}"), None);
        }
        let mut fields: Vec<DdlField> = Vec::new();
        loop {
            let offset = self.here();
            let field = self.field(close.is_some(), depth)?;
            if fields.iter().any(|known| known.name.eq_ignore_ascii_case(&field.name)) {
                let message = format!("column {} is declared twice (Spark's names ignore case)", field.name);
                return Self::fail(offset, message, None);
            }
            let name = field.name.clone();
            fields.push(field);
            if self.eat(',') {
                continue;
            }
            let offset = self.here();
            match (self.tokens.next(), close) {
                (None, None) => return Ok(fields),
                (Some((_, Token::Symbol(symbol))), Some(close)) if symbol == close => return Ok(fields),
                (None, Some(close)) => return Self::fail(offset, format!("a STRUCT is not closed with {close}"), None),
                (Some(_), _) => {
                    return Self::fail(offset, format!("expected a comma after column {name}"), None);
                }
            }
        }
    }

    fn field(&mut self, in_struct: bool, depth: usize) -> Result<DdlField, DdlError> {
        let offset = self.here();
        let name = match self.tokens.next() {
            Some((_, Token::Word(word))) => word.to_owned(),
            Some((_, Token::Quoted(name))) if !name.is_empty() => name,
            Some((_, Token::Unclosed(quote))) => return Self::fail(offset, format!("{quote} is never closed"), None),
            _ => {
                let hint = "write: name TYPE, name TYPE, …".to_owned();
                return Self::fail(offset, "expected a column name", Some(hint));
            }
        };
        // Inside a struct Spark writes `name: TYPE` and also takes the form without the colon.
        if in_struct {
            self.eat(':');
        }
        let data_type = self.data_type(&name, depth)?;
        let mut not_null = false;
        loop {
            let offset = self.here();
            if self.eat_word("NOT") {
                if !self.eat_word("NULL") {
                    return Self::fail(offset, "expected NULL after NOT", None);
                }
                if matches!(data_type, DdlType::Struct(_)) {
                    let hint = "write NOT NULL on its fields".to_owned();
                    return Self::fail(offset, "NOT NULL on a STRUCT is not supported", Some(hint));
                }
                not_null = true;
            } else if self.eat_word("COMMENT") {
                let offset = self.here();
                match self.tokens.next() {
                    Some((_, Token::Text)) => {}
                    _ => return Self::fail(offset, "expected a quoted text after COMMENT", None),
                }
            } else {
                return Ok(DdlField { name, data_type, not_null });
            }
        }
    }

    fn data_type(&mut self, column: &str, depth: usize) -> Result<DdlType, DdlError> {
        let offset = self.here();
        let Some((_, Token::Word(word))) = self.tokens.next() else {
            let hint = format!("one of {}", TYPE_NAMES.join(", "));
            return Self::fail(offset, format!("column {column} has no type"), Some(hint));
        };
        Ok(match word.to_ascii_uppercase().as_str() {
            "BOOLEAN" => DdlType::Boolean,
            "TINYINT" | "BYTE" => DdlType::TinyInt,
            "SMALLINT" | "SHORT" => DdlType::SmallInt,
            "INT" | "INTEGER" => DdlType::Int,
            "BIGINT" | "LONG" => DdlType::BigInt,
            "FLOAT" | "REAL" => DdlType::Float,
            "DOUBLE" => DdlType::Double,
            "DECIMAL" | "DEC" | "NUMERIC" => self.decimal()?,
            "STRING" => DdlType::String,
            "BINARY" => DdlType::Binary,
            "DATE" => DdlType::Date,
            "TIMESTAMP" | "TIMESTAMP_LTZ" => DdlType::Timestamp,
            "TIMESTAMP_NTZ" => DdlType::TimestampNtz,
            "STRUCT" => {
                self.expect('<', "STRUCT")?;
                DdlType::Struct(self.fields(Some('>'), depth + 1)?)
            }
            "ARRAY" => self.array(column, depth)?,
            known @ ("MAP" | "INTERVAL" | "VARIANT" | "CHAR" | "VARCHAR" | "TIME" | "OBJECT" | "VOID") => {
                let hint = if matches!(known, "CHAR" | "VARCHAR") { "use STRING" } else { "leave the column out" };
                return Err(DdlError {
                    offset,
                    message: format!("{known} is not supported yet (column {column})"),
                    hint: Some(hint.to_owned()),
                    unsupported: true,
                });
            }
            _ => {
                let hint = names::advice(word, TYPE_NAMES);
                return Self::fail(offset, format!("{word} is not a type (column {column})"), Some(hint));
            }
        })
    }

    /// What stands behind `ARRAY`.
    fn array(&mut self, column: &str, depth: usize) -> Result<DdlType, DdlError> {
        let offset = self.here();
        if depth > MAX_DEPTH {
            return Self::fail(offset, format!("arrays nested deeper than {MAX_DEPTH}"), None);
        }
        self.expect('<', "ARRAY")?;
        let offset = self.here();
        let element = self.data_type(column, depth + 1)?;
        if let DdlType::Struct(_) = element {
            return Err(DdlError {
                offset,
                message: format!("an ARRAY of STRUCT is not supported yet (column {column})"),
                hint: Some("leave the column out".to_owned()),
                unsupported: true,
            });
        }
        self.expect('>', "the type of an ARRAY's elements")?;
        Ok(DdlType::Array(Box::new(element)))
    }

    /// `DECIMAL`, `DECIMAL(p)` or `DECIMAL(p, s)`; Spark's default is (10, 0).
    fn decimal(&mut self) -> Result<DdlType, DdlError> {
        if !self.eat('(') {
            return Ok(DdlType::Decimal(10, 0));
        }
        let offset = self.here();
        let precision = self.number()?;
        let scale = if self.eat(',') { self.number()? } else { 0 };
        self.expect(')', "DECIMAL(precision, scale")?;
        if !(1..=38).contains(&precision) || scale > precision {
            let message = format!("DECIMAL({precision}, {scale}) is out of range");
            return Self::fail(offset, message, Some("precision 1 to 38, scale 0 to precision".to_owned()));
        }
        Ok(DdlType::Decimal(precision, scale as i8))
    }

    fn number(&mut self) -> Result<u8, DdlError> {
        let offset = self.here();
        match self.tokens.next() {
            Some((_, Token::Number(digits))) => match digits.parse() {
                Ok(number) if number <= 99 => Ok(number),
                _ => Self::fail(offset, format!("{digits} is too large"), None),
            },
            _ => Self::fail(offset, "expected a number", None),
        }
    }
}

impl fmt::Display for DdlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::TinyInt => f.write_str("TINYINT"),
            Self::SmallInt => f.write_str("SMALLINT"),
            Self::Int => f.write_str("INT"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal(precision, scale) => write!(f, "DECIMAL({precision},{scale})"),
            Self::String => f.write_str("STRING"),
            Self::Binary => f.write_str("BINARY"),
            Self::Date => f.write_str("DATE"),
            Self::Timestamp => f.write_str("TIMESTAMP"),
            Self::TimestampNtz => f.write_str("TIMESTAMP_NTZ"),
            Self::Struct(fields) => {
                f.write_str("STRUCT<")?;
                write_fields(f, fields, ": ")?;
                f.write_char('>')
            }
            Self::Array(element) => write!(f, "ARRAY<{element}>"),
        }
    }
}

/// Fields as DDL; `between` stands between name and type.
pub(super) fn write_fields(f: &mut fmt::Formatter<'_>, fields: &[DdlField], between: &str) -> fmt::Result {
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        let plain = field.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !field.name.starts_with(|c: char| c.is_ascii_digit());
        if plain {
            f.write_str(&field.name)?;
        } else {
            write!(f, "`{}`", field.name.replace('`', "``"))?;
        }
        write!(f, "{between}{}", field.data_type)?;
        if field.not_null {
            f.write_str(" NOT NULL")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn types(text: &str) -> Vec<String> {
        parse(text).unwrap().iter().map(|f| format!("{} {}", f.name, f.data_type)).collect()
    }

    #[test]
    fn every_type_and_synonym() {
        let text = "a boolean, b TINYINT, b2 byte, c smallint, c2 SHORT, d INT, d2 integer, e BIGINT, e2 LONG, f float, \
                    f2 REAL, g double, h decimal, h2 DEC(5), h3 numeric(10,2), i string, j binary, k date, l timestamp, \
                    l2 timestamp_ltz, m timestamp_ntz";
        let got: Vec<String> = parse(text).unwrap().iter().map(|f| f.data_type.to_string()).collect();
        assert_eq!(
            got,
            [
                "BOOLEAN",
                "TINYINT",
                "TINYINT",
                "SMALLINT",
                "SMALLINT",
                "INT",
                "INT",
                "BIGINT",
                "BIGINT",
                "FLOAT",
                "FLOAT",
                "DOUBLE",
                "DECIMAL(10,0)",
                "DECIMAL(5,0)",
                "DECIMAL(10,2)",
                "STRING",
                "BINARY",
                "DATE",
                "TIMESTAMP",
                "TIMESTAMP",
                "TIMESTAMP_NTZ"
            ]
        );
    }

    #[test]
    fn nested_structs_backticks_comments_and_not_null() {
        let fields =
            parse("m STRUCT<geo: STRUCT<lat: DOUBLE, lon DOUBLE NOT NULL>>, `a b` INT NOT NULL COMMENT 'it''s'")
                .unwrap();
        assert_eq!(fields[0].data_type.to_string(), "STRUCT<geo: STRUCT<lat: DOUBLE, lon: DOUBLE NOT NULL>>");
        assert_eq!(fields[1].name, "a b");
        assert!(fields[1].not_null);
    }

    #[test]
    fn arrays_nest() {
        let text = "x ARRAY<double> NOT NULL, y array<ARRAY<string>>, s STRUCT<e: ARRAY<DECIMAL(5,2)>>";
        assert_eq!(types(text), ["x ARRAY<DOUBLE>", "y ARRAY<ARRAY<STRING>>", "s STRUCT<e: ARRAY<DECIMAL(5,2)>>"]);
    }

    #[test]
    fn faults_name_the_character() {
        for (text, offset, needle) in [
            ("a INT, b BIGIN", 9, "BIGIN is not a type"),
            ("a", 1, "has no type"),
            ("a INT b INT", 6, "expected a comma"),
            ("a INT, a STRING", 7, "declared twice"),
            ("a INT, A STRING", 7, "declared twice"),
            ("a STRUCT<b: INT", 15, "not closed"),
            ("é INT, x MAP<INT, INT>", 9, "MAP is not supported yet"),
            ("x ARRAY<STRUCT<a: INT>>", 8, "an ARRAY of STRUCT is not supported yet"),
            ("x ARRAY", 7, "expected < after ARRAY"),
            ("x ARRAY<INT", 11, "expected > after"),
            ("a DECIMAL(40,2)", 10, "out of range"),
            ("", 0, "expected a column name"),
            ("`a INT", 0, "never closed"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.offset, error.message.contains(needle)), (offset, true), "{text}: {error:?}");
        }
        assert_eq!(types("x int"), ["x INT"]);
    }

    #[test]
    fn hints_the_nearest_type() {
        assert_eq!(parse("b BIGIN").unwrap_err().hint.unwrap(), "did you mean BIGINT?");
    }
}
