//! Whatever comes and goes, in whatever form: the sum is that of the reference.

use proptest::prelude::*;

use super::compact::Compact;
use super::reference::Reference;
use super::*;

/// A sum and what it ought to be.
#[derive(Debug, Clone)]
struct Both {
    sum: ExactSum,
    number: Reference,
    counters: Counters,
}

/// What comes into a sum, or leaves it.
#[derive(Debug, Clone, Copy)]
enum Item {
    Double(f64),
    Whole(i64),
    SquareOf(f64),
    SquareOfWhole(i64),
}

impl Item {
    fn part(self) -> Part {
        match self {
            Self::Double(value) => Part::of(value),
            Self::Whole(value) => Part::of_int(value),
            Self::SquareOf(value) => Part::of(value).squared(),
            Self::SquareOfWhole(value) => Part::of_int(value).squared(),
        }
    }
}

impl Both {
    fn none() -> Self {
        Self { sum: ExactSum::default(), number: Reference::zero(), counters: Counters::default() }
    }

    fn of(items: &[Item]) -> Self {
        let mut both = Self::none();
        items.iter().for_each(|item| both.change(*item, false));
        both
    }

    fn change(&mut self, item: Item, away: bool) {
        if away {
            self.sum.remove(item.part());
        } else {
            self.sum.add(item.part());
        }
        let step = |count: &mut u32| *count = count.wrapping_add_signed(if away { -1 } else { 1 });
        match item {
            Item::Double(value) | Item::SquareOf(value) if value.is_nan() => step(&mut self.counters.nan),
            Item::Double(f64::NEG_INFINITY) => step(&mut self.counters.minus_infinite),
            Item::Double(value) | Item::SquareOf(value) if value.is_infinite() => {
                step(&mut self.counters.plus_infinite);
            }
            Item::Double(value) => {
                let (mantissa, exponent) = integer(value);
                self.number.add((value < 0.0) ^ away, mantissa, exponent);
            }
            Item::SquareOf(value) => {
                let (mantissa, exponent) = integer(value);
                self.number.add(away, mantissa * mantissa, 2 * exponent);
            }
            Item::Whole(value) => self.number.add((value < 0) ^ away, value.unsigned_abs().into(), 0),
            Item::SquareOfWhole(value) => self.number.add(away, u128::from(value.unsigned_abs()).pow(2), 0),
        }
    }

    fn take_in(&mut self, other: &Self, away: bool) {
        let step = if away { u32::wrapping_sub } else { u32::wrapping_add };
        if away {
            self.sum.unmerge(&other.sum);
        } else {
            self.sum.merge(&other.sum);
        }
        self.number.add_all(&other.number, away);
        self.counters.nan = step(self.counters.nan, other.counters.nan);
        self.counters.plus_infinite = step(self.counters.plus_infinite, other.counters.plus_infinite);
        self.counters.minus_infinite = step(self.counters.minus_infinite, other.counters.minus_infinite);
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.sum.write(&mut bytes);
        bytes
    }

    fn check(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.sum.0.counters(), self.counters);
        let value = self.counters.or(|| self.number.to_f64());
        prop_assert_eq!(self.sum.to_f64().to_bits(), value.to_bits(), "{} {}", self.sum.to_f64(), value);
        let whole = self.number.to_i64().filter(|_| self.counters == Counters::default());
        prop_assert_eq!(self.sum.to_i64(), whole);
        let bytes = self.bytes();
        let mut from = bytes.as_slice();
        let read = ExactSum::read(&mut from);
        prop_assert!(from.is_empty());
        prop_assert_eq!(read.as_ref(), Some(&self.sum));
        Ok(())
    }
}

/// Mantissa and exponent by arithmetic, not by bits.
fn integer(value: f64) -> (u128, i32) {
    let (mut value, mut exponent) = (value.abs(), 0);
    if value >= 1.0 {
        while value >= 2_f64.powi(64) {
            (value, exponent) = (value / 2.0, exponent + 1);
        }
    }
    while value.fract() != 0.0 {
        (value, exponent) = (value * 2.0, exponent - 1);
    }
    (value as u128, exponent)
}

fn money() -> impl Strategy<Value = f64> {
    (-1e6..1e6_f64).prop_map(|value| (value * 100.0).round() / 100.0)
}

