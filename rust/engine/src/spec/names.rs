//! Names: which ones are valid, and which known one an unknown name probably meant.

/// The known name nearest to `name`, if one is near enough to be a slip of the pen.
///
/// Near means: equal but for case, or a Damerau-Levenshtein distance of at most a third of the length.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let limit = (wanted.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Advice for an unknown name: the nearest known one, else all known ones.
pub fn advice<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    if let Some(near) = nearest(name, known.clone()) {
        return format!("did you mean {near}?");
    }
    let all: Vec<&str> = known.into_iter().collect();
    match all.len() {
        0 => "none are known here".to_owned(),
        1..=MOST_NAMES => format!("known: {}", all.join(", ")),
        more => format!("known: {}, and {} more", all[..MOST_NAMES].join(", "), more - MOST_NAMES),
    }
}

/// A message that lists more names than this is not read.
const MOST_NAMES: usize = 24;

/// Why `name` can't be the name of a new column, or `None` if it can: a letter or `_`, then letters, digits, `_`.
///
/// Narrow on purpose: such a name needs no quotes in SQL, JSON, Python or a file name.
pub fn fault(name: &str) -> Option<String> {
    let mut chars = name.chars();
    let good_start = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !good_start || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Some(format!("{name:?} is not a valid name: use letters, digits and _, and no digit first"));
    }
    (name == RESERVED).then(|| format!("{RESERVED} is the column of the rejected rows and can't be used"))
}

/// The column in which `transform` hands back rejected rows.
const RESERVED: &str = "_rejected";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn finds_the_slip_of_the_pen_and_nothing_far() {
        let known = ["amount", "customer_id", "terminal_id"];
        assert_eq!(nearest("amuont", known), Some("amount"));
        assert_eq!(nearest("CUSTOMER_ID", known), Some("customer_id"));
        assert_eq!(nearest("merchant", known), None);
    }

    #[test]
    fn advice_lists_all_names_when_none_is_near() {
        assert_eq!(advice("zzz", ["a", "bcdef"]), "known: a, bcdef");
    }

    #[test]
    fn names_are_plain_identifiers() {
        assert_eq!(fault("amount_log"), None);
        assert!(fault("2x").is_some());
        assert!(fault("a-b").is_some());
        assert!(fault("").is_some());
        assert!(fault("_rejected").is_some());
    }
}
