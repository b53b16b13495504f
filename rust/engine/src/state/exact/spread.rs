//! What variances are made of: n Σx² − (Σx)² in whole numbers, where nothing cancels that shouldn't.

use super::form::{Form, joined};
use super::limbs::{bits, shifted_up, trimmed};
use super::{rounding, wide};

/// Limbs for most: a compact sum's square has four, a middle sum times n has five.
const FEW: usize = 8;
const MANY: usize = 2 * wide::LIMBS + 2;

/// n `squares` − `sum`², rounded once.
pub(super) fn of(sum: &Form, squares: &Form, n: u64) -> f64 {
    if let (Some((sum, a)), Some((squares, b))) = (narrow(sum), narrow(squares)) {
        let (sum, squares) = (trimmed(&sum), trimmed(&squares));
        let a = 2 * a;
        let lsb = a.min(b);
        let (sum_up, squares_up) = ((a - lsb) as u32, (b - lsb) as u32);
        if 2 * bits(sum) + sum_up < 64 * FEW as u32 && bits(squares) + 64 + squares_up < 64 * FEW as u32 {
            return rounding::of_limbs(&difference::<FEW>((sum, sum_up), (squares, squares_up), n), lsb);
        }
    }
    // Both in units of 2^(2 LSB), with two limbs more for n and the sign.
    let (sum, squares) = (sum.to_wide().magnitude().1, squares.to_wide().limbs);
    let up = wide::LSB.unsigned_abs();
    rounding::of_limbs(&difference::<MANY>((trimmed(&sum), 0), (trimmed(&squares), up), n), 2 * wide::LSB)
}

/// The magnitude and its exponent, unless the sum is wide.
fn narrow(sum: &Form) -> Option<([u64; 4], i32)> {
    match sum {
        Form::Compact { mantissa, exponent } => {
            let magnitude = joined(*mantissa, *exponent).mantissa.unsigned_abs();
            Some(([magnitude as u64, (magnitude >> 64) as u64, 0, 0], *exponent))
        }
        Form::Middle(middle) => Some((middle.magnitude().1, middle.exponent)),
        Form::Wide(_) => None,
    }
}

/// n × squares × 2^up − sum² × 2^up.
fn difference<const N: usize>((sum, sum_up): (&[u64], u32), (squares, squares_up): (&[u64], u32), n: u64) -> [u64; N] {
    let mut product = [0; N];
    let mut carry = 0;
    for (to, limb) in product.iter_mut().zip(squares.iter().copied().chain(std::iter::once(0))) {
        carry += u128::from(limb) * u128::from(n);
        *to = carry as u64;
        carry >>= 64;
    }
    let mut left = if squares_up == 0 { product } else { shifted_up(&product, squares_up) };
    let raised: [u64; N] = shifted_up(sum, sum_up);
    let raised = trimmed(&raised);
    for (i, a) in sum.iter().enumerate().filter(|(_, a)| **a != 0) {
        let (mut carry, mut borrow) = (0_u128, false);
        for (j, limb) in left[i..].iter_mut().enumerate() {
            if j >= raised.len() && carry == 0 && !borrow {
                break;
            }
            carry += u128::from(*a) * u128::from(raised.get(j).copied().unwrap_or_default());
            let (rest, first) = limb.overflowing_sub(carry as u64);
            let second;
            (*limb, second) = rest.overflowing_sub(u64::from(borrow));
            carry >>= 64;
            borrow = first | second;
        }
    }
    left
}
