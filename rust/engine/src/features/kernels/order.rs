//! Order among values as Spark sees it: NaN equals NaN and is greater than any number, -0.0 equals 0.0.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::kernels::{cmp, zip::zip};
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::error::ArrowError;
use std::sync::Arc;

use super::map;

/// Floats with one NaN and one zero, so that Arrow's total order gives Spark's answers. Other types as they are.
pub(in super::super) fn normalized(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let x = &args[0];
    match x.data_type() {
        // Adding 0.0 turns -0.0 into 0.0 and changes nothing else.
        DataType::Float32 => map::<Float32Type, Float32Type>(x, |x| Ok(if x.is_nan() { f32::NAN } else { x + 0.0 })),
        DataType::Float64 => map::<Float64Type, Float64Type>(x, |x| Ok(if x.is_nan() { f64::NAN } else { x + 0.0 })),
        _ => Ok(Arc::clone(x)),
    }
}

/// `greatest(…)` or `least(…)`: nulls are skipped, ties go to the first.
pub(in super::super) fn extreme(greatest: bool, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let mut best = Arc::clone(&args[0]);
    for next in &args[1..] {
        let (left, right) = (normalized(std::slice::from_ref(next))?, normalized(std::slice::from_ref(&best))?);
        let better = if greatest { cmp::gt(&left, &right)? } else { cmp::lt(&left, &right)? };
        let take: BooleanArray = (0..next.len())
            .map(|i| Some(next.is_valid(i) && (best.is_null(i) || (better.is_valid(i) && better.value(i)))))
            .collect();
        best = zip(&take, next, &best)?;
    }
    Ok(best)
}
