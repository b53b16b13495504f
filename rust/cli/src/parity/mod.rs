//! `firesteel parity`: one log by every way through the engine, and whether each gives the same bytes.
//!
//! ```text
//! log ──► one pass ──► tape of the rows' bytes, digest of the state
//!     ──► micro-batches of 1, 7, …  ──► each row against the tape, the state against the digest
//!     ──► restarts: snapshot, loss, restored from bytes, log from there on ──► the same
//! ```
//!
//! What is compared are bits: two NaNs of other bits, or 0 and −0, differ.

mod report;
mod restarts;
mod tape;
mod way;

use std::path::PathBuf;

use firesteel_engine::pipeline::{Call, Compiled};
use indicatif::{ProgressBar, ProgressStyle};

use self::{
    report::{Line, Report},
    restarts::Schedule,
    tape::{Check, Tape},
    way::Way,
};
use crate::{
    error::CliError,
    pipeline::{RuntimeArgs, call_of},
    records::{BATCH_ROWS, Log},
};

/// Options of `parity`.
#[derive(Debug, clap::Args)]
pub(crate) struct ParityArgs {
    /// The log: a file of records, one per line, as `score --in` takes it
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// The pipeline file
    #[arg(long, value_name = "PIPELINE.yaml")]
    pipeline: PathBuf,
    /// Each line is a record in base64, as binary formats need it
    #[arg(long)]
    base64: bool,
    /// Sizes of micro-batches, in records
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [1, 7, 1000, 100_000],
        value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    splits: Vec<u64>,
    /// Most micro-batches of one size: a log that would need more is looked at as far as they reach
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1..))]
    batches: u64,
    /// How often the state is lost and made again from a snapshot and the log
    #[arg(long, value_name = "N", default_value_t = 20)]
    restarts: u32,
    /// Draws the places of the restarts, and the micro-batches between them
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the rows of the one pass to this file, rejected ones included, as an Arrow IPC stream
    #[arg(long, value_name = "FILE.arrow")]
    out: Option<PathBuf>,
    /// Write the state behind the last row to this file, as a snapshot that `state inspect` reads
    #[arg(long, value_name = "FILE.arrow")]
    state: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Draw no progress bar
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    runtime: RuntimeArgs,
}

/// Goes through the log by every way and prints what each gives; fails if two differ.
pub(crate) fn run(args: &ParityArgs) -> Result<(), CliError> {
    let call = call_of(&args.runtime.prepare(&args.pipeline)?)?;
    let mut splits = args.splits.clone();
    splits.sort_unstable();
    splits.dedup();
    let over = Over { args, call: &call, length: length(&args.log)? };

    let mut cuts: Vec<u64> = splits.iter().map(|split| split.saturating_mul(args.batches)).collect();
    cuts.sort_unstable();
    let (tape, whole, parts) = over.one_pass(&cuts)?;
    let mut report = Report::default();
    let rows = whole.rows;
    for split in splits {
        let limit = split.saturating_mul(args.batches);
        let reference = parts.iter().find(|part| part.rows == limit && limit < rows).unwrap_or(&whole);
        let part = if reference.rows < rows { format!(", {}", first(reference.rows)) } else { String::new() };
        let line = over.way(&format!("micro-batches of {split}{part}"), &tape, |way| {
            way.forward(reference.rows, || split as usize)
        })?;
        report.compare(reference, line);
    }
    if args.restarts > 0 {
        let schedule = Schedule::draw(args.seed, args.restarts, rows);
        let name = format!("{} restarts, seed {}", args.restarts, args.seed);
        let line = over.way(&name, &tape, |way| schedule.run(way, rows))?;
        report.compare(&whole, line);
    }
    report.print(args.json);
    report.verdict()
}

fn first(rows: u64) -> String {
    format!("first {} rows", report::count(rows))
}

fn length(log: &PathBuf) -> Result<u64, CliError> {
    Ok(std::fs::metadata(log).map_err(CliError::file(log))?.len())
}

/// What all ways go over.
struct Over<'a> {
    args: &'a ParityArgs,
    call: &'a Call,
    length: u64,
}

impl Over<'_> {
    fn log(&self) -> Log<'_> {
        Log { path: &self.args.log, is_base64: self.args.base64 }
    }

    /// The reference: the whole log, as `score` reads it; and what was there after each of the `cuts`.
    fn one_pass(&self, cuts: &[u64]) -> Result<(Tape, Line, Vec<Line>), CliError> {
        let progress = self.progress("one pass");
        let schema = Compiled::new(self.call)?;
        let mut tape = Tape::create(schema.output_schema(), self.args.out.as_deref())?;
        let mut way = Way::begin(self.call, self.log(), &mut tape, progress)?;
        let mut parts = Vec::new();
        for cut in cuts {
            way.forward(*cut, || BATCH_ROWS)?;
            if way.rows() == *cut {
                parts.push(way.line(format!("one pass, {}", first(*cut)))?);
            }
        }
        way.forward(u64::MAX, || BATCH_ROWS)?;
        let line = way.line("one pass".to_owned())?;
        if let Some(path) = &self.args.state {
            let none = || CliError::Usage("--state: the pipeline has no windows, and so no state".to_owned());
            std::fs::write(path, way.saved()?.ok_or_else(none)?).map_err(CliError::file(path))?;
        }
        drop(way);
        tape.finish()?;
        Ok((tape, line, parts))
    }

    /// One more way, held against the reference.
    fn way(
        &self,
        name: &str,
        tape: &Tape,
        go: impl FnOnce(&mut Way<'_, Check<'_>>) -> Result<(), CliError>,
    ) -> Result<Line, CliError> {
        let mut check = tape.check()?;
        let mut way = Way::begin(self.call, self.log(), &mut check, self.progress(name))?;
        go(&mut way)?;
        let mut line = way.line(name.to_owned())?;
        drop(way);
        line.different = check.different();
        Ok(line)
    }

    fn progress(&self, name: &str) -> ProgressBar {
        if self.args.quiet {
            return ProgressBar::hidden();
        }
        let template = "{msg:<40} {elapsed:>4} {wide_bar} {bytes}/{total_bytes}, {eta} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(self.length).with_style(style).with_message(name.to_owned())
    }
}
