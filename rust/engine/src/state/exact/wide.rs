//! The form that holds every sum: all bits that doubles and their squares can have.

use super::Counters;
use super::limbs::{is_negative, magnitude, moved, terms};
use super::middle::Middle;
use super::term::Term;

/// Squares of doubles reach from 2^-2148 to 2^2048; 64 bits more for carries and the sign.
pub(super) const LIMBS: usize = 67;
/// The last bit stands for 2^LSB.
pub(super) const LSB: i32 = -2_160;

/// A fixed-point number in units of 2^LSB, and what is no number.
#[derive(Debug, Clone)]
pub(super) struct Wide {
    pub(super) limbs: [u64; LIMBS],
    pub(super) counters: Counters,
}

impl Wide {
    /// A sum of 256 bits.
    pub(super) fn of(middle: &Middle) -> Self {
        let mut wide = Self { limbs: [0; LIMBS], counters: middle.counters };
        let (negative, magnitude) = middle.magnitude();
        terms(&magnitude, negative, middle.exponent).for_each(|term| wide.plus(term));
        wide
    }

    /// Adds a term.
    pub(super) fn plus(&mut self, term: Term) {
        let shift = (term.exponent - LSB) as u32;
        // Nothing that was counted reaches beyond the top.
        let Some(limbs) = self.limbs.get_mut((shift / 64) as usize..) else { return };
        let parts = moved(term.mantissa, shift % 64);
        let mut carry = false;
        for (i, limb) in limbs.iter_mut().enumerate() {
            let part = parts.get(i).copied().unwrap_or_default();
            if i >= parts.len() && !carry {
                break;
            }
            let (sum, first, second);
            if term.negative {
                (sum, first) = limb.overflowing_sub(part);
                (*limb, second) = sum.overflowing_sub(u64::from(carry));
            } else {
                (sum, first) = limb.overflowing_add(part);
                (*limb, second) = sum.overflowing_add(u64::from(carry));
            }
            carry = first | second;
        }
    }

    /// In the middle form, if its bits are in three limbs.
    pub(super) fn narrowed(&self) -> Option<Middle> {
        let fill = if is_negative(&self.limbs) { u64::MAX } else { 0 };
        let low = self.limbs.iter().position(|limb| *limb != 0).unwrap_or_default();
        let high = self.limbs.iter().rposition(|limb| *limb != fill).unwrap_or_default();
        let limb = |i: usize| self.limbs.get(low + i).copied().unwrap_or(fill);
        // The fourth is one of those that hold nothing but the sign.
        (high < low + 3).then(|| Middle {
            limbs: [limb(0), limb(1), limb(2), limb(3)],
            exponent: LSB + 64 * low as i32,
            counters: self.counters,
        })
    }

    /// The sign and the number without it.
    pub(super) fn magnitude(&self) -> (bool, [u64; LIMBS]) {
        magnitude(self.limbs)
    }
}
