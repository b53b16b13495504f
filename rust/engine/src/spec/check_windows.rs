//! Window blocks: names, and numbers that go together. Types are checked where blocks are compiled.

use super::check::{Columns, new_column};
use super::names;
use super::types::PipelineSpec;
use super::windows::{Span, WindowSpec};
use crate::error::SpecError;

/// Most events of a `last N`.
const MOST_LAST: u32 = 1_000_000;

/// Checks the blocks and adds their columns.
pub(super) fn all(spec: &PipelineSpec, columns: &mut Columns, faults: &mut Vec<SpecError>) {
    if let Some(order) = &spec.order {
        if !columns.has(&order.by) {
            faults.push(columns.unknown("order.by".to_owned(), &order.by));
        }
        if spec.windows.is_empty() {
            let message = "there are no windows, and nothing else depends on the order of events";
            faults.push(SpecError::new("BAD_VALUE", "order", message).with_hint("leave it out"));
        }
    }
    for (i, window) in spec.windows.iter().enumerate() {
        let path = format!("windows[{i}]");
        block(window, &path, columns, faults);
    }
    for (i, window) in spec.windows.iter().enumerate() {
        for (name, sql) in &window.compute {
            let path = format!("windows[{i}].compute.{name}");
            for column in window.columns_of(name, sql) {
                new_column(&path, &column, "window column", columns, faults);
            }
            if sql.trim().is_empty() {
                faults.push(SpecError::new("BAD_EXPRESSION", path, "the aggregate is empty"));
            }
        }
    }
}

fn block(window: &WindowSpec, path: &str, columns: &Columns, faults: &mut Vec<SpecError>) {
    if window.key.is_empty() {
        faults.push(SpecError::new("BAD_VALUE", format!("{path}.key"), "no column is named"));
    }
    if window.compute.is_empty() {
        faults.push(SpecError::new("BAD_VALUE", format!("{path}.compute"), "no aggregate is named"));
    }
    let named = window.key.iter().map(|name| ("key", name));
    let named = named.chain([("time", &window.time)]).chain(window.order.iter().map(|name| ("order", name)));
    for (key, name) in named.filter(|(_, name)| !columns.has(name)) {
        faults.push(columns.unknown(format!("{path}.{key}"), name));
    }
    for name in window.default.keys().filter(|name| !window.compute.contains_key(*name)) {
        let message = format!("there is no aggregate {name} in this block");
        let hint = names::advice(name, window.compute.keys().map(String::as_str));
        faults.push(SpecError::new("UNKNOWN_KEY", format!("{path}.default.{name}"), message).with_hint(hint));
    }
    if window.bound.as_ref().is_some_and(|bound| bound.step.is_zero()) {
        faults.push(SpecError::new("BAD_VALUE", format!("{path}.bound.step"), "a step can't be 0 long"));
    }
    for (j, span) in window.over.iter().enumerate() {
        if let Span::Last(events) = span
            && *events > MOST_LAST
        {
            let message = format!("{span} is more than {MOST_LAST} events");
            faults.push(SpecError::new("BAD_VALUE", format!("{path}.over[{j}]"), message));
        }
    }
}
