//! Buckets: which of several ranges a number is in.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use arrow::error::ArrowError;

use super::{map, primitive};

/// `bucket(x, edges…)`: how many of the ascending edges are at or below `x`. NaN is above all of them.
pub(in super::super) fn bucket(edges: &[f64], args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    map::<Float64Type, Int32Type>(&args[0], |x| Ok(edges.partition_point(|edge| x.is_nan() || *edge <= x) as i32))
}

/// `width_bucket(x, min, max, count)` as in Spark: 1 to `count` inside, 0 and `count + 1` outside; null where the
/// question makes no sense.
pub(in super::super) fn width_bucket(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let double = |i: usize| primitive::<Float64Type>(&args[i]);
    let bounds = double(1)?.iter().zip(double(2)?);
    let output: Int64Array = double(0)?
        .iter()
        .zip(bounds)
        .zip(primitive::<Int64Type>(&args[3])?)
        .map(|((x, (min, max)), count)| equal_width(x?, min?, max?, count?))
        .collect();
    Ok(Arc::new(output))
}

fn equal_width(x: f64, min: f64, max: f64, count: i64) -> Option<i64> {
    if count <= 0 || count == i64::MAX || x.is_nan() || min == max || !min.is_finite() || !max.is_finite() {
        return None;
    }
    let ascending = min < max;
    let (below, above) = if ascending { (x < min, x >= max) } else { (x > min, x <= max) };
    let inside = if ascending { x - min } else { min - x };
    Some(match (below, above) {
        (true, _) => 0,
        (_, true) => count + 1,
        _ => ((count as f64 * inside / (max - min).abs()) as i64).wrapping_add(1),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{Array, AsArray, Float64Array};

    #[test]
    fn an_edge_belongs_to_the_bucket_above_it() {
        let x: ArrayRef = Arc::new(Float64Array::from(vec![
            Some(-1.0),
            Some(-0.0),
            Some(9.999),
            Some(10.0),
            Some(f64::INFINITY),
            Some(f64::NAN),
            None,
        ]));
        let output = bucket(&[0.0, 10.0], &[x]).unwrap();
        let found: Vec<_> = output.as_primitive::<Int32Type>().iter().collect();
        assert_eq!(found, [Some(0), Some(1), Some(1), Some(2), Some(2), Some(2), None]);
        assert_eq!(output.null_count(), 1);
    }

    #[test]
    fn equal_widths_up_and_down() {
        for (x, min, max, count, wanted) in [
            (5.3, 0.2, 10.6, 5, Some(3)),
            (-2.1, 1.3, 3.4, 3, Some(0)),
            (8.1, 0.0, 5.7, 4, Some(5)),
            (-0.9, 5.2, 0.5, 2, Some(3)),
            (5.0, 0.0, 10.0, 0, None),
            (5.0, 1.0, 1.0, 4, None),
            (f64::NAN, 0.0, 1.0, 4, None),
            (0.5, 0.0, f64::INFINITY, 4, None),
            (f64::INFINITY, 0.0, 1.0, 4, Some(5)),
        ] {
            assert_eq!(equal_width(x, min, max, count), wanted, "width_bucket({x}, {min}, {max}, {count})");
        }
    }
}
