//! Columns named by dotted paths, as the tree of records that holds them.
//!
//! Every format with nested records looks its fields up level by level; what a valid set of paths is, is the same for
//! all of them and is decided here.

use crate::error::SpecError;

/// Deepest path of keys that a column may have.
const MAX_PATH_KEYS: usize = 64;

/// What a key of a level leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The column of this number.
    Column(usize),
    /// The level of this number, which has columns inside.
    Level(usize),
}

/// One record of the tree; the first is the record itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Level {
    /// Dotted path; empty for the record itself.
    pub(super) path: String,
    /// The keys that are wanted, each once, in the order of the columns.
    pub(super) keys: Vec<(String, Wanted)>,
}

/// The levels that the columns' names make, the record itself first.
///
/// Fails on names that cannot all be columns: an empty key in a path, a path too long, one column inside another.
pub(super) fn levels(names: &[&str], max_depth: usize) -> Result<Vec<Level>, SpecError> {
    let mut levels = vec![Level::default()];
    for (column, name) in names.iter().enumerate() {
        let bad = |message: String| SpecError::new("BAD_COLUMN_NAME", "input.schema", message);
        let keys: Vec<&str> = name.split('.').collect();
        if keys.iter().any(|key| key.is_empty()) {
            return Err(bad(format!("column `{name}`: a path has keys between its dots")));
        }
        if keys.len() > MAX_PATH_KEYS.min(max_depth) {
            return Err(bad(format!("column `{name}`: a path has at most {} keys", MAX_PATH_KEYS.min(max_depth))));
        }
        let mut level = 0;
        for (place, key) in keys.iter().enumerate() {
            let is_leaf = place + 1 == keys.len();
            let next = levels.len();
            let known = levels[level].keys.iter().find(|(name, _)| name == key).map(|known| known.1);
            match known {
                Some(Wanted::Level(inner)) if !is_leaf => level = inner,
                Some(_) => {
                    return Err(bad(format!("column `{name}` is inside, around or equal to another column")));
                }
                None if is_leaf => levels[level].keys.push(((*key).to_owned(), Wanted::Column(column))),
                None => {
                    levels[level].keys.push(((*key).to_owned(), Wanted::Level(next)));
                    levels.push(Level { path: keys[..=place].join("."), keys: Vec::new() });
                    level = next;
                }
            }
        }
    }
    Ok(levels)
}
