//! `firesteel score`: a pipeline over a file of records, one per line, through the engine that runs inside Spark.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use arrow::{
    array::{AsArray, RecordBatch, StringArray},
    compute::{filter, filter_record_batch, is_not_null, is_null},
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
};
use arrow_json::{LineDelimitedWriter, WriterBuilder, writer::LineDelimited};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use firesteel_engine::{
    error::StageError,
    pipeline::{Compiled, REJECTED},
};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    error::CliError,
    pipeline::{PipelineArgs, call_of},
    records::{BATCH_ROWS, Log, Records},
};

/// Options of `score`.
#[derive(Debug, clap::Args)]
pub(crate) struct ScoreArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// File of records, one per line
    #[arg(long = "in", value_name = "FILE")]
    input: PathBuf,
    /// Each line is a record in base64, as binary formats need it; so are the raw bytes of rejected rows
    #[arg(long)]
    base64: bool,
    /// Write the accepted rows to this file, one JSON object per line
    #[arg(long, value_name = "FILE.jsonl")]
    out: PathBuf,
    /// Write the rejected rows, with place and reason, to this file, one JSON object per line
    #[arg(long, value_name = "FILE.jsonl")]
    rejected: Option<PathBuf>,
    /// Draw no progress bar
    #[arg(long, short)]
    quiet: bool,
}

/// Scores the whole file and prints the books: rows in, scored, rejected by code.
pub(crate) fn run(args: &ScoreArgs) -> Result<(), CliError> {
    let prepared = args.pipeline.prepare()?;
    let mut runner = Compiled::new(&call_of(&prepared)?)?.runner()?;

    let mut records = Records::open(Log { path: &args.input, is_base64: args.base64 })?;
    let progress = progress_bar(args)?;
    let mut accepted = JsonLines::create(&args.out)?;
    let mut rejected = args.rejected.as_deref().map(JsonLines::create).transpose()?;
    let (mut scored, mut reasons) = (0, BTreeMap::<String, u64>::new());
    let never = AtomicBool::new(false);
    while let Some(batch) = records.next_batch(BATCH_ROWS)? {
        let result = runner.process(&batch, &never)?;
        let (kept, refused) = split(&result).map_err(StageError::from)?;
        scored += kept.num_rows() as u64;
        accepted.write(&kept)?;
        count(&refused, &mut reasons);
        if let Some(file) = &mut rejected {
            file.write(&readable(&refused, args.base64).map_err(StageError::from)?)?;
        }
        progress.set_position(records.place().bytes);
    }
    accepted.finish()?;
    rejected.map(JsonLines::finish).transpose()?;
    progress.finish_and_clear();
    println!("{} rows in, {scored} scored, {} rejected", records.place().rows, reasons.values().sum::<u64>());
    for (code, rows) in reasons {
        println!("  {code:<18} {rows}");
    }
    Ok(())
}

fn progress_bar(args: &ScoreArgs) -> Result<ProgressBar, CliError> {
    if args.quiet {
        return Ok(ProgressBar::hidden());
    }
    let length = std::fs::metadata(&args.input).map_err(CliError::file(&args.input))?.len();
    let template = "{elapsed:>4} {wide_bar} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    Ok(ProgressBar::new(length).with_style(style))
}

/// Accepted rows without `_rejected`, and the fields of `_rejected` of the others.
fn split(result: &RecordBatch) -> Result<(RecordBatch, RecordBatch), ArrowError> {
    let position = result.schema().index_of(REJECTED)?;
    let reasons = result.column(position);
    let mut kept = filter_record_batch(result, &is_null(reasons)?)?;
    kept.remove_column(position);
    let refused = filter(reasons, &is_not_null(reasons)?)?;
    Ok((kept, RecordBatch::from(refused.as_struct().clone())))
}

fn count(refused: &RecordBatch, reasons: &mut BTreeMap<String, u64>) {
    let codes = refused.column_by_name("code").and_then(|column| column.as_string_opt::<i32>());
    for code in codes.into_iter().flatten().flatten() {
        *reasons.entry(code.to_owned()).or_default() += 1;
    }
}

/// The same rows with the raw bytes as text: in base64, or as they are, and what is not UTF-8 becomes a replacement
/// character.
fn readable(refused: &RecordBatch, is_base64: bool) -> Result<RecordBatch, ArrowError> {
    let position = refused.schema().index_of("raw")?;
    let raw = refused.column(position).as_binary::<i32>();
    let shown = |value| if is_base64 { STANDARD.encode(value).into() } else { String::from_utf8_lossy(value) };
    let text: StringArray = raw.iter().map(|value| value.map(shown)).collect();
    let mut fields = refused.schema().fields().to_vec();
    fields[position] = Arc::new(Field::new("raw", DataType::Utf8, true));
    let mut columns = refused.columns().to_vec();
    columns[position] = Arc::new(text);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// A file of JSON objects, nulls written out.
struct JsonLines {
    path: PathBuf,
    writer: arrow_json::Writer<BufWriter<File>, LineDelimited>,
}

impl JsonLines {
    fn create(path: &Path) -> Result<Self, CliError> {
        let file = BufWriter::with_capacity(1 << 20, File::create(path).map_err(CliError::file(path))?);
        let writer: LineDelimitedWriter<_> = WriterBuilder::new().with_explicit_nulls(true).build(file);
        Ok(Self { path: path.to_owned(), writer })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), CliError> {
        self.writer.write(batch).map_err(|error| self.failed(error))
    }

    fn finish(mut self) -> Result<(), CliError> {
        self.writer.finish().map_err(|error| self.failed(error))?;
        self.writer.into_inner().flush().map_err(CliError::file(&self.path))
    }

    fn failed(&self, error: ArrowError) -> CliError {
        match error {
            ArrowError::IoError(_, source) => CliError::file(&self.path)(source),
            other => StageError::from(other).into(),
        }
    }
}
