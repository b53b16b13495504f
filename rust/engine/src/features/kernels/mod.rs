//! The functions themselves, over whole Arrow columns, with Spark's answers.
//!
//! A kernel gets columns of the types its binder in [`super::functions`] chose and returns a column of the same
//! length. It fails with an [`ArrowError`] if any row fails; null in, null out unless its comment says otherwise.
//! Transcendental functions come from `libm`, a port of the same FreeBSD sources as Java's `StrictMath`: the same
//! bits on every platform.

pub(super) mod arith;
pub(super) mod bucket;
pub(super) mod calendar;
pub(super) mod cast;
pub(super) mod geo;
pub(super) mod hash;
pub(super) mod math;
pub(super) mod order;
pub(super) mod round;
pub(super) mod text;
pub(super) mod time;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, StringArray};
use arrow::error::ArrowError;

/// A row failed; the message holds no payload.
pub(super) fn failed<T>(message: impl Into<String>) -> Result<T, ArrowError> {
    Err(ArrowError::ComputeError(message.into()))
}

fn wrong_type(array: &ArrayRef) -> ArrowError {
    ArrowError::SchemaError(format!("a kernel was given a column of type {}", array.data_type()))
}

pub(super) fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> Result<&PrimitiveArray<T>, ArrowError> {
    array.as_primitive_opt::<T>().ok_or_else(|| wrong_type(array))
}

pub(super) fn text(array: &ArrayRef) -> Result<&StringArray, ArrowError> {
    array.as_string_opt::<i32>().ok_or_else(|| wrong_type(array))
}

pub(super) fn boolean(array: &ArrayRef) -> Result<&BooleanArray, ArrowError> {
    array.as_boolean_opt().ok_or_else(|| wrong_type(array))
}

/// Apply `f` to each value that is not null.
pub(super) fn map<I, O>(
    array: &ArrayRef,
    f: impl Fn(I::Native) -> Result<O::Native, ArrowError>,
) -> Result<ArrayRef, ArrowError>
where
    I: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    let output: PrimitiveArray<O> = primitive::<I>(array)?.try_unary(f)?;
    Ok(Arc::new(output))
}

/// Apply `f` to each value that is not null; `None` gives null.
pub(super) fn map_opt<I, O>(
    array: &ArrayRef,
    f: impl Fn(I::Native) -> Option<O::Native>,
) -> Result<ArrayRef, ArrowError>
where
    I: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    let output: PrimitiveArray<O> = primitive::<I>(array)?.iter().map(|value| value.and_then(&f)).collect();
    Ok(Arc::new(output))
}
