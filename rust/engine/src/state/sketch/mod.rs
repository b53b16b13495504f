//! What is known of values that are not kept one by one. Every sketch is a function of the values and their order alone.

mod frequent;
mod histogram;
mod smallest;

pub(crate) use self::frequent::Frequent;
pub(crate) use self::histogram::Histogram;
pub(crate) use self::smallest::{Smallest, hash};
