//! What each way gave, for a person or a program.

use std::{fmt::Write as _, time::Duration};

use indicatif::HumanCount;
use serde_json::{Value, json};

use super::tape::Different;
use crate::error::CliError;

/// A way and what came out of it.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) way: String,
    pub(super) rows: u64,
    pub(super) of_rows: [u8; 32],
    /// Of the windows' state behind the last row, if there are windows.
    pub(super) of_state: Option<[u8; 32]>,
    pub(super) took: Duration,
    /// Restarts after which the state was another one than before.
    pub(super) losses: Vec<StateLoss>,
    /// Rows that are not those of the reference.
    pub(super) different: Option<Different>,
}

/// A restart that did not bring the state back.
#[derive(Debug, Clone)]
pub(super) struct StateLoss {
    /// Its number, from 1.
    pub(super) number: usize,
    pub(super) saved_at: u64,
    pub(super) lost_at: u64,
}

/// Ways, each held against its reference.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// In the order of printing; `None` for a reference itself.
    lines: Vec<(Line, Option<bool>)>,
}

/// Hexadecimal digits of a digest that a table shows.
const SHOWN: usize = 16;

impl Report {
    /// Enters a way, and before it its reference if that was not entered yet.
    pub(super) fn compare(&mut self, reference: &Line, line: Line) {
        if !self.lines.iter().any(|(there, _)| there.way == reference.way) {
            self.lines.push((reference.clone(), None));
        }
        let is_same = line.rows == reference.rows
            && line.of_rows == reference.of_rows
            && line.of_state == reference.of_state
            && line.different.is_none()
            && line.losses.is_empty();
        self.lines.push((line, Some(is_same)));
    }

    /// To standard output.
    pub(super) fn print(&self, as_json: bool) {
        if as_json { println!("{:#}", self.json()) } else { print!("{}", self.table()) }
    }

    fn json(&self) -> Value {
        let ways = self.lines.iter().map(|(line, is_same)| {
            json!({
                "way": line.way,
                "rows": line.rows,
                "sha256": hex(&line.of_rows),
                "state_sha256": line.of_state.as_ref().map(|digest| hex(digest)),
                "seconds": line.took.as_secs_f64(),
                "same": is_same,
                "difference": (*is_same == Some(false)).then(|| explained(line)),
            })
        });
        let is_same = self.lines.iter().all(|(_, is_same)| *is_same != Some(false));
        json!({"same": is_same, "ways": ways.collect::<Vec<_>>()})
    }

    fn table(&self) -> String {
        let width = self.lines.iter().map(|(line, _)| line.way.len()).max().unwrap_or(3);
        let mut table = format!(
            "{:<width$}  {:>13}  {:<SHOWN$}  {:<SHOWN$}  {:>9}  same\n",
            "way", "rows", "SHA-256 of rows", "of the state", "seconds"
        );
        for (line, is_same) in &self.lines {
            let state = line.of_state.as_ref().map_or("-".to_owned(), |digest| short(digest));
            let verdict = is_same.map_or("-", |is_same| if is_same { "yes" } else { "NO" });
            let _ = writeln!(
                table,
                "{:<width$}  {:>13}  {}  {state:<SHOWN$}  {:>9.2}  {verdict}",
                line.way,
                count(line.rows),
                short(&line.of_rows),
                line.took.as_secs_f64()
            );
        }
        table
    }

    /// Fails if a way gave something else.
    pub(super) fn verdict(&self) -> Result<(), CliError> {
        let different: Vec<String> = self
            .lines
            .iter()
            .filter(|(_, is_same)| *is_same == Some(false))
            .map(|(line, _)| format!("{}: {}", line.way, explained(line)))
            .collect();
        if different.is_empty() { Ok(()) } else { Err(CliError::Different(different.join("\n"))) }
    }
}

/// What is different, for people.
fn explained(line: &Line) -> String {
    if let Some(different) = &line.different {
        return different.to_string();
    }
    if let Some(loss) = line.losses.first() {
        return format!(
            "{} restarts did not bring the state back; the first is number {}, saved before row {}, lost before row {}",
            line.losses.len(),
            loss.number,
            loss.saved_at,
            loss.lost_at
        );
    }
    "the rows are the same, but the state behind them is not".to_owned()
}

pub(super) fn count(rows: u64) -> String {
    HumanCount(rows).to_string()
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn short(digest: &[u8]) -> String {
    hex(&digest[..SHOWN / 2])
}
