//! Window blocks of the pipeline file: types, durations, names of columns. `docs/reference/windows.md` has the meaning.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::ordered;
use super::types::Literal;

/// Features that remember: one key, its windows, and what is computed over them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WindowSpec {
    /// Whose history: a column or a list of columns.
    #[serde(deserialize_with = "one_or_many")]
    #[schemars(with = "OneOrMany")]
    pub key: Vec<String>,
    /// When an event happened: a TIMESTAMP or TIMESTAMP_NTZ column.
    pub time: String,
    /// Breaks ties of rows that have no order of their own: a column of whole numbers or timestamps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
    /// The windows: a duration such as `7 days`, `last 100`, or `session 30 minutes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<Span>,
    /// Name and aggregate, such as `avg(amount)`.
    #[serde(with = "ordered")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub compute: IndexMap<String, String>,
    /// Values that replace null results, by name of the aggregate.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty", with = "ordered")]
    #[schemars(with = "BTreeMap<String, Literal>")]
    pub default: IndexMap<String, Literal>,
    /// The windows end this much before the event.
    #[serde(default, skip_serializing_if = "Duration::is_zero")]
    pub delay: Duration,
    /// Whether an event counts in its own windows.
    #[serde(default)]
    pub current: Current,
    /// What happens to events that come out of order.
    #[serde(default)]
    pub late: LateSpec,
    /// How long an idle key's events are kept; by default the longest window and the delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Duration>,
    /// First part of the columns' names; by default the key columns. Empty leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// How much of one key is kept event by event; by default all that its windows reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<BoundSpec>,
}

/// How much of one key is kept event by event, and how what is older is summed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoundSpec {
    /// At least so many of the newest events are kept as they are.
    pub events: u32,
    /// Older ones are kept as one step for each of this much time.
    pub step: Duration,
}

/// Events wait until every partition of the topic has come as far as they have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderSpec {
    /// What says how far a partition has come: a TIMESTAMP or TIMESTAMP_NTZ column.
    pub by: String,
    /// How many partitions there are to wait for.
    pub partitions: u32,
}

/// Whether an event counts in its own windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Current {
    /// It does.
    #[default]
    Include,
    /// The windows end just before it.
    Exclude,
}

/// What happens to events that come out of order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LateSpec {
    /// An event may be this much older than the newest one of its key and still takes its place.
    pub allow: Duration,
    /// What becomes of one that is older.
    pub then: Late,
}

impl Default for LateSpec {
    fn default() -> Self {
        Self { allow: Duration::default_lateness(), then: Late::Reject }
    }
}

/// What becomes of an event that is too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Late {
    /// It is rejected with LATE_EVENT.
    #[default]
    Reject,
    /// It gets features of what is still known, and is forgotten.
    Use,
}

impl WindowSpec {
    /// First part of the columns' names.
    pub fn prefix(&self) -> Cow<'_, str> {
        match &self.prefix {
            Some(prefix) => Cow::Borrowed(prefix),
            None => Cow::Owned(self.key.join("_").replace('.', "_")),
        }
    }

    /// Name of the column of an aggregate, over a window or without one.
    pub fn column(&self, aggregate: &str, over: Option<&Span>) -> String {
        let prefix = self.prefix();
        let mut name = if prefix.is_empty() { aggregate.to_owned() } else { format!("{prefix}_{aggregate}") };
        if let Some(span) = over {
            name.push('_');
            name.push_str(&span.suffix());
        }
        name
    }
}

/// Aggregates that look at the key's events by themselves, without a window.
const WINDOWLESS: [&str; 4] = ["lag", "delta", "since_last", "ewma"];

impl WindowSpec {
    /// The columns that an aggregate gives: one for each window, or one if it has none.
    pub fn columns_of(&self, aggregate: &str, sql: &str) -> Vec<String> {
        let function = sql.split('(').next().unwrap_or_default().trim().to_ascii_lowercase();
        if WINDOWLESS.contains(&function.as_str()) {
            return vec![self.column(aggregate, None)];
        }
        self.over.iter().map(|span| self.column(aggregate, Some(span))).collect()
    }

    /// All columns of the block, in their order.
    pub fn columns(&self) -> Vec<String> {
        self.compute.iter().flat_map(|(name, sql)| self.columns_of(name, sql)).collect()
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

pub(super) fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(column) => vec![column],
        OneOrMany::Many(columns) => columns,
    })
}

/// A length of time, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration {
    number: i64,
    unit: &'static Unit,
}

/// A unit of time: its names, its short form, microseconds.
#[derive(Debug, PartialEq, Eq)]
struct Unit {
    name: &'static str,
    short: &'static str,
    micros: i64,
}

const UNITS: [Unit; 7] = [
    Unit { name: "microsecond", short: "us", micros: 1 },
    Unit { name: "millisecond", short: "ms", micros: 1_000 },
    Unit { name: "second", short: "s", micros: 1_000_000 },
    Unit { name: "minute", short: "m", micros: 60_000_000 },
    Unit { name: "hour", short: "h", micros: 3_600_000_000 },
    Unit { name: "day", short: "d", micros: 86_400_000_000 },
    Unit { name: "week", short: "w", micros: 604_800_000_000 },
];

