//! Keys that somebody asks for by their columns' values.

use firesteel_engine::{spec::names, state::KeyPart};

use super::{summary::BlockSummary, value};

/// Texts that are looked at for a near one.
const MOST_NEAR: usize = 100_000;

/// Reads `customer_id=42`.
pub(super) fn part(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((column, value)) if !column.is_empty() => Ok((column.to_owned(), value.to_owned())),
        _ => Err("write COLUMN=VALUE, as customer_id=42".to_owned()),
    }
}

/// What to say if there is no such key.
pub(super) fn nobody(key: &[(String, String)]) -> String {
    let parts: Vec<String> = key.iter().map(|(column, value)| format!("{column}={value}")).collect();
    format!("no key with {}", parts.join(", "))
}

/// Values that key columns must have.
pub(super) struct Asked<'a> {
    values: &'a [(String, String)],
    /// Of each block where the asked columns stand in its key, and their types; `None` if it lacks one.
    blocks: Vec<Option<Vec<(usize, String)>>>,
    /// Values of the first asked column that come close.
    near: Near,
    was_found: bool,
}

#[derive(Default)]
struct Near {
    below: Option<i64>,
    above: Option<i64>,
    texts: Vec<String>,
}

impl<'a> Asked<'a> {
    /// Fails if no block has all of the columns.
    pub(super) fn new(values: &'a [(String, String)], blocks: &[BlockSummary]) -> Result<Self, String> {
        let place = |block: &BlockSummary| {
            let place = |(column, _): &(String, String)| {
                let at = block.layout.key.iter().position(|(name, _)| name.eq_ignore_ascii_case(column))?;
                Some((at, block.layout.key[at].1.clone()))
            };
            values.iter().map(place).collect::<Option<Vec<_>>>()
        };
        let places: Vec<_> = blocks.iter().map(place).collect();
        if places.iter().all(Option::is_none) {
            let known: Vec<&str> =
                blocks.iter().flat_map(|block| &block.layout.key).map(|(name, _)| name.as_str()).collect();
            let missing = values.iter().find(|(column, _)| !known.iter().any(|name| name.eq_ignore_ascii_case(column)));
            return Err(match missing {
                Some((column, _)) => format!("no block has the key column {column} ({})", names::advice(column, known)),
                None => "no block has all of these key columns".to_owned(),
            });
        }
        Ok(Self { values, blocks: places, near: Near::default(), was_found: false })
    }

    /// Whether a key is one of those that are asked for; none is if nothing is asked for.
    pub(super) fn takes(&mut self, block: usize, key: &[KeyPart]) -> bool {
        let Some(Some(places)) = self.blocks.get(block) else { return false };
        let mut same = !self.values.is_empty();
        for ((place, data_type), (_, wanted)) in places.iter().zip(self.values) {
            let part = &key[*place];
            if value::key_text(part, data_type) != *wanted {
                same = false;
                self.near.saw(part, data_type, wanted);
                break;
            }
        }
        self.was_found |= same;
        same
    }

    /// Advice, if nobody was found.
    pub(super) fn near(&self) -> Option<String> {
        let wanted = self.values.first().filter(|_| !self.was_found).map(|(_, wanted)| wanted.as_str())?;
        let Near { below, above, texts } = &self.near;
        let numbers: Vec<String> = [below, above].into_iter().flatten().map(ToString::to_string).collect();
        if !numbers.is_empty() {
            return Some(format!(" (near: {})", numbers.join(", ")));
        }
        names::nearest(wanted, texts.iter().map(String::as_str)).map(|near| format!(" (did you mean {near}?)"))
    }
}

impl Near {
    fn saw(&mut self, part: &KeyPart, data_type: &str, wanted: &str) {
        match (part, wanted.parse::<i64>()) {
            (KeyPart::Whole(found), Ok(wanted)) if data_type.starts_with("Int") => {
                if *found < wanted {
                    self.below = Some(self.below.map_or(*found, |below| below.max(*found)));
                } else if *found > wanted {
                    self.above = Some(self.above.map_or(*found, |above| above.min(*found)));
                }
            }
            _ if self.texts.len() < MOST_NEAR => self.texts.push(value::key_text(part, data_type)),
            _ => {}
        }
    }
}
