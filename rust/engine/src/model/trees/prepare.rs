//! What is done to a row's numbers before trees look at them: scaling, and answers to "is it one of these".
//!
//! A tree that asks for equality (LightGBM's categorical splits become chains of such questions) gets a column of its own
//! for each question: 0 for yes, 1 for no, and NaN stays NaN. So the trees know only "at most the threshold".

use super::rows::Rows;

/// ONNX's `Scaler`: `(x − offset) × scale`, in that order, feature by feature.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scaler {
    pub(super) offset: Vec<f32>,
    pub(super) scale: Vec<f32>,
}

impl Scaler {
    /// Offset and scale of a feature; one number may serve all.
    pub(super) fn of(&self, feature: usize) -> (f32, f32) {
        let at = |values: &[f32]| values.get(if values.len() == 1 { 0 } else { feature }).copied();
        (at(&self.offset).unwrap_or(0.0), at(&self.scale).unwrap_or(1.0))
    }
}

/// A question: whether a feature is equal to one of some numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Equality {
    pub(super) feature: usize,
    pub(super) values: Vec<f32>,
}

impl Equality {
    /// The answer, as a column that "at most [`Equality::YES`]" reads.
    fn answer(&self, value: f32) -> f32 {
        if value.is_nan() {
            value
        } else if self.values.contains(&value) {
            Self::YES
        } else {
            1.0
        }
    }

    /// The answer yes.
    pub(super) const YES: f32 = 0.0;
}

/// Makes the first `features` columns of the rows ready, and the answers in the columns behind them.
pub(super) fn prepare(rows: &mut Rows, features: usize, scaler: Option<&Scaler>, equalities: &[Equality]) {
    if scaler.is_none() && equalities.is_empty() {
        return;
    }
    let (slots, width) = rows.wide();
    for row in slots.chunks_exact_mut(width) {
        if let Some(scaler) = scaler {
            for (feature, value) in row[..features].iter_mut().enumerate() {
                let (offset, scale) = scaler.of(feature);
                *value = (*value - offset) * scale;
            }
        }
        for (at, equality) in equalities.iter().enumerate() {
            row[features + at] = equality.answer(row[equality.feature]);
        }
    }
    let mut columns: Vec<&mut [f32]> = rows.tall().collect();
    if columns.is_empty() {
        return;
    }
    let (numbers, answers) = columns.split_at_mut(features);
    if let Some(scaler) = scaler {
        for (feature, column) in numbers.iter_mut().enumerate() {
            let (offset, scale) = scaler.of(feature);
            column.iter_mut().for_each(|value| *value = (*value - offset) * scale);
        }
    }
    for (equality, answers) in equalities.iter().zip(answers) {
        for (answer, &value) in answers.iter_mut().zip(&*numbers[equality.feature]) {
            *answer = equality.answer(value);
        }
    }
}
