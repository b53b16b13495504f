//! What a sum promises.

use proptest::prelude::*;

use super::*;

fn sum(values: &[f64]) -> ExactSum {
    let mut sum = ExactSum::default();
    values.iter().for_each(|value| sum.add(Part::of(*value)));
    sum
}

#[test]
fn nothing_is_lost_beside_something_large() {
    assert_eq!(sum(&[1e16, 1.0, -1e16]).to_f64(), 1.0);
    assert_eq!(sum(&[1e300, 1e-300, -1e300]).to_f64(), 1e-300);
    assert_eq!(sum(&[0.1; 10]).to_f64(), 1.0);
    assert_eq!(sum(&[]).to_f64().to_bits(), 0);
    assert_eq!(sum(&[-0.0]).to_f64().to_bits(), 0);
}

#[test]
fn values_that_are_no_numbers_leave_again() {
    let mut sum = sum(&[1.0, f64::NAN, f64::INFINITY]);
    assert!(sum.to_f64().is_nan());
    sum.remove(Part::of(f64::NAN));
    assert_eq!(sum.to_f64(), f64::INFINITY);
    sum.add(Part::of(f64::NEG_INFINITY));
    assert!(sum.to_f64().is_nan());
    sum.remove(Part::of(f64::INFINITY));
    sum.remove(Part::of(f64::NEG_INFINITY));
    assert_eq!(sum.to_f64(), 1.0);
}

#[test]
fn whole_numbers_are_told_from_others() {
    let mut sum = ExactSum::default();
    sum.add(Part::of_int(i64::MAX));
    assert_eq!(sum.to_i64(), Some(i64::MAX));
    sum.add(Part::of_int(1));
    assert_eq!(sum.to_i64(), None);
    sum.add(Part::of_int(i64::MIN));
    assert_eq!(sum.to_i64(), Some(0));
    sum.add(Part::of_int(i64::MIN));
    assert_eq!(sum.to_i64(), Some(i64::MIN));
    sum.add(Part::of(0.5));
    assert_eq!(sum.to_i64(), None);
}

fn spread(values: &[f64]) -> f64 {
    let mut squares = ExactSum::default();
    values.iter().for_each(|value| squares.add(Part::of(*value).squared()));
    sum(values).spread(&squares, values.len() as u64)
}

#[test]
fn equal_values_have_no_spread() {
    for value in [0.1, 1.3, -7.7, 1e300, 1e-300, 0.0] {
        assert_eq!(spread(&[value; 7]).to_bits(), 0, "{value}");
    }
    assert_eq!(spread(&[1e9, 1e9 + 1.0]), 1.0);
    assert_eq!(spread(&[-1e9, -1e9 - 1.0]), 1.0);
    assert_eq!(spread(&[1.0, 3.0]), 4.0);
    assert_eq!(spread(&[1e200, -1e200]), f64::INFINITY);
    assert!(spread(&[1.0, f64::INFINITY]).is_nan());
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => (-1e6..1e6_f64).prop_map(|v| (v * 100.0).round() / 100.0),
        1 => any::<f64>().prop_filter("finite", |v| v.is_finite()),
        1 => -1e-9..1e-9_f64,
    ]
}

proptest! {
    #[test]
    fn order_and_departed_values_leave_no_trace(
        values in prop::collection::vec(any_value(), 0..40),
        gone in prop::collection::vec(any_value(), 0..40),
    ) {
        let mut there = sum(&gone);
        values.iter().rev().for_each(|value| there.add(Part::of(*value)));
        gone.iter().for_each(|value| there.remove(Part::of(*value)));
        prop_assert_eq!(there.to_f64().to_bits(), sum(&values).to_f64().to_bits());
    }

    #[test]
    fn a_lone_value_comes_back(value in any::<f64>()) {
        let back = sum(&[value]).to_f64();
        prop_assert!(back == value || (back.is_nan() && value.is_nan()));
    }

    #[test]
    fn the_sum_is_rounded_to_nearest(a in -1e9..1e9_f64, b in -1e9..1e9_f64) {
        prop_assert_eq!(sum(&[a, b]).to_f64(), a + b);
    }

    #[test]
    fn the_spread_is_that_of_whole_numbers(values in prop::collection::vec(-30_000..30_000_i64, 1..30)) {
        let (n, sum, squares) = values.iter().fold((0, 0, 0), |(n, s, q), v| (n + 1, s + v, q + v * v));
        let scaled: Vec<f64> = values.iter().map(|v| *v as f64 / 1024.0).collect();
        prop_assert_eq!(spread(&scaled), (n * squares - sum * sum) as f64 / 1024.0 / 1024.0);
    }
}
