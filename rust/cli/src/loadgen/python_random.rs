//! Python's `random.Random`, bit for bit, as far as the simulations need it (CPython 3.11's methods).

use std::collections::HashSet;

use super::mt19937::Mt19937;

/// Equals `random.Random(seed)` for a whole seed.
pub(crate) struct PythonRandom {
    mt: Mt19937,
}

impl PythonRandom {
    /// Equals `random.seed(seed)`: the seed's 32-bit digits, low one first, are the key.
    pub(crate) fn new(seed: u64) -> Self {
        let digits = [seed as u32, (seed >> 32) as u32];
        let used = if digits[1] == 0 { 1 } else { 2 };
        Self { mt: Mt19937::from_key(&digits[..used]) }
    }

    /// Equals `random.choice(items)`; none when there is nothing to choose from (Python raises there).
    pub(crate) fn choice<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        let n = u32::try_from(items.len()).ok().filter(|&n| n > 0)?;
        Some(items[self.below(n) as usize])
    }

    /// A whole number in `0..n` (`_randbelow`): as many bits as `n` has, drawn again while not below it.
    fn below(&mut self, n: u32) -> u32 {
        debug_assert!(n > 0, "nothing is below zero");
        loop {
            let value = self.mt.next_u32() >> n.leading_zeros();
            if value < n {
                return value;
            }
        }
    }

    /// Equals `random.sample(items, k)`. Python picks out of a shrinking pool where that takes less room than a set
    /// of the places already taken, and out of all places otherwise; the two draw different numbers.
    /// Takes all items when `k` is larger than their number (Python raises there).
    pub(crate) fn sample<T: Copy>(&mut self, items: &[T], k: usize) -> Vec<T> {
        let n = items.len();
        let k = k.min(n);
        let mut room_of_set = 21;
        if k > 5 {
            // ceil(log(3k, 4)): the table of a hash set that holds k things
            room_of_set += 4_usize.pow(((3 * k) as f64).log(4.0).ceil() as u32);
        }
        if n <= room_of_set { self.sample_from_pool(items, k) } else { self.sample_by_place(items, k) }
    }

    fn sample_from_pool<T: Copy>(&mut self, items: &[T], k: usize) -> Vec<T> {
        let mut pool = items.to_vec();
        let mut chosen = Vec::with_capacity(k);
        for taken in 0..k {
            let left = pool.len() - taken;
            let place = self.below(left as u32) as usize;
            chosen.push(pool[place]);
            pool[place] = pool[left - 1];
        }
        chosen
    }

    fn sample_by_place<T: Copy>(&mut self, items: &[T], k: usize) -> Vec<T> {
        let mut taken = HashSet::with_capacity(k);
        let mut chosen = Vec::with_capacity(k);
        while chosen.len() < k {
            let place = self.below(items.len() as u32) as usize;
            if taken.insert(place) {
                chosen.push(items[place]);
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_pythons() {
        // random.seed(s); [random.choice(range(17)) for _ in range(8)], after 3 getrandbits(32) and one random()
        for (seed, wanted) in [
            (0, [1, 8, 16, 15, 12, 9, 15, 11]),
            (1, [2, 8, 3, 15, 14, 15, 12, 6]),
            (4999, [1, 0, 8, 15, 1, 8, 10, 0]),
            ((1 << 40) + 3, [9, 13, 7, 15, 10, 8, 9, 8]),
        ] {
            let mut random = PythonRandom::new(seed);
            for _ in 0..5 {
                random.mt.next_u32();
            }
            let items: Vec<u32> = (0..17).collect();
            let drawn: Vec<u32> = (0..8).filter_map(|_| random.choice(&items)).collect();
            assert_eq!(drawn, wanted, "seed {seed}");
        }
        assert_eq!(PythonRandom::new(0).choice::<u32>(&[]), None);
    }

    #[test]
    fn samples_are_pythons_on_both_sides_of_the_switch() {
        // random.seed(11); random.sample(list(range(n)), k=k)
        let cases: [(u32, &[u32]); 6] = [
            (10, &[7, 8, 9]),
            (21, &[14, 17, 20, 18, 16]),
            (1000, &[463, 886, 573, 877, 946]),
            (30, &[14, 27, 17, 24, 29, 25]),
            (200, &[115, 143, 199, 119, 130, 150, 48, 47, 131, 121, 161, 157, 24, 114, 77, 36, 23, 137, 177, 162]),
            (
                100,
                &[
                    57, 71, 59, 99, 65, 75, 24, 23, 95, 60, 80, 78, 92, 12, 96, 38, 18, 11, 68, 5, 76, 50, 85, 20, 1,
                    67, 8, 7, 4, 93, 30, 3, 97,
                ],
            ),
        ];
        for (n, wanted) in cases {
            let items: Vec<u32> = (0..n).collect();
            assert_eq!(PythonRandom::new(11).sample(&items, wanted.len()), wanted, "{} of {n}", wanted.len());
        }
    }

    #[test]
    fn a_sample_larger_than_the_list_takes_it_all() {
        let mut all = PythonRandom::new(3).sample(&[5, 6, 7], 9);
        all.sort_unstable();
        assert_eq!(all, [5, 6, 7]);
    }
}
