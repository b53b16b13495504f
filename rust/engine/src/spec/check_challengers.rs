//! Challengers: whom they challenge, and on which rows.

use super::check::Columns;
use super::names;
use super::types::PipelineSpec;
use crate::error::SpecError;

/// Checks what makes model `position` a challenger, if it is one.
pub(super) fn one(spec: &PipelineSpec, position: usize, columns: &Columns, open: bool, faults: &mut Vec<SpecError>) {
    let Some(model) = spec.models.get(position) else { return };
    let path = format!("models[{position}]");
    match &model.challenges {
        Some(champion) => {
            let earlier = || spec.models[..position].iter().filter(|earlier| earlier.challenges.is_none());
            let fault = |message: String| SpecError::new("UNKNOWN_MODEL", format!("{path}.challenges"), message);
            match earlier().find(|earlier| earlier.name == *champion) {
                None => {
                    let advice = names::advice(champion, earlier().map(|earlier| earlier.name.as_str()));
                    faults.push(fault(format!("there is no earlier champion {champion}")).with_hint(advice));
                }
                Some(found) => {
                    for (named, position) in [(model, Some(position)), (found, None)] {
                        if named.outputs.is_empty() {
                            let message = format!(
                                "outputs of {} and of {} are compared one by one, and {} names none",
                                found.name, model.name, named.name
                            );
                            let at = position.map_or_else(|| format!("{path}.challenges"), |_| path.clone());
                            faults.push(
                                SpecError::new("MISSING_KEY", at, message)
                                    .with_hint("write outputs: {new_score: probabilities[1]}"),
                            );
                        }
                    }
                }
            }
        }
        None if model.sample.is_some() => {
            let message = format!("{} is no challenger, and every row needs its score", model.name);
            faults.push(
                SpecError::new("BAD_VALUE", format!("{path}.sample"), message)
                    .with_hint("leave it out, or write challenges: and the name of an earlier model"),
            );
        }
        None => {}
    }
    let Some(sample) = &model.sample else { return };
    if !(sample.share > 0.0 && sample.share <= 1.0) {
        let message = format!("{} is not more than 0 and at most 1", sample.share);
        faults
            .push(SpecError::new("BAD_VALUE", format!("{path}.sample.share"), message).with_hint("write 0.1 for 10 %"));
    }
    if sample.by.is_empty() {
        faults.push(SpecError::new("BAD_VALUE", format!("{path}.sample.by"), "no column is named"));
    }
    for name in sample.by.iter().filter(|name| !columns.has(name) && !open) {
        faults.push(columns.unknown(format!("{path}.sample.by"), name));
    }
}
