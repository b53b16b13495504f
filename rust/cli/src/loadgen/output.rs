//! Where generated records go: a file, a topic or both, as fast as possible, at a fixed rate or when each is due.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    pace::{Clock, Pacer},
    sink_file::FileSink,
    sink_kafka::KafkaSink,
};
use crate::error::CliError;

/// Text form of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// One object per record.
    Json,
    /// One line per record; a file starts with a header, a topic has none.
    Csv,
}

/// Compression of a topic's batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs)]
pub(crate) enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// Options of every generator that say where the events go.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OutputArgs {
    /// Write the events to this file; the ending says the format: .jsonl, .json, .ndjson or .csv
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Produce the events to this topic
    #[arg(long, value_name = "TOPIC", requires = "bootstrap")]
    pub(crate) topic: Option<String>,
    /// Kafka's bootstrap servers
    #[arg(long, value_name = "HOST:PORT,...", requires = "topic")]
    pub(crate) bootstrap: Option<String>,
    /// Format of the events; default: the file's ending, or json
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Partitions of the topic, which is created if missing; an existing topic must have as many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) partitions: Option<i32>,
    /// Copies of each partition of a topic created here
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) replication: i32,
    /// Compression of the produced batches
    #[arg(long, value_enum, default_value_t = Compression::Lz4)]
    pub(crate) compression: Compression,
    /// Who must have a record before it counts as written: 0, 1 or all
    #[arg(long, default_value = "all", value_parser = ["0", "1", "all"])]
    pub(crate) acks: String,
    /// How long the producer waits to fill a batch, in milliseconds; default: 20, or 1 with --rate
    #[arg(long, value_name = "MS")]
    pub(crate) linger_ms: Option<u32>,
    /// Any other producer setting of librdkafka; may be repeated
    #[arg(short = 'X', value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) producer: Vec<(String, String)>,
    /// Write this many events a second, evenly; default: as fast as possible
    #[arg(long, value_name = "EVENTS/S", value_parser = positive)]
    pub(crate) rate: Option<f64>,
    /// Add a field `sent_us`: microseconds since 1970 when the event was due (with --rate) or written.
    /// The record's Kafka timestamp is always the time of writing
    #[arg(long)]
    pub(crate) send_time: bool,
    /// Draw no progress bar
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("wanted KEY=VALUE".to_owned()),
    }
}

/// For options that must be above 0.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("wanted a number above 0".to_owned()),
    }
}

impl OutputArgs {
    /// The format to write, from `--format` or the file's ending. Fails when there is nowhere to write to.
    pub(crate) fn format(&self) -> Result<Format, CliError> {
        if self.out.is_none() && self.topic.is_none() {
            return Err(CliError::Usage("nowhere to write to: give --out FILE or --topic T --bootstrap B".to_owned()));
        }
        let by_ending = match &self.out {
            None => None,
            Some(path) => Some(format_of(path)?),
        };
        match (self.format, by_ending) {
            (Some(asked), Some(ending)) if asked != ending => {
                Err(CliError::Usage("--format and the ending of --out say different formats".to_owned()))
            }
            (asked, ending) => Ok(asked.or(ending).unwrap_or(Format::Json)),
        }
    }
}

fn format_of(path: &Path) -> Result<Format, CliError> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("jsonl" | "json" | "ndjson") => Ok(Format::Json),
        Some("csv") => Ok(Format::Csv),
        _ => {
            Err(CliError::Usage(format!("--out {}: the ending must be .jsonl, .json, .ndjson or .csv", path.display())))
        }
    }
}

/// One record on its way out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    /// Kafka key.
    pub(crate) key: Option<&'a [u8]>,
    /// Value; none is a tombstone, which only a topic can hold.
    pub(crate) value: Option<&'a [u8]>,
    /// Partition; by key, or at random, if none.
    pub(crate) partition: Option<i32>,
}

