//! Arithmetic on limbs of 64 bits, the lowest first; signed numbers are in two's complement.

use super::term::Term;

/// Whether a number is below 0.
#[inline]
pub(super) fn is_negative(limbs: &[u64]) -> bool {
    limbs.last().is_some_and(|limb| limb >> 63 != 0)
}

/// Changes the sign.
#[inline]
pub(super) fn negate(limbs: &mut [u64]) {
    let mut carry = true;
    for limb in limbs {
        (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
    }
}

/// The sign and the number without it.
#[inline]
pub(super) fn magnitude<const N: usize>(mut limbs: [u64; N]) -> (bool, [u64; N]) {
    let negative = is_negative(&limbs);
    if negative {
        negate(&mut limbs);
    }
    (negative, limbs)
}

/// a + b + carry.
#[inline]
pub(super) fn add(a: u64, b: u64, carry: &mut bool) -> u64 {
    let (sum, first) = a.overflowing_add(b);
    let (sum, second) = sum.overflowing_add(u64::from(*carry));
    *carry = first | second;
    sum
}

/// A mantissa moved up by less than a limb.
#[inline]
pub(super) fn moved(mantissa: u128, bits: u32) -> [u64; 3] {
    let low = mantissa << bits;
    [low as u64, (low >> 64) as u64, (mantissa >> 1 >> (127 - bits)) as u64]
}

/// × 2^bits; what leaves above is lost.
pub(super) fn shifted_up<const N: usize>(limbs: &[u64], bits: u32) -> [u64; N] {
    let (word, bit) = ((bits / 64) as usize, bits % 64);
    let mut shifted = [0; N];
    let mut below = 0;
    for (to, limb) in shifted.iter_mut().skip(word).zip(limbs.iter().copied().chain(std::iter::once(0))) {
        *to = limb << bit | below >> 1 >> (63 - bit);
        below = limb;
    }
    shifted
}

/// How many bits a number without a sign has.
pub(super) fn bits(limbs: &[u64]) -> u32 {
    let top = limbs.iter().rposition(|limb| *limb != 0);
    top.map_or(0, |top| 64 * (top as u32 + 1) - limbs[top].leading_zeros())
}

/// The number without zeros above.
#[inline]
pub(super) fn trimmed(limbs: &[u64]) -> &[u64] {
    &limbs[..limbs.iter().rposition(|limb| *limb != 0).map_or(0, |top| top + 1)]
}

/// The terms of a number without a sign, two limbs each.
pub(super) fn terms(limbs: &[u64], negative: bool, exponent: i32) -> impl Iterator<Item = Term> {
    limbs.chunks(2).enumerate().filter_map(move |(i, pair)| {
        let mantissa = u128::from(pair[0]) | u128::from(pair.get(1).copied().unwrap_or_default()) << 64;
        (mantissa != 0).then_some(Term { negative, mantissa, exponent: exponent + 128 * i as i32 })
    })
}
