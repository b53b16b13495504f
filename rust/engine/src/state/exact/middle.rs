//! The form of sums of squares: 256 bits that move with their exponent, on the heap.
//!
//! An amount such as 57.16 has 53 bits, its square 106; such squares side by side need some 150.

use super::Counters;
use super::compact::Compact;
use super::limbs::{add, bits, magnitude, moved, negate, shifted_up};
use super::term::Term;

const LIMBS: usize = 4;
/// The highest bits stay free: one for the sign, one for the carry.
const TOP: u32 = 64 * LIMBS as u32 - 2;

/// limbs × 2^exponent, and what is no number.
#[derive(Debug, Clone)]
pub(super) struct Middle {
    pub(super) limbs: [u64; LIMBS],
    pub(super) exponent: i32,
    pub(super) counters: Counters,
}

impl Middle {
    /// A compact sum.
    pub(super) fn of(compact: Compact) -> Self {
        let sign = (compact.mantissa >> 127) as u64;
        let limbs = [compact.mantissa as u64, (compact.mantissa >> 64) as u64, sign, sign];
        Self { limbs, exponent: compact.exponent, counters: Counters::default() }
    }

    /// Adds a term; false, and nothing is changed, if bits would be lost at this exponent.
    #[inline]
    pub(super) fn plus(&mut self, term: Term) -> bool {
        // A lower exponent than ours makes this a large number.
        let shift = term.exponent.wrapping_sub(self.exponent) as u32;
        if shift > TOP - 128 + term.mantissa.leading_zeros() {
            return false;
        }
        let word = (shift / 64) as usize;
        let mut parts = [0; LIMBS + 3];
        parts[word..word + 3].copy_from_slice(&moved(term.mantissa, shift % 64));
        // Subtraction is the addition of the complement and one.
        let sign = if term.negative { u64::MAX } else { 0 };
        let mut carry = term.negative;
        let [a, b, c, d] = self.limbs;
        let sum = [
            add(a, parts[0] ^ sign, &mut carry),
            add(b, parts[1] ^ sign, &mut carry),
            add(c, parts[2] ^ sign, &mut carry),
            add(d, parts[3] ^ sign, &mut carry),
        ];
        // Both of one sign, the sum of the other.
        if ((d ^ sum[3]) & ((parts[3] ^ sign) ^ sum[3])) >> 63 != 0 {
            return false;
        }
        self.limbs = sum;
        true
    }

    /// Adds a term at the exponent that it takes; false, and nothing is changed, if 256 bits are too few.
    pub(super) fn realigned(&mut self, term: Term) -> bool {
        let (negative, magnitude) = self.magnitude();
        let Some(word) = magnitude.iter().position(|limb| *limb != 0) else {
            self.exponent = term.exponent;
            return self.plus(term);
        };
        let zeros = 64 * word as u32 + magnitude[word].trailing_zeros();
        let used = bits(&magnitude);
        for (term, zeros) in [(term, 0), (term.stripped(), zeros)] {
            let exponent = term.exponent.min(self.exponent + zeros as i32);
            // From where it is: up if positive.
            let shift = self.exponent - exponent;
            if shift + used as i32 > TOP as i32 {
                continue;
            }
            let mut limbs = if shift >= 0 {
                shifted_up(&magnitude, shift as u32)
            } else {
                // Down is up to above the number's limbs, and those are taken.
                let shifted: [u64; 2 * LIMBS] = shifted_up(&magnitude, (64 * LIMBS as i32 + shift) as u32);
                [shifted[4], shifted[5], shifted[6], shifted[7]]
            };
            if negative {
                negate(&mut limbs);
            }
            let mut moved = Self { limbs, exponent, ..self.clone() };
            if moved.plus(term) {
                *self = moved;
                return true;
            }
        }
        false
    }

    /// The sign and the number without it.
    #[inline]
    pub(super) fn magnitude(&self) -> (bool, [u64; LIMBS]) {
        magnitude(self.limbs)
    }
}
