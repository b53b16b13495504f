//! Which values are frequent: counts of a few, each too low by a bounded amount.
//!
//! J. Misra and D. Gries, "Finding repeated elements", 1982: when there is one value too many, all counts go down by the
//! smallest, and those that reach nothing go. Of n values every count is low by at most n / ([`MOST`] + 1); exact as long
//! as there are no more than [`MOST`] different ones.

/// Values that are counted.
pub(crate) const MOST: usize = 64;

/// Values and counts, the one seen last at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Frequent(Vec<(u64, u64)>);

impl Frequent {
    /// One value more.
    pub(crate) fn add(&mut self, word: u64) {
        let before = self.0.iter().position(|(there, _)| *there == word).map(|at| self.0.remove(at).1);
        self.0.push((word, before.unwrap_or_default() + 1));
        if self.0.len() > MOST {
            let smallest = self.0.iter().map(|(_, count)| *count).min().unwrap_or_default();
            self.0.iter_mut().for_each(|(_, count)| *count -= smallest);
            self.0.retain(|(_, count)| *count > 0);
        }
    }

    /// Values and counts, the one seen last at the end.
    pub(crate) fn counts(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// As [`Frequent::counts`] gave them; `None` if they are too many.
    pub(crate) fn of(counts: Vec<(u64, u64)>) -> Option<Self> {
        (counts.len() <= MOST).then_some(Self(counts))
    }

    /// Writes the values anew; they stay different.
    pub(crate) fn change_words(&mut self, change: &mut impl FnMut(u64) -> u64) {
        self.0.iter_mut().for_each(|(word, _)| *word = change(*word));
    }

    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(u64, u64)>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_are_low_by_less_than_the_bound(words in prop::collection::vec(prop_oneof![0..5_u64, 0..300_u64], 0..2_000)) {
            let mut found = Frequent::default();
            let mut exact: HashMap<u64, u64> = HashMap::new();
            for word in &words {
                found.add(*word);
                *exact.entry(*word).or_default() += 1;
            }
            let most = (words.len() / (MOST + 1)) as u64;
            let counted: HashMap<u64, u64> = found.counts().iter().copied().collect();
            for (word, count) in &exact {
                let low = count - counted.get(word).copied().unwrap_or_default();
                prop_assert!(low <= most, "{word}: low by {low}, at most {most}");
            }
            if exact.len() <= MOST {
                prop_assert_eq!(counted, exact);
            }
        }
    }
}
