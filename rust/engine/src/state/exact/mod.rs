//! Sums without rounding: what was added can be taken away again and leaves no trace.
//!
//! A double is an integer times a power of two, so a sum of doubles is one, too, if there are bits enough. Kept as an
//! integer in two's complement (after Kulisch's accumulator: U. Kulisch, "Computer Arithmetic and Validity", 2013,
//! chapter 8), addition is integer addition: associative, commutative, exactly undone by subtraction. So a
//! window's sum depends on what is in it and on nothing else: neither the order in which values came, nor those that
//! have left, nor where a stream was cut or restarted. The only rounding is that of the result, to the nearest double.
//!
//! There are a great many windows, and in each the values are alike. So a sum begins with 128 bits that move to where
//! its terms are ([`compact`]), and goes over to 256 ([`middle`]) and to all 4,288 that squares of doubles need
//! ([`wide`]) when a term asks for it. No bit is dropped on the way; which form a sum has shows in nothing but its speed
//! and its memory.

mod bytes;
mod compact;
mod form;
mod limbs;
mod middle;
#[cfg(test)]
mod proptests;
#[cfg(test)]
mod reference;
mod rounding;
mod spread;
mod term;
#[cfg(test)]
mod tests;
mod wide;

use self::form::Form;
pub(crate) use self::term::Part;

/// An exact sum of doubles, whole numbers, or products of two of either. Equal if value and counters are.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExactSum(Form);

const _: () = assert!(size_of::<ExactSum>() == 24, "there are millions of them");

/// How many values are no numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counters {
    nan: u32,
    plus_infinite: u32,
    minus_infinite: u32,
}

impl PartialEq for ExactSum {
    fn eq(&self, other: &Self) -> bool {
        let mut difference = self.clone();
        difference.unmerge(other);
        difference.0.is_zero() && difference.is_finite()
    }
}

impl Eq for ExactSum {}

impl ExactSum {
    /// Adds a value.
    #[inline]
    pub(crate) fn add(&mut self, part: Part) {
        match part {
            Part::Finite(term) => self.0.accumulate(term),
            other => self.count(other, 1),
        }
    }

    /// Takes away a value that was added before.
    #[inline]
    pub(crate) fn remove(&mut self, part: Part) {
        match part {
            Part::Finite(term) => self.0.accumulate(term.negated(true)),
            other => self.count(other, -1),
        }
        self.0.narrow();
    }

    /// Adds all that another sum has in it.
    #[inline]
    pub(crate) fn merge(&mut self, other: &Self) {
        self.0.take_in(&other.0, false);
    }

    /// Takes away all that another sum has in it; it was added before.
    #[inline]
    pub(crate) fn unmerge(&mut self, other: &Self) {
        self.0.take_in(&other.0, true);
        self.0.narrow();
    }

    /// Nothing was added, or all of it was taken away again.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The sum as the nearest double, ties to even; NaN and infinities as in IEEE arithmetic.
    #[inline]
    pub(crate) fn to_f64(&self) -> f64 {
        match &self.0 {
            Form::Compact { mantissa, exponent } => rounding::of_compact(form::joined(*mantissa, *exponent)),
            Form::Middle(middle) => middle.counters.or(|| rounding::of_limbs(&middle.limbs, middle.exponent)),
            Form::Wide(wide) => wide.counters.or(|| rounding::of_limbs(&wide.limbs, wide::LSB)),
        }
    }

    /// The sum as a whole number, if it is one of 64 bits.
    pub(crate) fn to_i64(&self) -> Option<i64> {
        self.is_finite().then(|| self.0.to_compact())?.and_then(compact::Compact::to_i64)
    }

    /// n Σx² − (Σx)², rounded once: `self` is Σx and `squares` Σx² of `n` values. Never negative; NaN if a value is no number.
    pub(crate) fn spread(&self, squares: &Self, n: u64) -> f64 {
        if self.is_finite() && squares.is_finite() { spread::of(&self.0, &squares.0, n) } else { f64::NAN }
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        match &self.0 {
            Form::Compact { .. } => 0,
            Form::Middle(middle) => size_of_val(&**middle),
            Form::Wide(wide) => size_of_val(&**wide),
        }
    }

    #[inline]
    fn is_finite(&self) -> bool {
        self.0.counters() == Counters::default()
    }

    #[cold]
    #[inline(never)]
    fn count(&mut self, part: Part, by: i32) {
        self.0.with_counters(|counters| {
            let count = match part {
                Part::Finite(_) => return,
                Part::Nan => &mut counters.nan,
                Part::PlusInfinite => &mut counters.plus_infinite,
                Part::MinusInfinite => &mut counters.minus_infinite,
            };
            *count = count.wrapping_add_signed(by);
        });
    }
}

impl Counters {
    /// What values that are no numbers make of a sum, or the sum of those that are.
    #[inline]
    fn or(self, sum: impl FnOnce() -> f64) -> f64 {
        match (self.nan, self.plus_infinite, self.minus_infinite) {
            (0, 0, 0) => sum(),
            (0, _, 0) => f64::INFINITY,
            (0, 0, _) => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }
}