fn any_double() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => money(),
        2 => any::<f64>(),
        1 => -1e-9..1e-9_f64,
        1 => prop_oneof![Just(1e300), Just(-1e300), Just(1e-300), Just(f64::MAX), Just(f64::MIN), Just(0.0), Just(-0.0)],
        1 => any::<u64>().prop_map(|bits| f64::from_bits(bits & !(0x7ff << 52))),
        1 => any::<i64>().prop_map(|value| value as f64),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
    ]
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        4 => any_double().prop_map(Item::Double),
        2 => money().prop_map(Item::Double),
        2 => prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX), -1_000..1_000_i64].prop_map(Item::Whole),
        2 => any_double().prop_map(Item::SquareOf),
        1 => money().prop_map(Item::SquareOf),
        1 => prop_oneof![any::<i64>(), Just(i64::MIN)].prop_map(Item::SquareOfWhole),
    ]
}

/// Items of one kind more often than not, as in a column.
fn items() -> impl Strategy<Value = Vec<Item>> {
    prop_oneof![
        prop::collection::vec(item(), 0..12),
        prop::collection::vec(money().prop_map(Item::Double), 0..40),
        prop::collection::vec(money().prop_map(Item::SquareOf), 0..40),
        prop::collection::vec(any::<i64>().prop_map(Item::Whole), 0..40),
        prop::collection::vec((-300..300_i32).prop_map(|e| Item::Double(2_f64.powi(e) * 1.3)), 0..12),
    ]
}

