//! The same sums the long way: always all bits, rounded bit by bit. What the tests compare with.

const LIMBS: usize = 70;
/// Below the last bit of a square, at the border of two limbs.
const LSB: i32 = 64 * 34;

/// A number in two's complement, in units of 2^-LSB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference(Vec<u64>);

impl Reference {
    pub(super) fn zero() -> Self {
        Self(vec![0; LIMBS])
    }

    /// Adds mantissa × 2^exponent.
    pub(super) fn add(&mut self, negative: bool, mantissa: u128, exponent: i32) {
        let shift = (exponent + LSB) as usize;
        let mut number = vec![0_u64; LIMBS];
        for bit in (0..128).filter(|bit| mantissa >> bit & 1 != 0) {
            number[(shift + bit) / 64] |= 1 << ((shift + bit) % 64);
        }
        self.add_all(&Self(number), negative);
    }

    /// Adds another number, or takes it away.
    pub(super) fn add_all(&mut self, other: &Self, negative: bool) {
        let mut carry = u128::from(negative);
        for (limb, other) in self.0.iter_mut().zip(&other.0) {
            carry += u128::from(*limb) + u128::from(if negative { !other } else { *other });
            *limb = carry as u64;
            carry >>= 64;
        }
    }

    fn is_negative(&self) -> bool {
        self.0[LIMBS - 1] >> 63 != 0
    }

    fn magnitude(&self) -> Self {
        let mut magnitude = Self::zero();
        magnitude.add_all(self, self.is_negative());
        magnitude
    }

    /// The nearest double, ties to even.
    pub(super) fn to_f64(&self) -> f64 {
        let magnitude = self.magnitude();
        let bit = |at: i32| at >= 0 && magnitude.0[at as usize / 64] >> (at % 64) & 1 != 0;
        let Some(top) = (0..64 * LIMBS as i32).rev().find(|at| bit(*at)) else { return 0.0 };
        let last = (top - 52).max(LSB - 1_074);
        let mut whole = (last..=top).rev().fold(0_u64, |whole, at| whole << 1 | u64::from(bit(at)));
        let beyond_half = (0..last - 1).any(bit);
        if bit(last - 1) && (beyond_half || whole & 1 != 0) {
            whole += 1;
        }
        // The leading bit and a carry count as steps of the exponent, which is how doubles are ordered.
        let exponent = (last - LSB + 1_074) as u64;
        let bits = (exponent << 52) + whole;
        let value = if bits >> 52 >= 0x7ff { f64::INFINITY } else { f64::from_bits(bits) };
        if self.is_negative() { -value } else { value }
    }

    /// As a whole number of 64 bits.
    pub(super) fn to_i64(&self) -> Option<i64> {
        let magnitude = self.magnitude();
        let mut rest = magnitude.0;
        let whole = std::mem::take(&mut rest[34]);
        let negative = self.is_negative();
        let whole = if negative { -i128::from(whole) } else { i128::from(whole) };
        rest.iter().all(|limb| *limb == 0).then(|| i64::try_from(whole).ok())?
    }

    /// n × squares − self².
    pub(super) fn spread(&self, squares: &Self, n: u64) -> f64 {
        let magnitude = self.magnitude();
        let mut spread = Self::zero();
        for bit in (0..64).filter(|bit| n >> bit & 1 != 0) {
            spread.add_all(&squares.shifted(bit), false);
        }
        for at in (0..64 * LIMBS as i32).filter(|at| magnitude.0[*at as usize / 64] >> (at % 64) & 1 != 0) {
            spread.add_all(&magnitude.shifted(at - LSB), true);
        }
        spread.to_f64()
    }

    /// × 2^bits, where no bit is lost.
    fn shifted(&self, bits: i32) -> Self {
        let mut shifted = Self::zero();
        for at in (0..64 * LIMBS as i32).filter(|at| self.0[*at as usize / 64] >> (at % 64) & 1 != 0) {
            let to = (at + bits) as usize;
            shifted.0[to / 64] |= 1 << (to % 64);
        }
        shifted
    }
}
