//! The form of most sums: 128 bits that move with their exponent.
//!
//! Amounts between a cent and a million, thousands of millions of them, have bits from 2^-59 to 2^50.

use super::term::Term;

/// mantissa × 2^exponent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compact {
    pub(super) mantissa: i128,
    pub(super) exponent: i32,
}

impl Compact {
    /// The mantissa with a term added; `None` if bits would be lost at this exponent.
    #[inline]
    pub(super) fn plus(self, term: Term) -> Option<i128> {
        // A lower exponent than ours makes this a large number.
        let shift = term.exponent.wrapping_sub(self.exponent) as u32;
        if shift >= term.mantissa.leading_zeros() {
            return None;
        }
        let sign = -i128::from(term.negative);
        self.mantissa.checked_add(((term.mantissa << shift) as i128 ^ sign) - sign)
    }

    /// With a term added, at the exponent that it takes; `None` if 128 bits are too few.
    pub(super) fn realigned(self, term: Term) -> Option<Self> {
        if self.mantissa == 0 {
            return Self { exponent: term.exponent, ..self }.aligned(term);
        }
        self.aligned(term).or_else(|| self.stripped().aligned(term.stripped()))
    }

    fn aligned(self, term: Term) -> Option<Self> {
        let exponent = self.exponent.min(term.exponent);
        let shift = (self.exponent - exponent) as u32;
        // Copies of the sign beside the sign itself.
        let room = (self.mantissa ^ (self.mantissa >> 127)).leading_zeros() - 1;
        if shift > room {
            return None;
        }
        let lowered = Self { mantissa: self.mantissa << shift, exponent };
        lowered.plus(term).map(|mantissa| Self { mantissa, exponent })
    }

    fn stripped(self) -> Self {
        let zeros = self.mantissa.trailing_zeros() % 128;
        Self { mantissa: self.mantissa >> zeros, exponent: self.exponent + zeros as i32 }
    }

    /// All of it as one term.
    #[inline]
    pub(super) fn term(self) -> Term {
        Term { negative: self.mantissa < 0, mantissa: self.mantissa.unsigned_abs(), exponent: self.exponent }
    }

    /// As a whole number, if it is one of 64 bits.
    pub(super) fn to_i64(self) -> Option<i64> {
        if self.mantissa == 0 {
            return Some(0);
        }
        let Self { mantissa, exponent } = self.stripped();
        let room = (mantissa ^ (mantissa >> 127)).leading_zeros() - 1;
        (0..=room as i32).contains(&exponent).then(|| mantissa << exponent).and_then(|whole| i64::try_from(whole).ok())
    }
}
