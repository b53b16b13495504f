//! Proves at load that the kernel gives ONNX Runtime's bits in each of its ways, on rows made to be hard for it.
//!
//! Values lie on a threshold, just below and just above one, far away, and in half of the rows also at infinity, zero of
//! either sign and NaN. A model that differs in one bit runs in ONNX Runtime, and the log says so: then this kernel or
//! the runtime has a fault. Rows come from a fixed seed, so that a model is always taken or never.

use ort::value::{DynValue, TensorRef};

use super::rows::{Forms, Rows};
use super::{Labels, Role, Scored, Trees, Way};
use crate::model::session::{SharedSession, Wanted};

/// Rows of each kind: plain numbers, and any.
const ROWS: usize = 256;
const SEED: u64 = 0x5eed_f0e5;

/// Whether kernel and session agree on every bit of every output that the kernel gives; else a sentence.
///
/// `input` is the model's input, `features` its width.
///
/// # Errors
/// ONNX Runtime's, where it can't run the rows.
pub(in crate::model) fn agrees(
    trees: &Trees,
    session: &SharedSession,
    input: &str,
    features: usize,
) -> Result<Result<(), String>, ort::Error> {
    let mut random = SplitMix(SEED);
    let thresholds = thresholds(trees, features);
    let (mut rows, mut scored) = (Rows::default(), Scored::default());
    let wanted = Wanted::new(trees.outputs.iter().map(|(name, _)| name.as_str()))?;
    for odd in [false, true] {
        let values: Vec<f32> =
            (0..ROWS * features).map(|i| value(&mut random, &thresholds[i % features], odd)).collect();
        let Some(used) = trees.room_for(&mut rows, ROWS, Forms { wide: true, tall: true }) else {
            return Ok(Err(format!("{features} features are more than the kernel takes")));
        };
        let (slots, stride) = rows.wide();
        for (slot, row) in slots.chunks_mut(stride).zip(values.chunks(features)) {
            slot[..used].copy_from_slice(&row[..used]);
        }
        for (feature, slots) in rows.tall().take(used).enumerate() {
            for (slot, row) in slots.iter_mut().zip(values.chunks(features)) {
                *slot = row[feature];
            }
        }
        trees.prepare(&mut rows);
        let tensor = TensorRef::from_array_view(([ROWS, features], &*values))?;
        let outputs = session.run(&[(input, tensor.into())], &wanted)?;
        for way in [Way::Few, Way::Walk, Way::Planes] {
            if way == Way::Planes && trees.planes.is_none() {
                continue;
            }
            trees.score_by(way, &rows, &mut scored);
            for (name, role) in &trees.outputs {
                let Some(theirs) = outputs.get(name) else { return Ok(Err(format!("there is no output {name}"))) };
                let differs = match role {
                    Role::Scores => scores_differ(theirs, &scored.scores)?,
                    Role::Labels => labels_differ(theirs, trees.labels(), &scored.winners)?,
                };
                if let Some(at) = differs {
                    return Ok(Err(format!("output {name} computed by {way:?} differs at value {at}")));
                }
            }
        }
    }
    Ok(Ok(()))
}

fn scores_differ(theirs: &DynValue, ours: &[f32]) -> Result<Option<usize>, ort::Error> {
    let theirs = theirs.try_extract_tensor::<f32>()?.1;
    Ok(if theirs.len() == ours.len() {
        theirs.iter().zip(ours).position(|(theirs, ours)| theirs.to_bits() != ours.to_bits())
    } else {
        Some(0)
    })
}

fn labels_differ(theirs: &DynValue, labels: Option<&Labels>, winners: &[usize]) -> Result<Option<usize>, ort::Error> {
    Ok(match labels {
        Some(Labels::Numbers(labels)) => {
            let theirs = theirs.try_extract_tensor::<i64>()?.1;
            first_difference(theirs, winners, |&winner| labels.get(winner))
        }
        Some(Labels::Texts(labels)) => {
            let (_, theirs) = theirs.try_extract_strings()?;
            first_difference(&theirs, winners, |&winner| labels.get(winner))
        }
        None => Some(0),
    })
}

fn first_difference<'l, T: PartialEq + 'l>(
    theirs: &[T],
    winners: &[usize],
    label: impl Fn(&usize) -> Option<&'l T>,
) -> Option<usize> {
    if theirs.len() != winners.len() {
        return Some(0);
    }
    theirs.iter().zip(winners).position(|(theirs, winner)| label(winner) != Some(theirs))
}

/// The thresholds of each feature, and the numbers that it is compared with for equality, as they are before scaling.
fn thresholds(trees: &Trees, features: usize) -> Vec<Vec<f32>> {
    let forest = &trees.forest;
    let asked = forest.nodes.iter().map(|node| (usize::from(node.feature), node.threshold));
    let equal =
        forest.equalities.iter().flat_map(|equality| equality.values.iter().map(|&value| (equality.feature, value)));
    let mut all = vec![Vec::new(); features];
    // Columns behind the features hold answers.
    for (feature, threshold) in asked.filter(|&(feature, _)| feature < forest.features).chain(equal) {
        let (offset, scale) = trees.scaler.as_ref().map_or((0.0, 1.0), |scaler| scaler.of(feature));
        let number = threshold / scale + offset;
        if let Some(of_feature) = all.get_mut(feature).filter(|_| number.is_finite()) {
            of_feature.push(number);
        }
    }
    all
}

fn value(random: &mut SplitMix, thresholds: &[f32], odd: bool) -> f32 {
    let any = random.next();
    let threshold = match thresholds.len() {
        0 => 0.0,
        count => thresholds[(any >> 32) as usize % count],
    };
    match any % if odd { 16 } else { 11 } {
        0..4 => threshold,
        4 => threshold.next_up(),
        5 => threshold.next_down(),
        6..9 => threshold + (random.next() % 2001) as f32 / 1000.0 - 1.0,
        9 => (random.next() % 2_000_001) as f32 - 1_000_000.0,
        10 => 0.0,
        11 => -0.0,
        12 => f32::INFINITY,
        13 => f32::NEG_INFINITY,
        _ => f32::NAN,
    }
}

/// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