/// Takes records until [`Sink::finish`], which makes sure that all of them arrived.
pub(crate) trait Sink {
    /// Takes one record, waiting while there is no room.
    fn write(&mut self, record: Record<'_>) -> Result<(), CliError>;
    /// Waits until all records are safe; fails if any was lost.
    fn finish(&mut self) -> Result<(), CliError>;
}

/// All sinks of a run, its pace and its progress bar.
pub(crate) struct Output {
    sinks: Vec<Box<dyn Sink>>,
    pacer: Option<Pacer>,
    /// Started by the first event that is due at a time of its own.
    clock: Option<Clock>,
    send_time: bool,
    progress: ProgressBar,
    events: u64,
}

impl Output {
    /// Opens the file and connects to the broker. `csv_header` starts a CSV file. `expected` scales the bar.
    pub(crate) fn open(args: &OutputArgs, csv_header: &str, expected: u64) -> Result<Self, CliError> {
        let format = args.format()?;
        let mut sinks: Vec<Box<dyn Sink>> = Vec::new();
        if let Some(path) = &args.out {
            let header = if format == Format::Csv { Some(csv_header) } else { None };
            sinks.push(Box::new(FileSink::create(path, header)?));
        }
        if let (Some(topic), Some(bootstrap)) = (&args.topic, &args.bootstrap) {
            sinks.push(Box::new(KafkaSink::connect(topic, bootstrap, args)?));
        }
        let progress = if args.quiet { ProgressBar::hidden() } else { ProgressBar::new(expected) };
        let template = "{elapsed:>4} {wide_bar} {human_pos}/{human_len} events, {per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            progress.set_style(style);
        }
        let pacer = args.rate.map(Pacer::start);
        Ok(Self { sinks, pacer, clock: None, send_time: args.send_time, progress, events: 0 })
    }

    /// True when the records end in a file, which has no place for a record without a value.
    pub(crate) fn writes_file(args: &OutputArgs) -> bool {
        args.out.is_some()
    }

    /// Waits until the next event is due. Gives the time for its `sent_us` field if it shall have one.
    pub(crate) fn next_event(&mut self) -> Option<i64> {
        let due = match &mut self.pacer {
            Some(pacer) => Some(pacer.wait()),
            None if self.send_time => Some(super::pace::now_us()),
            None => None,
        };
        self.count(if self.pacer.is_some() { 256 } else { 4096 });
        due.filter(|_| self.send_time)
    }

    /// The same for an event that is due so long after the first one.
    pub(crate) fn next_event_at(&mut self, due: Duration) -> Option<i64> {
        let due = self.clock.get_or_insert_with(Clock::start).wait_until(due);
        self.count(256);
        Some(due).filter(|_| self.send_time)
    }

    /// Counts an event; moves the bar every so many.
    fn count(&mut self, step: u64) {
        self.events += 1;
        if self.events.is_multiple_of(step) {
            self.progress.set_position(self.events);
        }
    }

    /// Writes a record to every sink.
    pub(crate) fn write(&mut self, record: Record<'_>) -> Result<(), CliError> {
        for sink in &mut self.sinks {
            sink.write(record)?;
        }
        Ok(())
    }

    /// Waits until everything is written.
    pub(crate) fn finish(mut self) -> Result<(), CliError> {
        for sink in &mut self.sinks {
            sink.finish()?;
        }
        self.progress.set_position(self.events);
        self.progress.finish_and_clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_ending_says_the_format() {
        assert_eq!(format_of(Path::new("a/b.jsonl")).unwrap(), Format::Json);
        assert_eq!(format_of(Path::new("b.csv")).unwrap(), Format::Csv);
        let error = format_of(Path::new("b.parquet")).unwrap_err().to_string();
        assert!(error.contains("b.parquet") && error.contains(".csv"), "{error}");
    }

    #[test]
    fn settings_need_a_key() {
        assert_eq!(key_value("a.b=c=d"), Ok(("a.b".to_owned(), "c=d".to_owned())));
        assert!(key_value("=x").is_err() && key_value("x").is_err());
        assert!(positive("0").is_err() && positive("inf").is_err() && positive("2e4") == Ok(20_000.0));
    }
}
