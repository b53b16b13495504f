//! The benchmark's work in bare Rust, without Spark: what the engine could reach on this machine.
//!
//! Some threads share a topic's partitions; each reads, with Firesteel's own client or with librdkafka, and puts its
//! batches through a pipeline's runner, the very code that runs inside Spark's tasks. The first case only reads. Prints
//! one JSON object with rows per second for every case and repetition; `benches/suites/ceiling.py` calls it.

mod librdkafka;
mod ours;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use clap::{Parser, ValueEnum};
use firesteel_engine::model::{registry, runtime};
use firesteel_engine::pipeline::{Call, Compiled, InputMode, RunnerLease, prepare_pipeline};
use firesteel_engine::spec::PipelineSpec;
use serde_json::json;

/// Longest wait for one record before the run is given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Anything that ends the program; `main` prints it.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What came out of reading a share.
pub(crate) struct Read {
    /// Records read.
    pub(crate) rows: u64,
    /// From the first records' arrival to the end of the last batch's work: connecting does not count.
    pub(crate) took: Duration,
}

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Client {
    Firesteel,
    Librdkafka,
}

impl Client {
    fn who(self) -> &'static str {
        match self {
            Self::Firesteel => "bare Rust",
            Self::Librdkafka => "bare Rust, librdkafka",
        }
    }
}

/// Reads a topic once per case and repetition and says how fast that went.
#[derive(Debug, Parser)]
struct Arguments {
    /// Kafka's bootstrap servers
    #[arg(long)]
    bootstrap: String,
    /// The topic to read from start to end
    #[arg(long)]
    topic: String,
    /// Who reads
    #[arg(long, value_enum, default_value = "firesteel")]
    client: Client,
    /// Threads, each with its share of the partitions
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Timed repetitions of each case, after one untimed read of the topic
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Rows per batch, as in Spark
    #[arg(long, default_value_t = 10_000)]
    batch_rows: usize,
    /// Absolute path of ONNX Runtime's library
    #[arg(long)]
    onnxruntime: PathBuf,
    /// Pipeline files; a case is named after its file
    pipelines: Vec<PathBuf>,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    runtime::init(&arguments.onnxruntime)?;
    run(&arguments, None)?;
    let mut figures = vec![figure(&arguments, "read", None)?];
    for file in &arguments.pipelines {
        let case = file.file_stem().and_then(|stem| stem.to_str()).ok_or("a pipeline file without a name")?;
        figures.push(figure(&arguments, case, Some(&compiled(file)?))?);
    }
    println!("{}", json!({ "figures": figures }));
    Ok(())
}

/// All repetitions of one case.
fn figure(arguments: &Arguments, case: &str, pipeline: Option<&Compiled>) -> Result<serde_json::Value, Failure> {
    let mut values = Vec::with_capacity(arguments.repetitions);
    for _ in 0..arguments.repetitions {
        let rate = run(arguments, pipeline)?;
        eprintln!("ceiling: {case:10} {rate:12.0} rows/s");
        values.push(rate);
    }
    Ok(json!({ "case": case, "who": arguments.client.who(), "unit": "rows/s", "values": values }))
}

/// Reads the topic once with all threads; gives rows per second, connecting left out.
fn run(arguments: &Arguments, pipeline: Option<&Compiled>) -> Result<f64, Failure> {
    let reads = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..arguments.threads).map(|index| scope.spawn(move || read_share(arguments, index, pipeline))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().map_err(|_| Failure::from("a thread panicked"))?)
            .collect::<Result<Vec<Read>, Failure>>()
    })?;
    let rows: u64 = reads.iter().map(|read| read.rows).sum();
    let seconds = reads.iter().map(|read| read.took.as_secs_f64()).fold(0.0, f64::max);
    Ok(rows as f64 / seconds)
}

/// One thread's part.
fn read_share(arguments: &Arguments, index: usize, pipeline: Option<&Compiled>) -> Result<Read, Failure> {
    let Arguments { bootstrap, topic, threads, batch_rows, .. } = arguments;
    let mut runner = pipeline.map(Compiled::runner).transpose()?;
    let work = |batch: RecordBatch| process(runner.as_mut(), &batch);
    match arguments.client {
        Client::Firesteel => ours::Share::assign(bootstrap, topic, index, *threads, *batch_rows)?.read(work),
        Client::Librdkafka => librdkafka::Share::assign(bootstrap, topic, index, *threads)?.read(*batch_rows, work),
    }
}

/// One batch through the pipeline; a rejected row would make the comparison unfair, so it ends the run.
fn process(runner: Option<&mut RunnerLease>, batch: &RecordBatch) -> Result<(), Failure> {
    let Some(runner) = runner else { return Ok(()) };
    let rejected = runner.times().rejected;
    let scored = runner.process(batch, &AtomicBool::new(false))?;
    if scored.num_rows() != batch.num_rows() || runner.times().rejected != rejected {
        return Err("a row was rejected".into());
    }
    Ok(())
}

/// A pipeline file with its models loaded, as Spark's driver and executors do it.
fn compiled(file: &Path) -> Result<Compiled, Failure> {
    let yaml = fs::read_to_string(file)?;
    let name = file.display().to_string();
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut hashes = Vec::new();
    for model in PipelineSpec::from_yaml(&yaml, &name)?.models {
        hashes.push(registry::load(&fs::read(folder.join(&model.uri))?)?.sha256().to_owned());
    }
    let prepared = prepare_pipeline(&yaml, &name, &hashes, InputMode::Bytes)?;
    Ok(Compiled::new(&serde_json::from_str::<Call>(&prepared.call)?)?)
}
