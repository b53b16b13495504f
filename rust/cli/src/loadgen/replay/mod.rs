//! `firesteel loadgen replay`: the rows of a file as events, in the order of their time.

mod input;
mod order;
mod text;

use std::{path::PathBuf, time::Duration};

use arrow::{array::RecordBatch, error::ArrowError};

use self::{
    input::Input,
    order::{TimeColumn, Unit},
};
use super::output::{Format, Output, OutputArgs, Record, positive};
use crate::error::CliError;

/// Options of `loadgen replay`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --speed and --rate the events go out as fast as possible. Times are written in UTC as \
    2018-05-01T00:00:31Z, decimals as numbers, bytes as Base64 (CSV: hexadecimal), nulls as null (CSV: nothing)."
)]
pub(crate) struct ReplayArgs {
    /// The rows: a .parquet file, or a .csv file with a header line
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The column that says when an event happened; without it the rows go out in file order
    #[arg(long, value_name = "COLUMN")]
    time_column: Option<String>,
    /// What a number in the time column counts, since 1970
    #[arg(long, value_enum, requires = "time_column")]
    time_unit: Option<Unit>,
    /// Go so many times faster than the events' own time: 1 as it happened, 60 an hour in a minute
    #[arg(long, value_name = "TIMES", value_parser = positive, requires = "time_column", conflicts_with = "rate")]
    speed: Option<f64>,
    /// The column whose value is the Kafka key; without it records have no key and take the partitions in turn
    #[arg(long, value_name = "COLUMN")]
    key_column: Option<String>,
    /// Stop after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Columns of a CSV file as Spark's DDL, all in order; default: what the values of all rows look like
    #[arg(long, value_name = "DDL")]
    schema: Option<String>,
    /// Memory for sorting a file that is not in the order of its time, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    sort_memory_mb: usize,
    #[command(flatten)]
    output: OutputArgs,
}

/// Writes the rows and prints one line about them.
pub(crate) fn run(args: &ReplayArgs) -> Result<(), CliError> {
    let format = args.output.format()?;
    let input = Input::open(&args.file, args.schema.as_deref())?;
    let schema = input.schema();
    text::check(schema, format)?;
    if args.output.send_time && schema.column_with_name(text::SEND_TIME).is_some() {
        return Err(CliError::Usage(format!("--send-time adds {}, which the file has already", text::SEND_TIME)));
    }
    let key = args.key_column.as_deref().map(|name| order::column(schema, "--key-column", name)).transpose()?;
    let time = args.time_column.as_deref().map(|name| TimeColumn::try_new(schema, name, args.time_unit)).transpose()?;

    let (batches, rows) = match &time {
        None => (input.batches(None)?, input.rows()),
        Some(time) => {
            let seen = time.look(&input)?;
            let batches = match seen.disorder {
                None => input.batches(None)?,
                Some(row) => time.sorted(&input, row, args.sort_memory_mb)?,
            };
            (batches, Some(seen.rows))
        }
    };
    let limit = args.limit.unwrap_or(u64::MAX);
    let mut sink = args.output.clone();
    if args.speed.is_some() {
        // As with --rate: an event shall not wait for others.
        sink.linger_ms = sink.linger_ms.or(Some(1));
    }
    let header = text::csv_header(schema, args.output.send_time);
    let output = Output::open(&sink, &header, rows.unwrap_or(0).min(limit))?;
    let mut replay = Replay { args, format, key, time, output, written: 0, first: None, last: 0 };
    for batch in batches {
        let left = limit - replay.written;
        if left == 0 {
            break;
        }
        let batch = batch.map_err(|error| input.broken(error))?;
        let rows = usize::try_from(left).unwrap_or(usize::MAX).min(batch.num_rows());
        replay.write(&batch.slice(0, rows), &input)?;
    }
    replay.finish()
}

/// A replay on its way.
struct Replay<'a> {
    args: &'a ReplayArgs,
    format: Format,
    key: Option<usize>,
    time: Option<TimeColumn>,
    output: Output,
    written: u64,
    /// Times of the first and the latest event, in the unit of their column.
    first: Option<i64>,
    last: i64,
}

impl Replay<'_> {
    fn write(&mut self, batch: &RecordBatch, input: &Input) -> Result<(), CliError> {
        let broken = |error: ArrowError| input.broken(error);
        let mut texts = text::rows(batch, self.format).map_err(broken)?;
        let keys = self.key.map(|column| text::keys(batch.column(column))).transpose().map_err(broken)?;
        let times = self.time.map(|time| time.values(batch, self.written)).transpose().map_err(broken)?;
        for (row, text) in texts.iter_mut().enumerate() {
            if let Some(sent_us) = self.wait(times.as_ref().map(|times| times.value(row))) {
                text::add_send_time(text, self.format, sent_us);
            }
            let key = keys.as_ref().and_then(|keys| keys[row].as_deref()).map(str::as_bytes);
            let partition = match (key, self.args.output.partitions) {
                (None, Some(partitions)) => Some((self.written % u64::from(partitions.unsigned_abs())) as i32),
                _ => None,
            };
            self.output.write(Record { key, value: Some(text.as_slice()), partition })?;
            self.written += 1;
        }
        Ok(())
    }

    /// Waits until the event of this time is due; gives the time for its `sent_us` field if it shall have one.
    fn wait(&mut self, time: Option<i64>) -> Option<i64> {
        let Some(time) = time else {
            return self.output.next_event();
        };
        let first = *self.first.get_or_insert(time);
        self.last = time;
        match (self.args.speed, self.time) {
            (Some(speed), Some(column)) => {
                let due = Duration::try_from_secs_f64(column.seconds(first, time) / speed);
                self.output.next_event_at(due.unwrap_or(Duration::MAX))
            }
            _ => self.output.next_event(),
        }
    }

    fn finish(self) -> Result<(), CliError> {
        self.output.finish()?;
        match (self.time, self.first) {
            (Some(column), Some(first)) => {
                println!("{} events of {:.3} seconds", self.written, column.seconds(first, self.last));
            }
            _ => println!("{} events", self.written),
        }
        Ok(())
    }
}
