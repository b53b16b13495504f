//! A sum as bytes, which are a function of its value and its counters alone.
//!
//! | field | bytes |
//! |---|---|
//! | head | u16, little-endian: 4 × bytes of the mantissa, + 2 if there are counters, + 1 if negative |
//! | exponent | i16, little-endian; only with a mantissa |
//! | mantissa | little-endian, odd, without zeros above; none if the value is 0 |
//! | NaN, ∞, −∞: how many | u32 each, little-endian; only if one is not 0 |

use super::limbs::terms;
use super::{Counters, ExactSum, wide};

/// No sum has bits from 2^TOP on.
const TOP: i32 = wide::LSB + 64 * wide::LIMBS as i32 - 1;
/// No term has bits below 2^BOTTOM, the last bit of the square of the least double.
const BOTTOM: i32 = -2_148;

impl ExactSum {
    /// Appends its bytes.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.0.with_magnitude(|negative, limbs, exponent| {
            let word = limbs.iter().position(|limb| *limb != 0).unwrap_or(limbs.len());
            let zeros = limbs.get(word).map_or(0, |limb| limb.trailing_zeros());
            let counters = self.0.counters();
            let start = out.len();
            out.extend([0; 2]);
            if word < limbs.len() {
                out.extend(((exponent + 64 * word as i32 + zeros as i32) as i16).to_le_bytes());
                for i in word..limbs.len() {
                    let above = limbs.get(i + 1).copied().unwrap_or_default();
                    out.extend((limbs[i] >> zeros | above << 1 << (63 - zeros)).to_le_bytes());
                }
                while out.last() == Some(&0) {
                    out.pop();
                }
            }
            let mantissa = (out.len() - start).saturating_sub(4);
            let some = counters != Counters::default();
            let head = (4 * mantissa) as u16 | u16::from(some) << 1 | u16::from(negative && mantissa > 0);
            out[start..start + 2].copy_from_slice(&head.to_le_bytes());
            if some {
                [counters.nan, counters.plus_infinite, counters.minus_infinite]
                    .into_iter()
                    .for_each(|count| out.extend(count.to_le_bytes()));
            }
        });
    }

    /// Takes a sum off the front; `None` if these are no bytes that [`Self::write`] writes.
    pub(crate) fn read(from: &mut &[u8]) -> Option<Self> {
        let mut rest = *from;
        let head = u16::from_le_bytes(take(&mut rest)?);
        let (length, some, negative) = (usize::from(head / 4), head & 2 != 0, head & 1 != 0);
        let mut sum = Self::default();
        if length > 0 {
            let exponent = i32::from(i16::from_le_bytes(take(&mut rest)?));
            let mantissa;
            (mantissa, rest) = rest.split_at_checked(length)?;
            let top = mantissa[length - 1];
            let bits = 8 * length as i32 - top.leading_zeros() as i32;
            if mantissa[0] & 1 == 0 || top == 0 || exponent < BOTTOM || exponent + bits > TOP {
                return None;
            }
            let mut limbs = [0; wide::LIMBS];
            for (limb, bytes) in limbs.iter_mut().zip(mantissa.chunks(8)) {
                let mut whole = [0; 8];
                whole[..bytes.len()].copy_from_slice(bytes);
                *limb = u64::from_le_bytes(whole);
            }
            let limbs = &limbs[..length.div_ceil(8)];
            terms(limbs, negative, exponent).for_each(|term| sum.0.accumulate(term));
        } else if negative {
            return None;
        }
        if some {
            let mut count = || take(&mut rest).map(u32::from_le_bytes);
            let counters = Counters { nan: count()?, plus_infinite: count()?, minus_infinite: count()? };
            if counters == Counters::default() {
                return None;
            }
            sum.0.with_counters(|there| *there = counters);
        }
        *from = rest;
        Some(sum)
    }
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let bytes;
    (bytes, *from) = from.split_first_chunk::<N>()?;
    Some(*bytes)
}
