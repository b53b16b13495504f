//! A sum's three forms, and how it goes from one to the next.

use super::Counters;
use super::compact::Compact;
use super::limbs::terms;
use super::middle::Middle;
use super::term::Term;
use super::wide::{self, Wide};

/// A sum that was too large for the compact form once stays out of it: it will be so again, and memory would come and go.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// [`Compact`], the mantissa in halves, or everything that has a sum would be aligned to 16 bytes. Only of numbers.
    Compact {
        mantissa: [u64; 2],
        exponent: i32,
    },
    Middle(Box<Middle>),
    Wide(Box<Wide>),
}

impl Default for Form {
    fn default() -> Self {
        Self::Compact { mantissa: [0; 2], exponent: 0 }
    }
}

/// The compact form to reckon with.
#[inline]
pub(super) fn joined([low, high]: [u64; 2], exponent: i32) -> Compact {
    Compact { mantissa: (u128::from(low) | u128::from(high) << 64) as i128, exponent }
}

#[inline]
fn halves(mantissa: i128) -> [u64; 2] {
    [mantissa as u64, (mantissa >> 64) as u64]
}

impl Form {
    /// Adds a term. Always in line: what the compiler knows of a double's term is half of the work.
    #[inline(always)]
    pub(super) fn accumulate(&mut self, term: Term) {
        if let Self::Compact { mantissa, exponent } = self
            && let Some(sum) = joined(*mantissa, *exponent).plus(term)
        {
            *mantissa = halves(sum);
        } else {
            self.accumulate_boxed(term.negative, term.mantissa, term.exponent);
        }
    }

    /// In registers: a term in memory would be written there before it is known whether it is wanted.
    #[inline(never)]
    fn accumulate_boxed(&mut self, negative: bool, mantissa: u128, exponent: i32) {
        let term = Term { negative, mantissa, exponent };
        if let Self::Middle(middle) = self
            && middle.plus(term)
        {
            return;
        }
        self.realign(term);
    }

    /// Adds a term that does not fit at the sum's exponent.
    #[cold]
    #[inline(never)]
    fn realign(&mut self, term: Term) {
        if term.mantissa == 0 {
            return;
        }
        match self {
            Self::Compact { mantissa, exponent } => {
                let compact = joined(*mantissa, *exponent);
                if let Some(Compact { mantissa, exponent }) = compact.realigned(term) {
                    *self = Self::Compact { mantissa: halves(mantissa), exponent };
                } else {
                    *self = Self::Middle(Box::new(Middle::of(compact)));
                    self.accumulate(term);
                }
            }
            Self::Middle(middle) => {
                if !middle.realigned(term) {
                    *self = Self::Wide(Box::new(Wide::of(middle)));
                    self.accumulate(term);
                }
            }
            Self::Wide(wide) => wide.plus(term),
        }
    }

    /// Leaves the widest form if its bits are not needed any more.
    #[inline]
    pub(super) fn narrow(&mut self) {
        if let Self::Wide(wide) = self
            && let Some(middle) = wide.narrowed()
        {
            *self = Self::Middle(Box::new(middle));
        }
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        match self {
            // The exponent stays: what comes will be like what was.
            Self::Compact { mantissa, .. } => *mantissa = [0; 2],
            Self::Middle(middle) => {
                middle.limbs.fill(0);
                middle.counters = Counters::default();
            }
            Self::Wide(_) => *self = Self::default(),
        }
    }

    /// Adds another sum, or takes it away.
    #[inline]
    pub(super) fn take_in(&mut self, other: &Self, away: bool) {
        match other {
            Self::Compact { mantissa, exponent } => {
                self.accumulate(joined(*mantissa, *exponent).term().negated(away));
            }
            Self::Middle(_) | Self::Wide(_) => self.take_in_terms(other, away),
        }
    }

    #[inline(never)]
    fn take_in_terms(&mut self, other: &Self, away: bool) {
        other.with_magnitude(|negative, limbs, exponent| {
            terms(limbs, negative ^ away, exponent).for_each(|term| self.accumulate(term));
        });
        let theirs = other.counters();
        if theirs != Counters::default() {
            let step = if away { u32::wrapping_sub } else { u32::wrapping_add };
            self.with_counters(|ours| {
                ours.nan = step(ours.nan, theirs.nan);
                ours.plus_infinite = step(ours.plus_infinite, theirs.plus_infinite);
                ours.minus_infinite = step(ours.minus_infinite, theirs.minus_infinite);
            });
        }
    }

    #[inline]
    pub(super) fn counters(&self) -> Counters {
        match self {
            Self::Compact { .. } => Counters::default(),
            Self::Middle(middle) => middle.counters,
            Self::Wide(wide) => wide.counters,
        }
    }

    /// Changes the counters, for which the compact form has no room.
    pub(super) fn with_counters(&mut self, change: impl FnOnce(&mut Counters)) {
        match self {
            Self::Compact { mantissa, exponent } => {
                let mut middle = Middle::of(joined(*mantissa, *exponent));
                change(&mut middle.counters);
                *self = Self::Middle(Box::new(middle));
            }
            Self::Middle(middle) => change(&mut middle.counters),
            Self::Wide(wide) => change(&mut wide.counters),
        }
    }

    /// Looks at the number: whether it is below 0, its limbs without the sign, and the exponent.
    pub(super) fn with_magnitude<R>(&self, look: impl FnOnce(bool, &[u64], i32) -> R) -> R {
        match self {
            Self::Compact { mantissa, exponent } => {
                let term = joined(*mantissa, *exponent).term();
                look(term.negative, &halves(term.mantissa as i128), term.exponent)
            }
            Self::Middle(middle) => {
                let (negative, limbs) = middle.magnitude();
                look(negative, &limbs, middle.exponent)
            }
            Self::Wide(wide) => {
                let (negative, limbs) = wide.magnitude();
                look(negative, &limbs, wide::LSB)
            }
        }
    }

    pub(super) fn is_zero(&self) -> bool {
        self.with_magnitude(|_, limbs, _| limbs.iter().all(|limb| *limb == 0))
    }

    /// The number in the compact form, if it fits there.
    pub(super) fn to_compact(&self) -> Option<Compact> {
        if let Self::Compact { mantissa, exponent } = self {
            return Some(joined(*mantissa, *exponent));
        }
        let mut compact = Compact { mantissa: 0, exponent: 0 };
        self.with_magnitude(|negative, limbs, exponent| {
            for term in terms(limbs, negative, exponent) {
                compact = compact.realigned(term.stripped())?;
            }
            Some(compact)
        })
    }

    /// The number in the widest form.
    pub(super) fn to_wide(&self) -> Wide {
        match self {
            Self::Compact { mantissa, exponent } => Wide::of(&Middle::of(joined(*mantissa, *exponent))),
            Self::Middle(middle) => Wide::of(middle),
            Self::Wide(wide) => (**wide).clone(),
        }
    }
}
