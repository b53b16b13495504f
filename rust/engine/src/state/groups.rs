//! The rows of a batch by their key.

use super::keys::Keys;
use super::map::Map;

/// Keys in the order in which they first come, each with its rows.
#[derive(Debug)]
pub(super) struct Groups {
    /// All keys, one behind the other.
    bytes: Vec<u8>,
    /// Where each key ends in `bytes`, and its rows in `rows`.
    ends: Vec<(usize, usize)>,
    rows: Vec<u32>,
    places: Vec<u32>,
}

/// Each row's group, and the rows of each.
struct Numbered {
    group_of: Vec<u32>,
    counts: Vec<usize>,
    bytes: Vec<u8>,
    ends: Vec<(usize, usize)>,
}

impl Numbered {
    fn with_capacity(rows: usize) -> Self {
        Self { group_of: Vec::with_capacity(rows), counts: Vec::new(), bytes: Vec::new(), ends: Vec::new() }
    }

    /// The next row is of group `number`; if that is the next one, `key` is its key.
    #[inline]
    fn push(&mut self, number: u32, key: &[u8]) {
        if number as usize == self.counts.len() {
            self.counts.push(0);
            self.bytes.extend_from_slice(key);
            self.ends.push((self.bytes.len(), 0));
        }
        self.counts[number as usize] += 1;
        self.group_of.push(number);
    }
}

impl Groups {
    /// Groups rows `0..rows`.
    pub(super) fn of(keys: &Keys, rows: usize) -> Self {
        let numbered = match keys.whole() {
            // Most keys are one whole number: nothing to write and to compare byte by byte.
            Some(values) => {
                let mut numbers: Map<i64, u32> = Map::default();
                let mut numbered = Numbered::with_capacity(rows);
                let mut key = Vec::new();
                for (row, value) in values[..rows].iter().enumerate() {
                    let fresh = numbered.counts.len() as u32;
                    let number = *numbers.entry(*value).or_insert(fresh);
                    if number == fresh {
                        keys.write(row, &mut key);
                    }
                    numbered.push(number, &key);
                }
                numbered
            }
            None => Self::by_bytes(keys, rows),
        };
        let Numbered { group_of, counts, bytes, mut ends } = numbered;
        let mut next = Vec::with_capacity(counts.len());
        let mut end = 0;
        for (count, ends) in counts.iter().zip(&mut ends) {
            next.push(end);
            end += count;
            ends.1 = end;
        }
        let mut sorted = vec![0; rows];
        // A row's group becomes its place.
        let mut places = group_of;
        for (row, place) in places.iter_mut().enumerate() {
            let to = &mut next[*place as usize];
            sorted[*to] = row as u32;
            *place = *to as u32;
            *to += 1;
        }
        Self { bytes, ends, rows: sorted, places }
    }

    /// Where each row stands if groups stand one behind the other.
    pub(super) fn places(&self) -> &[u32] {
        &self.places
    }

    fn by_bytes(keys: &Keys, rows: usize) -> Numbered {
        let (mut written, mut key_ends, mut key) = (Vec::new(), Vec::with_capacity(rows), Vec::new());
        for row in 0..rows {
            keys.write(row, &mut key);
            written.extend_from_slice(&key);
            key_ends.push(written.len());
        }
        let key_of = |row: usize| &written[if row == 0 { 0 } else { key_ends[row - 1] }..key_ends[row]];
        let mut numbers: Map<&[u8], u32> = Map::default();
        let mut numbered = Numbered::with_capacity(rows);
        for row in 0..rows {
            let fresh = numbered.counts.len() as u32;
            let number = *numbers.entry(key_of(row)).or_insert(fresh);
            numbered.push(number, key_of(row));
        }
        numbered
    }

    /// Each key and its rows, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u32])> {
        let starts = std::iter::once(&(0, 0)).chain(&self.ends);
        starts.zip(&self.ends).map(|(from, until)| (&self.bytes[from.0..until.0], &self.rows[from.1..until.1]))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    #[test]
    fn whole_numbers_are_grouped_as_their_bytes_are() {
        let values: Vec<i64> = (0..1000).map(|i| (i * i) % 37 - 5).collect();
        let column: ArrayRef = Arc::new(Int64Array::from(values.clone()));
        let keys = Keys::new(&[column]).unwrap();
        let (fast, plain) = (Groups::of(&keys, 1000), Groups::by_bytes(&keys, 1000));
        assert_eq!(fast.bytes, plain.bytes);
        for (key, rows) in fast.iter() {
            assert!(rows.is_sorted());
            assert!(rows.iter().all(|row| values[*row as usize] == values[rows[0] as usize]), "{key:?}");
        }
        assert_eq!(fast.iter().map(|(_, rows)| rows.len()).sum::<usize>(), 1000);
        assert_eq!(
            fast.ends.iter().map(|end| end.0).collect::<Vec<_>>(),
            plain.ends.iter().map(|end| end.0).collect::<Vec<_>>()
        );
    }

    #[test]
    fn rows_keep_their_order_within_a_key() {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["b", "", "b", "a", "", "b"]));
        let groups = Groups::of(&Keys::new(&[column]).unwrap(), 6);
        let found: Vec<(&[u8], &[u32])> = groups.iter().collect();
        assert_eq!(found, [(&b"b"[..], &[0, 2, 5][..]), (b"", &[1, 4]), (b"a", &[3])]);
    }
}
