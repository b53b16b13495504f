//! The Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998), the generator under both numpy's legacy
//! `RandomState` and Python's `random`. The two differ in how they seed it ([`Mt19937::from_u32`] against
//! [`Mt19937::from_key`]) and in how they turn its words into numbers, which is the callers' part.

const N: usize = 624;
const M: usize = 397;
const MATRIX_A: u32 = 0x9908_b0df;
const UPPER_BIT: u32 = 0x8000_0000;
const LOWER_BITS: u32 = 0x7fff_ffff;

/// State of one generator: 624 words and the position of the next one to hand out.
#[derive(Clone)]
pub(crate) struct Mt19937 {
    words: [u32; N],
    next: usize,
}

impl Mt19937 {
    /// Seeds with one word (the authors' `init_genrand`), as `numpy.random.seed(int)` does.
    pub(crate) fn from_u32(seed: u32) -> Self {
        let mut words = [0; N];
        words[0] = seed;
        for i in 1..N {
            let last: u32 = words[i - 1];
            words[i] = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i as u32);
        }
        Self { words, next: N }
    }

    /// Seeds with a key of any length above 0 (the authors' `init_by_array`), as Python's `random.seed(int)` does.
    /// An empty key counts as `[0]`.
    pub(crate) fn from_key(key: &[u32]) -> Self {
        let key = if key.is_empty() { &[0] } else { key };
        let mut state = Self::from_u32(19_650_218);
        let words = &mut state.words;
        let mut i = 1;
        for step in 0..N.max(key.len()) {
            let j = step % key.len();
            let last = words[i - 1];
            words[i] =
                (words[i] ^ (last ^ (last >> 30)).wrapping_mul(1_664_525)).wrapping_add(key[j]).wrapping_add(j as u32);
            i = Self::advance(words, i);
        }
        for _ in 1..N {
            let last = words[i - 1];
            words[i] = (words[i] ^ (last ^ (last >> 30)).wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
            i = Self::advance(words, i);
        }
        words[0] = UPPER_BIT;
        state
    }

    /// Next position while seeding: 1 to 623, with word 0 renewed at each wrap.
    fn advance(words: &mut [u32; N], i: usize) -> usize {
        if i + 1 < N {
            return i + 1;
        }
        words[0] = words[N - 1];
        1
    }

    /// The next 32 bits.
    #[inline]
    pub(crate) fn next_u32(&mut self) -> u32 {
        if self.next == N {
            self.refill();
        }
        let mut word = self.words[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// The next double in `[0, 1)` with 53 random bits, out of two words: numpy's `random_sample` and Python's
    /// `random()` share it.
    #[inline]
    pub(crate) fn next_f64(&mut self) -> f64 {
        let high = f64::from(self.next_u32() >> 5);
        let low = f64::from(self.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    fn refill(&mut self) {
        for i in 0..N {
            let mixed = (self.words[i] & UPPER_BIT) | (self.words[(i + 1) % N] & LOWER_BITS);
            let twist = if mixed & 1 == 1 { MATRIX_A } else { 0 };
            self.words[i] = self.words[(i + M) % N] ^ (mixed >> 1) ^ twist;
        }
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_seed_gives_the_words_of_numpy() {
        // numpy.random.RandomState(5489).randint(0, 2**32, dtype=uint32), the authors' reference output
        let mut mt = Mt19937::from_u32(5489);
        assert_eq!([mt.next_u32(), mt.next_u32(), mt.next_u32()], [3_499_211_612, 581_869_302, 3_890_346_734]);
    }

    #[test]
    fn the_ten_thousandth_word_is_the_published_one() {
        // The C++ standard requires this value of mt19937
        let mut mt = Mt19937::from_u32(5489);
        let last = (0..10_000).map(|_| mt.next_u32()).last();
        assert_eq!(last, Some(4_123_659_995));
    }

    #[test]
    fn a_key_gives_the_words_of_python() {
        // random.seed(s); [random.getrandbits(32) for _ in range(3)]
        for (key, wanted) in [
            (&[0][..], [3_626_764_237, 1_654_615_998, 3_255_389_356]),
            (&[1], [577_090_037, 2_444_712_010, 3_639_700_191]),
            (&[4999], [2_516_720_696, 676_215_406, 790_336_120]),
            (&[3, 256], [943_978_446, 261_273_136, 2_359_950_418]),
        ] {
            let mut mt = Mt19937::from_key(key);
            assert_eq!([mt.next_u32(), mt.next_u32(), mt.next_u32()], wanted, "key {key:?}");
        }
        assert_eq!(Mt19937::from_key(&[]).next_u32(), 3_626_764_237);
    }
}