#[test]
fn carries_into_the_sign_are_seen() -> Result<(), TestCaseError> {
    // The last bit of the first is at 2^-152, so 256 bits end at 2^103; 128 bits at -25.
    for (large, exponent) in [(101, -100), (-26, -100), (1_000, -1_000)] {
        for sign in [1.0, -1.0] {
            let mut both = Both::of(&[Item::Double(2_f64.powi(exponent))]);
            let item = Item::Double(sign * 1.5 * 2_f64.powi(large));
            for away in [false, true] {
                for _ in 0..8 {
                    both.change(item, away);
                    both.check()?;
                }
            }
            prop_assert_eq!(both.sum.to_f64(), 2_f64.powi(exponent));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn what_comes_and_goes(steps in prop::collection::vec((items(), 0..4_u8, any::<prop::sample::Index>()), 0..12)) {
        let mut both = Both::none();
        let mut there: Vec<Item> = Vec::new();
        let mut merged: Vec<Both> = Vec::new();
        for (items, way, which) in steps {
            match way {
                0 => items.into_iter().for_each(|item| {
                    both.change(item, false);
                    there.push(item);
                }),
                1 if !there.is_empty() => {
                    let gone = there.split_off(which.index(there.len()));
                    gone.into_iter().for_each(|item| both.change(item, true));
                }
                2 => {
                    let other = Both::of(&items);
                    other.check()?;
                    both.take_in(&other, false);
                    merged.push(other);
                }
                _ if !merged.is_empty() => {
                    let other = merged.swap_remove(which.index(merged.len()));
                    both.take_in(&other, true);
                }
                _ => {}
            }
            both.check()?;
        }
        there.into_iter().for_each(|item| both.change(item, true));
        merged.iter().for_each(|other| both.take_in(other, true));
        both.check()?;
        prop_assert_eq!(&both.sum, &ExactSum::default());
        prop_assert_eq!(both.bytes(), [0, 0]);
    }

    #[test]
    fn the_form_shows_in_neither_equality_nor_bytes(items in items(), others in items(), wide in items()) {
        let (plain, other) = (Both::of(&items), Both::of(&others));
        let mut roundabout = Both::of(&wide);
        items.iter().rev().for_each(|item| roundabout.change(*item, false));
        wide.iter().for_each(|item| roundabout.change(*item, true));
        prop_assert_eq!(&roundabout.sum, &plain.sum);
        prop_assert_eq!(roundabout.bytes(), plain.bytes());
        let same = (&plain.number, plain.counters) == (&other.number, other.counters);
        prop_assert_eq!(plain.sum == other.sum, same);
        prop_assert_eq!(plain.bytes() == other.bytes(), same);
        let mut cleared = roundabout.sum;
        cleared.clear();
        prop_assert_eq!(&cleared, &ExactSum::default());
        items.iter().for_each(|item| cleared.add(item.part()));
        prop_assert_eq!(&cleared, &plain.sum);
    }

    #[test]
    fn the_spread_is_rounded_once(
        values in prop_oneof![
            prop::collection::vec(money(), 1..30),
            prop::collection::vec(any_double().prop_filter("a number", |value| value.is_finite()), 1..12),
            prop::collection::vec((-560..-480_i32).prop_map(|e| 2_f64.powi(e) * 1.3), 1..12),
        ],
        gone in prop::collection::vec(any_double(), 0..3),
    ) {
        let n = values.len() as u64;
        let mut sum = Both::of(&values.iter().copied().map(Item::Double).collect::<Vec<_>>());
        let mut squares = Both::of(&values.iter().copied().map(Item::SquareOf).collect::<Vec<_>>());
        let expected = sum.number.spread(&squares.number, n);
        prop_assert_eq!(sum.sum.spread(&squares.sum, n).to_bits(), expected.to_bits());
        for away in [false, true] {
            gone.iter().for_each(|value| sum.change(Item::Double(*value), away));
            gone.iter().for_each(|value| squares.change(Item::SquareOf(*value), away));
        }
        prop_assert_eq!(sum.sum.spread(&squares.sum, n).to_bits(), expected.to_bits());
    }

    #[test]
    fn ties_go_to_the_even_double(
        high in 1_u64..1 << 54,
        below in prop_oneof![Just(0_i128), Just(1), Just(-1), any::<i64>().prop_map(i128::from)],
        up in 0..72_u32,
        exponent in prop_oneof![-2_148..1_100_i32, -1_210..-1_060_i32, 890..1_024_i32],
        negative: bool,
    ) {
        let mantissa = ((i128::from(high) << up) + (below & ((1 << up) - 1))) * if negative { -1 } else { 1 };
        let mut number = Reference::zero();
        number.add(negative, mantissa.unsigned_abs(), exponent);
        let expected = number.to_f64().to_bits();
        let compact = Compact { mantissa, exponent };
        prop_assert_eq!(rounding::of_compact(compact).to_bits(), expected);
        let middle = middle::Middle::of(compact);
        prop_assert_eq!(rounding::of_limbs(&middle.limbs, exponent).to_bits(), expected);
        prop_assert_eq!(rounding::of_limbs(&wide::Wide::of(&middle).limbs, wide::LSB).to_bits(), expected);
    }

    #[test]
    fn sums_grow_and_shrink_over_the_borders_of_the_forms(
        exponents in prop::collection::vec((-130..130_i32, 1.0..2.0_f64, any::<bool>()), 1..6),
        far in prop_oneof![Just(1e300), Just(-1e300), Just(1e-300)],
    ) {
        let item = |(exponent, value, negative): (i32, f64, bool)| {
            Item::Double(2_f64.powi(exponent) * if negative { -value } else { value })
        };
        let mut both = Both::of(&exponents.into_iter().map(item).collect::<Vec<_>>());
        let mut halves = Vec::new();
        for _ in 0..140 {
            let half = both.clone();
            both.take_in(&half, false);
            both.check()?;
            halves.push(half);
        }
        for half in halves.into_iter().rev() {
            both.change(Item::Double(far), false);
            both.take_in(&half, true);
            both.change(Item::Double(far), true);
            both.check()?;
        }
    }

    #[test]
    fn damaged_bytes_are_refused_or_are_another_sum(
        items in items(),
        hit in any::<prop::sample::Index>(),
        by in 1..=255_u8,
        cut in any::<prop::sample::Index>(),
    ) {
        let sum = Both::of(&items);
        let mut bytes = sum.bytes();
        prop_assert_eq!(ExactSum::read(&mut &bytes[..cut.index(bytes.len())]), None);
        let at = hit.index(bytes.len());
        bytes[at] ^= by;
        let mut rest = bytes.as_slice();
        if let Some(read) = ExactSum::read(&mut rest) {
            let taken = bytes.len() - rest.len();
            let mut again = Vec::new();
            read.write(&mut again);
            prop_assert_eq!(&again, &bytes[..taken]);
            prop_assert!(read != sum.sum);
        } else {
            prop_assert_eq!(rest.len(), bytes.len());
        }
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Some(mut sum) = ExactSum::read(&mut bytes.as_slice()) {
            let other = sum.clone();
            (0..3).for_each(|_| sum.merge(&other));
            sum.add(Part::of(f64::MAX).squared());
            sum.spread(&other, u64::MAX);
        }
    }
}