/// Longer windows are refused: 100 years of 366 days.
const LONGEST_MICROS: i64 = 100 * 366 * 86_400_000_000;

impl Duration {
    /// Reads `7 days`, `1 hour`, `90 seconds`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || {
            format!(
                "{text:?} is not a duration: write a whole number and a unit, such as 7 days, 90 minutes, 500 milliseconds"
            )
        };
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: i64 = text[..digits].parse().map_err(|_| wrong())?;
        let word = text[digits..].trim().to_ascii_lowercase();
        let singular = word.strip_suffix('s').filter(|rest| rest.len() > 2).unwrap_or(&word);
        let named = |unit: &&Unit| unit.name == singular || unit.short == word;
        let unit = UNITS.iter().find(named).ok_or_else(wrong)?;
        match number.checked_mul(unit.micros) {
            Some(micros) if micros <= LONGEST_MICROS => Ok(Self { number, unit }),
            _ => Err(format!("{text:?} is longer than 100 years")),
        }
    }

    /// Its length in microseconds; never negative.
    pub fn micros(&self) -> i64 {
        self.number * self.unit.micros
    }

    /// No time at all.
    pub fn is_zero(&self) -> bool {
        self.number == 0
    }

    /// The shortest of whole minutes or more that has so many microseconds.
    pub(crate) fn at_least(micros: i64) -> Self {
        let mut units = UNITS[3..6].iter().map(|unit| (unit, (micros + unit.micros - 1) / unit.micros));
        let found = units.clone().find(|(_, number)| *number < 100).or(units.next_back());
        found.map_or_else(Self::default, |(unit, number)| Self { number: number.max(1), unit })
    }

    fn suffix(&self) -> String {
        format!("{}{}", self.number, self.unit.short)
    }

    fn default_lateness() -> Self {
        Self { number: 1, unit: &UNITS[4] }
    }
}

impl Default for Duration {
    fn default() -> Self {
        Self { number: 0, unit: &UNITS[2] }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.number, self.unit.name, if self.number == 1 { "" } else { "s" })
    }
}

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> Self {
        duration.to_string()
    }
}

/// One window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Span {
    /// The events of this much time.
    Time(Duration),
    /// So many events.
    Last(u32),
    /// The events since the last pause of at least this long.
    Session(Duration),
}

impl Span {
    /// Reads `7 days`, `last 100`, `session 30 minutes`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let span = match word.to_ascii_lowercase().as_str() {
            "last" => match rest.trim().parse() {
                Ok(events) if events > 0 => return Ok(Self::Last(events)),
                _ => {
                    return Err(format!(
                        "{text:?} is not a window: write last and a number of events, such as last 100"
                    ));
                }
            },
            "session" => Self::Session(Duration::parse(rest)?),
            _ => Self::Time(Duration::parse(text)?),
        };
        match &span {
            Self::Time(length) | Self::Session(length) if length.is_zero() => {
                Err("a window can't be 0 long".to_owned())
            }
            _ => Ok(span),
        }
    }

    /// Last part of a column's name.
    pub fn suffix(&self) -> String {
        match self {
            Self::Time(length) => length.suffix(),
            Self::Last(events) => format!("last{events}"),
            Self::Session(gap) => format!("session{}", gap.suffix()),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(length) => write!(f, "{length}"),
            Self::Last(events) => write!(f, "last {events}"),
            Self::Session(gap) => write!(f, "session {gap}"),
        }
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A whole number and a unit, such as `7 days` or `90 minutes`.",
        })
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Window".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "`7 days`, `last 100` or `session 30 minutes`.",
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, micros, shown) in [
            ("7 days", 604_800_000_000, "7 days"),
            ("1 day", 86_400_000_000, "1 day"),
            ("90m", 5_400_000_000, "90 minutes"),
            ("250 milliseconds", 250_000, "250 milliseconds"),
            ("2 Weeks", 1_209_600_000_000, "2 weeks"),
            ("0 s", 0, "0 seconds"),
        ] {
            let duration = Duration::parse(text).unwrap();
            assert_eq!((duration.micros(), duration.to_string().as_str()), (micros, shown));
            assert_eq!(Duration::parse(&duration.to_string()).unwrap(), duration);
        }
        for text in ["", "days", "-1 day", "1.5 hours", "7", "7 moons", "99999999999999 days", "400 years"] {
            Duration::parse(text).unwrap_err();
        }
    }

    #[test]
    fn windows_are_read_and_named() {
        for (text, suffix) in [
            ("30 days", "30d"),
            ("last 100", "last100"),
            ("session 30 minutes", "session30m"),
            ("Session 1 h", "session1h"),
        ] {
            assert_eq!(Span::parse(text).unwrap().suffix(), suffix);
        }
        for text in ["last 0", "last", "session", "0 days", "session 0 s", "first 3"] {
            Span::parse(text).unwrap_err();
        }
    }
}
