//! Snapshots and keys for people.

use std::fmt::Write as _;

use firesteel_engine::state::Layout;
use indicatif::{BinaryBytes, HumanCount};

use super::{
    files::SnapshotFile,
    summary::{BlockSummary, Found},
    value,
};

/// What a snapshot holds.
pub(super) fn snapshot(file: &SnapshotFile, blocks: &[BlockSummary]) -> String {
    let mut text = heading(file);
    for (number, block) in blocks.iter().enumerate() {
        let layout = &block.layout;
        let _ = writeln!(text, "  windows[{number}] by {}, time {}", key_columns(layout), layout.time);
        let values: Vec<String> = layout.columns.iter().map(|(sql, kind)| format!("{sql} ({kind})")).collect();
        let means: Vec<String> = layout.decays.iter().map(mean_name).collect();
        for (name, list) in [("values", values), ("filters", layout.filters.clone()), ("means", means)] {
            if !list.is_empty() {
                let _ = writeln!(text, "    {name:<8} {}", list.join(", "));
            }
        }
        let clock = block.clock.map_or("not known yet".to_owned(), value::time);
        let _ = writeln!(text, "    {:<8} {clock}, {} events seen", "clock", HumanCount(block.seen));
        let (keys, bytes) = (HumanCount(block.keys() as u64), BinaryBytes(block.bytes));
        let _ = writeln!(text, "    {:<8} {keys}, {bytes}", "keys");
        if let Some(spread) = block.spread() {
            let _ = writeln!(
                text,
                "    {:<8} {}; per key {} at least, {} in the median, {} at most",
                "events",
                HumanCount(block.kept()),
                HumanCount(u64::from(spread.least)),
                HumanCount(u64::from(spread.median)),
                HumanCount(u64::from(spread.most)),
            );
        }
    }
    text
}

/// A key, and its newest events.
pub(super) fn key(file: &SnapshotFile, found: &Found, layout: &Layout, most: usize) -> String {
    let mut text = heading(file);
    let parts = layout.key.iter().zip(&found.key);
    let parts: Vec<String> =
        parts.map(|((name, data_type), part)| format!("{name}={}", value::key_text(part, data_type))).collect();
    let history = &found.history;
    let _ = writeln!(text, "  windows[{}]: {}", found.block, parts.join(", "));
    let _ = writeln!(text, "    newest event {}", value::time(history.newest));
    let _ = writeln!(text, "    last seen    when the clock of all keys was at {}", value::time(history.seen_at));
    for (decay, (mean, weight)) in layout.decays.iter().zip(&history.means) {
        let shown = if *weight > 0.0 { format!("{mean:?} (weight {weight:?})") } else { "null".to_owned() };
        let _ = writeln!(text, "    mean of {}: {shown}", mean_name(decay));
    }
    if let (Some(first), Some(last)) = (history.steps.first(), history.steps.last()) {
        let events: u64 = history.steps.iter().map(|step| step.events).sum();
        let (steps, from, to) = (history.steps.len(), value::time(first.oldest), value::time(last.newest));
        let _ = writeln!(text, "    {} older events summed up in {steps} steps, {from} to {to}", HumanCount(events));
    }
    let count = history.events.len();
    let first = count.saturating_sub(most);
    let older = if first > 0 { format!(", the newest {} of them", count - first) } else { String::new() };
    let _ = writeln!(text, "    {} events, {}{older}", HumanCount(count as u64), BinaryBytes(found.bytes as u64));
    let columns = layout.columns.iter().map(|(sql, _)| sql.clone());
    let mut table = vec![vec!["time".to_owned()]];
    table[0].extend(columns.chain(layout.filters.iter().cloned()));
    for event in &history.events[first..] {
        let mut row = vec![value::time(event.time)];
        row.extend(event.values.iter().map(|found| value::text(found.as_ref())));
        row.extend(event.filters.iter().map(|holds| if *holds { "yes" } else { "no" }.to_owned()));
        table.push(row);
    }
    rows(&table, &mut text);
    text
}

fn heading(file: &SnapshotFile) -> String {
    let partition = file.partition.as_ref().map(|partition| format!("{partition}, ")).unwrap_or_default();
    let offset = file.offset.map(|offset| format!("records before offset {}, ", HumanCount(offset)));
    format!("{partition}{}{}\n", offset.unwrap_or_default(), file.path.display())
}

fn key_columns(layout: &Layout) -> String {
    let columns = layout.key.iter().map(|(name, data_type)| format!("{name} {}", value::type_name(data_type)));
    columns.collect::<Vec<_>>().join(", ")
}

fn mean_name((sql, filter, half_life): &(String, Option<String>, i64)) -> String {
    let filter = filter.as_ref().map(|filter| format!(" where {filter}")).unwrap_or_default();
    format!("{sql}{filter}, half-life {} s", value::seconds(*half_life))
}

/// Columns as wide as their widest value.
fn rows(table: &[Vec<String>], text: &mut String) {
    let columns = table.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| table.iter().filter_map(|row| row.get(column)).map(|v| v.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    for row in table {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(value, width)| format!("{value:<width$}")).collect();
        let _ = writeln!(text, "      {}", cells.join("  ").trim_end());
    }
}
