//! From a row's sums to what the model gives: base values, post transform, winning class.
//!
//! Every step as ONNX Runtime 1.29 does it (`tree_ensemble_aggregator.h` and `ml_common.h` of its CPU provider), in
//! 32-bit floats and in the same order, because scores must have its bits. What is rare and odd there is left to it.

use super::attributes::Attributes;
use super::forest::Forest;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transform {
    None,
    Logistic,
    Softmax,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// Each sum is a target. An average divides by the number of trees.
    Regressor { divisor: Option<f32> },
    /// Two classes share one sum. Whether it is a probability (no value is negative) or a margin.
    Binary { probability: bool },
    /// Each sum is a class.
    Classes,
}

/// The last step of an ensemble.
#[derive(Debug)]
pub(super) struct Finish {
    kind: Kind,
    /// Added to the sums; empty for none.
    base: Vec<f32>,
    transform: Transform,
}

impl Finish {
    /// `None` for a combination that is left to ONNX Runtime.
    pub(super) fn regressor(attributes: &Attributes, forest: &Forest) -> Option<Self> {
        let base = base(attributes)?;
        let divisor = match attributes.text_or("aggregate_function", "SUM") {
            "SUM" => None,
            "AVERAGE" => Some(forest.trees.len() as f32),
            _ => return None,
        };
        let plain = attributes.text_or("post_transform", "NONE") == "NONE";
        let fits = base.is_empty() || base.len() == forest.sums;
        // A lone target reads only the first value of a leaf.
        let simple = forest.sums > 1 || forest.one_value_per_leaf();
        (plain && fits && simple).then_some(Self {
            kind: Kind::Regressor { divisor },
            base,
            transform: Transform::None,
        })
    }

    /// `None` for a combination that is left to ONNX Runtime. `forest` has one sum for two classes or a sum per class.
    pub(super) fn classifier(attributes: &Attributes, forest: &Forest) -> Option<Self> {
        let base = base(attributes)?;
        let transform = match attributes.text_or("post_transform", "NONE") {
            "NONE" => Transform::None,
            "LOGISTIC" => Transform::Logistic,
            "SOFTMAX" => Transform::Softmax,
            _ => return None,
        };
        // It treats a class without any value in its own ways.
        if !forest.always.iter().all(|&always| always) {
            return None;
        }
        let (kind, bases) = match forest.sums {
            1 => (Kind::Binary { probability: forest.no_negative_value }, 1),
            2 => (Kind::Classes, 0),
            classes => (Kind::Classes, classes),
        };
        (base.is_empty() || base.len() == bases).then_some(Self { kind, base, transform })
    }

    /// Scores per row.
    pub(super) fn width(&self, sums: usize) -> usize {
        match self.kind {
            Kind::Binary { .. } => 2,
            _ => sums,
        }
    }

    /// Turns the sums of rows (`per_row` each) into scores, row after row, and the position of each row's class.
    pub(super) fn apply(&self, sums: &[f32], per_row: usize, scores: &mut Vec<f32>, winners: &mut Vec<usize>) {
        scores.clear();
        winners.clear();
        match self.kind {
            Kind::Regressor { divisor } => {
                scores.extend_from_slice(sums);
                if let Some(divisor) = divisor {
                    scores.iter_mut().for_each(|score| *score /= divisor);
                }
                match per_row {
                    // Zero is added too: it makes a negative zero positive.
                    1 => scores.iter_mut().for_each(|score| *score += self.base.first().copied().unwrap_or(0.0)),
                    _ => self.add_base(scores, per_row),
                }
            }
            Kind::Binary { probability } => {
                scores.reserve(2 * sums.len());
                winners.reserve(sums.len());
                for &sum in sums {
                    let sum = self.base.first().map_or(sum, |base| sum + base);
                    let positive = if probability { sum > 0.5 } else { sum > 0.0 };
                    scores.extend(match (self.transform, probability) {
                        (Transform::Logistic, _) => [logistic(-sum), logistic(sum)],
                        (_, true) => [1.0 - sum, sum],
                        (_, false) => [-sum, sum],
                    });
                    winners.push(usize::from(positive));
                }
            }
            Kind::Classes => {
                scores.extend_from_slice(sums);
                self.add_base(scores, per_row);
                for row in scores.chunks_mut(per_row) {
                    winners.push(if per_row == 2 { usize::from(row[1] > 0.0) } else { largest(row) });
                    match self.transform {
                        Transform::None => {}
                        Transform::Logistic => row.iter_mut().for_each(|score| *score = logistic(*score)),
                        Transform::Softmax => softmax(row),
                    }
                }
            }
        }
    }

    fn add_base(&self, scores: &mut [f32], per_row: usize) {
        if self.base.is_empty() {
            return;
        }
        for row in scores.chunks_mut(per_row) {
            row.iter_mut().zip(&self.base).for_each(|(score, base)| *score += base);
        }
    }
}

fn base(attributes: &Attributes) -> Option<Vec<f32>> {
    (!attributes.has("base_values_as_tensor")).then(|| attributes.floats("base_values").to_vec())
}

/// Position of the largest value, the first of equals.
fn largest(row: &[f32]) -> usize {
    row.iter().enumerate().fold(0, |best, (at, value)| if *value > row[best] { at } else { best })
}

/// The logistic function, from the side where the exponential is small.
fn logistic(value: f32) -> f32 {
    let upper = 1.0 / (1.0 + (-value.abs()).exp());
    if value < 0.0 { 1.0 - upper } else { upper }
}

fn softmax(row: &mut [f32]) {
    let largest = row.iter().fold(f32::MIN, |largest, &value| if value > largest { value } else { largest });
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = (*value - largest).exp();
        sum += *value;
    }
    row.iter_mut().for_each(|value| *value /= sum);
}
