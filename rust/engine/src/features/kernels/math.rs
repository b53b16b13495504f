//! Functions of one or two doubles.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, PrimitiveArray};
use arrow::compute::{binary, try_binary};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use arrow::error::ArrowError;

use super::{failed, map, map_opt, primitive};

/// A function of a double by its name in SQL; `None` if there is no such function.
pub(in super::super) fn unary(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "sqrt" => f64::sqrt,
        "cbrt" => libm::cbrt,
        "exp" => libm::exp,
        "expm1" => libm::expm1,
        "sin" => libm::sin,
        "cos" => libm::cos,
        "tan" => libm::tan,
        "asin" => libm::asin,
        "acos" => libm::acos,
        "atan" => libm::atan,
        "sinh" => libm::sinh,
        "cosh" => libm::cosh,
        "tanh" => libm::tanh,
        "signum" => signum,
        "degrees" => degrees,
        "radians" => radians,
        "rint" => f64::round_ties_even,
        _ => return None,
    })
}

/// Logarithms give null at and below the edge of their domain, as Spark's do. NaN stays NaN.
pub(in super::super) fn logarithm(name: &str) -> Option<fn(f64) -> Option<f64>> {
    Some(match name {
        "ln" => |x| if x <= 0.0 { None } else { Some(libm::log(x)) },
        "log10" => |x| if x <= 0.0 { None } else { Some(libm::log10(x)) },
        "log2" => |x| if x <= 0.0 { None } else { Some(libm::log(x) / libm::log(2.0)) },
        "log1p" => |x| if x <= -1.0 { None } else { Some(libm::log1p(x)) },
        _ => return None,
    })
}

fn signum(x: f64) -> f64 {
    if x == 0.0 || x.is_nan() { x } else { 1.0_f64.copysign(x) }
}

fn degrees(x: f64) -> f64 {
    x * (180.0 / std::f64::consts::PI)
}

pub(super) fn radians(x: f64) -> f64 {
    x * (std::f64::consts::PI / 180.0)
}

pub(in super::super) fn run_unary(f: fn(f64) -> f64, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    map::<Float64Type, Float64Type>(&args[0], |x| Ok(f(x)))
}

pub(in super::super) fn run_logarithm(f: fn(f64) -> Option<f64>, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    map_opt::<Float64Type, Float64Type>(&args[0], f)
}

/// `log(base, x)`
pub(in super::super) fn log_base(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let (base, x) = (primitive::<Float64Type>(&args[0])?, primitive::<Float64Type>(&args[1])?);
    let output: Float64Array = base
        .iter()
        .zip(x.iter())
        .map(|(base, x)| match (base?, x?) {
            (base, x) if base <= 0.0 || x <= 0.0 => None,
            (base, x) => Some(libm::log(x) / libm::log(base)),
        })
        .collect();
    Ok(Arc::new(output))
}

fn doubles(args: &[ArrayRef], f: impl Fn(f64, f64) -> f64) -> Result<ArrayRef, ArrowError> {
    let output: PrimitiveArray<Float64Type> =
        binary(primitive::<Float64Type>(&args[0])?, primitive::<Float64Type>(&args[1])?, f)?;
    Ok(Arc::new(output))
}

/// `pow(x, y)` with Java's answers: a NaN exponent gives NaN, and so does 1 to the power of infinity.
pub(in super::super) fn pow(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    doubles(args, |x, y| if y.is_nan() || (x.abs() == 1.0 && y.is_infinite()) { f64::NAN } else { libm::pow(x, y) })
}

/// `atan2(y, x)`; a negative zero counts as zero.
pub(in super::super) fn atan2(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    doubles(args, |y, x| libm::atan2(y + 0.0, x + 0.0))
}

/// `hypot(x, y)`
pub(in super::super) fn hypot(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    doubles(args, libm::hypot)
}

/// `f(2π · x / period)` for a sine or cosine `f`. Whole turns are taken off first, which is exact, so that large `x` lose
/// nothing. A period that is not above zero fails.
pub(in super::super) fn cyclic(f: fn(f64) -> f64, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let (x, period) = (primitive::<Float64Type>(&args[0])?, primitive::<Float64Type>(&args[1])?);
    let output: PrimitiveArray<Float64Type> = try_binary(x, period, |x: f64, period: f64| {
        if period > 0.0 && period.is_finite() {
            Ok(f(std::f64::consts::TAU * (x % period / period)))
        } else {
            failed("a period that is not above 0")
        }
    })?;
    Ok(Arc::new(output))
}

/// `(x - center) / width`
pub(in super::super) fn scale(center: f64, width: f64, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    map::<Float64Type, Float64Type>(&args[0], |x| Ok((x - center) / width))
}

/// `ceil(x)` and `floor(x)` to BIGINT: NaN gives 0 and what is out of range the nearest BIGINT, as in Java.
pub(in super::super) fn to_whole(f: fn(f64) -> f64, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    map::<Float64Type, Int64Type>(&args[0], |x| Ok(f(x) as i64))
}

/// `isnan(x)`; null gives false.
pub(in super::super) fn isnan(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let x = &args[0];
    let output: BooleanArray = match x.data_type() {
        DataType::Float32 => primitive::<Float32Type>(x)?.iter().map(|x| Some(x.is_some_and(f32::is_nan))).collect(),
        _ => primitive::<Float64Type>(x)?.iter().map(|x| Some(x.is_some_and(f64::is_nan))).collect(),
    };
    debug_assert_eq!(output.len(), x.len());
    Ok(Arc::new(output))
}
