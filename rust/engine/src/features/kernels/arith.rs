//! `+ - * / % div`, `pmod`, negation, `abs`: integers fail on overflow, any division by zero fails.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, PrimitiveArray};
use arrow::compute::try_binary;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow::error::ArrowError;

use super::{failed, map, primitive};

/// A binary operation on two columns of one numeric type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Op {
    Add,
    Subtract,
    Multiply,
    /// On `DOUBLE` only.
    Divide,
    /// The sign of the result is that of the dividend.
    Remainder,
    /// The result is not negative if the divisor is positive.
    Pmod,
    /// On `BIGINT` only.
    IntegerDivide,
}

impl Op {
    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Pmod => "pmod",
            Self::IntegerDivide => "div",
        }
    }

    fn apply<N: ArrowNativeTypeOp>(self, x: N, y: N) -> Result<N, ArrowError> {
        let divides = matches!(self, Self::Divide | Self::Remainder | Self::Pmod | Self::IntegerDivide);
        if divides && y.is_zero() {
            return failed(format!("division by zero in {}", self.name()));
        }
        let result = match self {
            Self::Add => x.add_checked(y),
            Self::Subtract => x.sub_checked(y),
            Self::Multiply => x.mul_checked(y),
            Self::Divide | Self::IntegerDivide => x.div_checked(y),
            Self::Remainder => Ok(x.mod_wrapping(y)),
            Self::Pmod => {
                let rest = x.mod_wrapping(y);
                // `is_lt` alone is a total order, which puts -0.0 below 0.0.
                let negative = rest.is_lt(N::ZERO) && !rest.is_zero();
                Ok(if negative { rest.add_wrapping(y).mod_wrapping(y) } else { rest })
            }
        };
        result.or_else(|_| failed(format!("overflow in {}", self.name())))
    }
}

fn run<T: ArrowPrimitiveType>(op: Op, lenient: bool, args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let (left, right) = (primitive::<T>(&args[0])?, primitive::<T>(&args[1])?);
    if lenient {
        let output: PrimitiveArray<T> = left.iter().zip(right.iter()).map(|(x, y)| op.apply(x?, y?).ok()).collect();
        return Ok(Arc::new(output));
    }
    let output: PrimitiveArray<T> = try_binary(left, right, |x, y| op.apply(x, y))?;
    Ok(Arc::new(output))
}

/// Run `op` on two columns of type `data_type`; `lenient` gives null where a row fails.
pub(in super::super) fn binary(
    op: Op,
    data_type: &DataType,
    lenient: bool,
    args: &[ArrayRef],
) -> Result<ArrayRef, ArrowError> {
    match data_type {
        DataType::Int8 => run::<Int8Type>(op, lenient, args),
        DataType::Int16 => run::<Int16Type>(op, lenient, args),
        DataType::Int32 => run::<Int32Type>(op, lenient, args),
        DataType::Int64 => run::<Int64Type>(op, lenient, args),
        DataType::Float32 => run::<Float32Type>(op, lenient, args),
        DataType::Float64 => run::<Float64Type>(op, lenient, args),
        other => Err(ArrowError::SchemaError(format!("{} on {other}", op.name()))),
    }
}

fn negated<N: ArrowNativeTypeOp>(x: N) -> Result<N, ArrowError> {
    x.neg_checked().or_else(|_| failed("overflow in negation"))
}

/// `-x`
pub(in super::super) fn negate(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let x = &args[0];
    match x.data_type() {
        DataType::Int8 => map::<Int8Type, Int8Type>(x, negated),
        DataType::Int16 => map::<Int16Type, Int16Type>(x, negated),
        DataType::Int32 => map::<Int32Type, Int32Type>(x, negated),
        DataType::Int64 => map::<Int64Type, Int64Type>(x, negated),
        DataType::Float32 => map::<Float32Type, Float32Type>(x, |x| Ok(-x)),
        DataType::Float64 => map::<Float64Type, Float64Type>(x, |x| Ok(-x)),
        other => Err(ArrowError::SchemaError(format!("negation on {other}"))),
    }
}

/// `abs(x)`; the least integer has no absolute value and fails.
pub(in super::super) fn abs(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    fn whole<N: ArrowNativeTypeOp>(x: N) -> Result<N, ArrowError> {
        if x.is_lt(N::ZERO) { x.neg_checked().or_else(|_| failed("overflow in abs")) } else { Ok(x) }
    }
    let x = &args[0];
    match x.data_type() {
        DataType::Int8 => map::<Int8Type, Int8Type>(x, whole),
        DataType::Int16 => map::<Int16Type, Int16Type>(x, whole),
        DataType::Int32 => map::<Int32Type, Int32Type>(x, whole),
        DataType::Int64 => map::<Int64Type, Int64Type>(x, whole),
        DataType::Float32 => map::<Float32Type, Float32Type>(x, |x| Ok(x.abs())),
        DataType::Float64 => map::<Float64Type, Float64Type>(x, |x| Ok(x.abs())),
        other => Err(ArrowError::SchemaError(format!("abs on {other}"))),
    }
}
