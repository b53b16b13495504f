//! numpy's legacy `RandomState`, bit for bit, as far as the simulations need it.
//!
//! numpy froze this generator (NEP 19): the stream of a seed never changes, so published data can be made again.
//! Each method names the call it equals. `ln` and `exp` come from the platform's libm, as in numpy: on glibc all
//! bits agree; another libm could differ in the last bit of a normal draw.

use super::mt19937::Mt19937;

/// Equals `numpy.random.RandomState(seed)`.
pub(crate) struct RandomState {
    mt: Mt19937,
    /// The polar method makes two normal draws at once; the second waits here.
    spare_gauss: Option<f64>,
}

impl RandomState {
    /// Equals `numpy.random.RandomState(seed)` and `numpy.random.seed(seed)`.
    pub(crate) fn new(seed: u32) -> Self {
        Self { mt: Mt19937::from_u32(seed), spare_gauss: None }
    }

    /// Equals `uniform(low, high)`.
    pub(crate) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.mt.next_f64()
    }

    /// Equals `normal(mean, deviation)`.
    pub(crate) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        mean + deviation * self.gauss()
    }

    /// Equals `standard_normal()`: Marsaglia's polar method, the second value of a pair first.
    fn gauss(&mut self) -> f64 {
        if let Some(spare) = self.spare_gauss.take() {
            return spare;
        }
        loop {
            let x = 2.0 * self.mt.next_f64() - 1.0;
            let y = 2.0 * self.mt.next_f64() - 1.0;
            let square = x * x + y * y;
            if square < 1.0 && square != 0.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                self.spare_gauss = Some(factor * x);
                return factor * y;
            }
        }
    }

    /// Equals `poisson(mean)` for means below 10, where numpy multiplies uniforms (Knuth's method).
    pub(crate) fn poisson_small(&mut self, mean: f64) -> u32 {
        debug_assert!((0.0..10.0).contains(&mean), "numpy uses another method from 10 on");
        if mean == 0.0 {
            return 0;
        }
        let floor = (-mean).exp();
        let mut product = 1.0;
        let mut count = 0;
        loop {
            product *= self.mt.next_f64();
            if product <= floor {
                return count;
            }
            count += 1;
        }
    }

    /// Equals `permutation(n)[:count]`, and so `pandas.Series(range(n)).sample(n=count, random_state=seed)` on a
    /// fresh state: a whole Fisher-Yates shuffle, of which the head is kept.
    pub(crate) fn sample(&mut self, n: u32, count: usize) -> Vec<u32> {
        let mut all: Vec<u32> = (0..n).collect();
        for last in (1..n).rev() {
            let other = self.interval(last);
            all.swap(last as usize, other as usize);
        }
        all.truncate(count);
        all
    }

    /// A whole number in `0..=max`: masked to the bits of `max`, drawn again while above it.
    fn interval(&mut self, max: u32) -> u32 {
        let mask = u32::MAX.checked_shr(max.leading_zeros()).unwrap_or(0);
        loop {
            let value = self.mt.next_u32() & mask;
            if value <= max {
                return value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values: numpy 2.4.6 after numpy.random.seed(42), printed with float.hex() or as shortest decimals.

    #[test]
    fn normal_draws_are_numpys() {
        let mut state = RandomState::new(42);
        let draws: Vec<f64> = (0..4).map(|_| state.normal(43200.0, 20000.0)).collect();
        assert_eq!(draws, [53134.283060224654, 40434.713976576306, 56153.77076201385, 73660.5971281605]);
    }

    #[test]
    fn uniform_draws_are_numpys() {
        let mut state = RandomState::new(42);
        let draws: Vec<f64> = (0..3).map(|_| state.uniform(5.0, 100.0)).collect();
        assert_eq!(draws, [40.581311290499436, 95.31785910894203, 74.53942447208348]);
    }

    #[test]
    fn poisson_draws_are_numpys_and_use_as_many_words() {
        let mut state = RandomState::new(42);
        let draws: Vec<u32> = (0..15).map(|_| state.poisson_small(2.5)).collect();
        assert_eq!(draws, [4, 1, 3, 3, 1, 2, 2, 3, 2, 2, 4, 2, 1, 3, 2]);
        // numpy.random.random_sample().hex() after them: 0x1.f06d6575e7fe6p-1
        assert_eq!(state.uniform(0.0, 1.0).to_bits(), 0x3fef_06d6_575e_7fe6);
    }

    #[test]
    fn a_mean_of_zero_draws_nothing() {
        let mut state = RandomState::new(42);
        assert_eq!(state.poisson_small(0.0), 0);
        assert_eq!(state.uniform(0.0, 1.0), RandomState::new(42).uniform(0.0, 1.0));
    }

    #[test]
    fn samples_are_those_of_pandas() {
        // pandas.Series(range(n)).sample(n=count, random_state=seed).tolist()
        for (seed, terminals, customers) in [
            (0, [9394, 898], [398, 3833, 4836]),
            (7, [1977, 3880], [3406, 757, 3624]),
            (181, [8036, 7289], [4314, 3945, 4038]),
        ] {
            assert_eq!(RandomState::new(seed).sample(10_000, 2), terminals, "seed {seed}");
            assert_eq!(RandomState::new(seed).sample(5_000, 3), customers, "seed {seed}");
        }
    }

    #[test]
    fn a_sample_of_a_single_thing_draws_no_word() {
        assert_eq!(RandomState::new(1).sample(1, 1), [0]);
        assert_eq!(RandomState::new(1).sample(0, 2), [0; 0]);
    }
}
