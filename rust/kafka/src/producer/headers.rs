//! A row's headers in one binary value: per header the key's length, the key, the value's length, the value.
//!
//! Lengths are 32-bit, little-endian; -1 stands for a null value. Made by `RecordHeaders` in the plugin.

use rdkafka::message::{Header, OwnedHeaders};

/// Takes a value apart; `None` if it is not of that form.
pub(super) fn parse(mut bytes: &[u8]) -> Option<OwnedHeaders> {
    let mut headers = OwnedHeaders::new();
    while !bytes.is_empty() {
        let key = std::str::from_utf8(take_sized(&mut bytes)??).ok()?;
        let value = take_sized(&mut bytes)?;
        headers = headers.insert(Header { key, value });
    }
    Some(headers)
}

/// A length and that many bytes: outer `None` for a broken form, inner `None` for null.
fn take_sized<'a>(bytes: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = i32::from_le_bytes(*length);
    if length == -1 {
        *bytes = rest;
        return Some(None);
    }
    let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(Some(value))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rdkafka::message::Headers;

    use super::*;

    #[test]
    fn values_may_be_null_or_empty_and_keys_may_repeat() {
        let mut bytes = Vec::new();
        for (key, value) in [("a", Some(&b"1"[..])), ("a", None), ("ü", Some(b""))] {
            bytes.extend_from_slice(&(key.len() as i32).to_le_bytes());
            bytes.extend_from_slice(key.as_bytes());
            bytes.extend_from_slice(&value.map_or(-1, |v| v.len() as i32).to_le_bytes());
            bytes.extend_from_slice(value.unwrap_or_default());
        }
        let headers = parse(&bytes).unwrap();
        let found: Vec<_> = headers.iter().map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect();
        let expected = [("a", Some(b"1".to_vec())), ("a", None), ("ü", Some(Vec::new()))];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v)));
        assert!(
            (1..bytes.len()).filter(|end| parse(&bytes[..*end]).is_some()).count() <= 2,
            "cut between headers only"
        );
    }
}
