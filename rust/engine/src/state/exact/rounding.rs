//! From an exact number to the nearest double, ties to even: rounded once, also below the normal doubles.

use super::compact::Compact;
use super::limbs::is_negative;

/// Of 128 bits.
#[inline]
pub(super) fn of_compact(Compact { mantissa, exponent }: Compact) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let magnitude = mantissa.unsigned_abs();
    let zeros = magnitude.leading_zeros();
    let aligned = magnitude << zeros;
    let value = nearest((aligned >> 64) as u64, aligned as u64 != 0, exponent + 64 - zeros as i32);
    if mantissa < 0 { -value } else { value }
}

/// Of a number in two's complement, in units of 2^exponent.
pub(super) fn of_limbs(limbs: &[u64], exponent: i32) -> f64 {
    let negative = is_negative(limbs);
    // Of a negative number the magnitude's limbs are the complement's, plus one from below.
    let Some(lowest) = limbs.iter().position(|limb| *limb != 0) else { return 0.0 };
    let limb = |i: usize| match (negative, i.cmp(&lowest)) {
        (false, _) => limbs[i],
        (true, std::cmp::Ordering::Less) => 0,
        (true, std::cmp::Ordering::Equal) => limbs[i].wrapping_neg(),
        (true, std::cmp::Ordering::Greater) => !limbs[i],
    };
    let Some(top) = (lowest..limbs.len()).rev().find(|&i| limb(i) != 0) else { return 0.0 };
    let zeros = limb(top).leading_zeros();
    let below = if top > lowest { limb(top - 1) } else { 0 };
    let high = limb(top) << zeros | below >> 1 >> (63 - zeros);
    let sticky = below << zeros != 0 || lowest + 1 < top;
    let value = nearest(high, sticky, exponent + 64 * top as i32 - zeros as i32);
    if negative { -value } else { value }
}

/// The nearest double of high × 2^exponent, and of a little more if `sticky`. The highest bit of `high` is set.
#[inline]
fn nearest(high: u64, sticky: bool, exponent: i32) -> f64 {
    // 63 bits are ten more than a double has: the last one stands for all that was left out.
    let value = (high >> 1 | high & 1 | u64::from(sticky)) as i64 as f64;
    let exponent = exponent + 1;
    if (-LIMIT..=LIMIT).contains(&exponent) {
        return value * power(exponent);
    }
    at_the_ends(high, sticky, value, exponent)
}

/// 2^62 and 2^63 times 2^±LIMIT are normal doubles.
const LIMIT: i32 = 960;

/// 2^exponent, which is a normal double.
#[inline]
fn power(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1_023) as u64) << 52)
}

#[cold]
fn at_the_ends(high: u64, sticky: bool, value: f64, exponent: i32) -> f64 {
    if exponent > 0 {
        return value * power(LIMIT) * power((exponent - LIMIT).min(1_023));
    }
    // From 2^62 × 2^-1084 on a result is normal, and the second product exact.
    if exponent >= -1_022 - 62 {
        return value * power(-LIMIT) * power(exponent + LIMIT);
    }
    // In units of 2^-1074: the last bit of `exact`, below those of `high`, stands for all that was left out.
    let exact = u128::from(high) << 1 | u128::from(sticky);
    let drop = -1_074 - (exponent - 2);
    if drop > 65 {
        return 0.0;
    }
    let (whole, rest, half) = (exact >> drop, exact & ((1 << drop) - 1), 1 << (drop - 1));
    let up = rest > half || (rest == half && whole & 1 != 0);
    f64::from_bits(whole as u64 + u64::from(up))
}
