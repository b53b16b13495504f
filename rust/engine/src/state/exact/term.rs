//! A value as a part of a sum: an integer times a power of two.

/// ± mantissa × 2^exponent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Term {
    pub(super) negative: bool,
    pub(super) mantissa: u128,
    pub(super) exponent: i32,
}

/// A value as a term, or one that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Finite(Term),
    Nan,
    PlusInfinite,
    MinusInfinite,
}

impl Part {
    /// A double.
    #[inline]
    pub(crate) fn of(value: f64) -> Self {
        let bits = value.to_bits();
        let negative = bits >> 63 != 0;
        let (exponent, fraction) = ((bits >> 52) as i32 & 0x7ff, bits & ((1 << 52) - 1));
        if exponent == 0x7ff {
            return match (fraction, negative) {
                (0, true) => Self::MinusInfinite,
                (0, false) => Self::PlusInfinite,
                _ => Self::Nan,
            };
        }
        // Subnormal numbers lack the leading bit and share the exponent of the lowest normal ones.
        let mantissa = u128::from(fraction | u64::from(exponent != 0) << 52);
        Self::Finite(Term { negative, mantissa, exponent: exponent.max(1) - 1_075 })
    }

    /// A whole number.
    #[inline]
    pub(crate) fn of_int(value: i64) -> Self {
        let mantissa = u128::from(value.unsigned_abs());
        Self::Finite(Term { negative: value < 0, mantissa, exponent: 0 })
    }

    /// Its square.
    #[inline]
    pub(crate) fn squared(self) -> Self {
        match self {
            Self::Finite(term) => Self::Finite(Term {
                negative: false,
                mantissa: term.mantissa * term.mantissa,
                exponent: 2 * term.exponent,
            }),
            Self::Nan => Self::Nan,
            Self::PlusInfinite | Self::MinusInfinite => Self::PlusInfinite,
        }
    }
}

impl Term {
    /// What takes it away.
    #[inline]
    pub(super) fn negated(self, negate: bool) -> Self {
        Self { negative: self.negative ^ negate, ..self }
    }

    /// The same value, the mantissa odd; a mantissa of 0 stays as it is.
    pub(super) fn stripped(self) -> Self {
        match self.mantissa {
            0 => self,
            mantissa => {
                let zeros = mantissa.trailing_zeros();
                Self { mantissa: mantissa >> zeros, exponent: self.exponent + zeros as i32, ..self }
            }
        }
    }
}
