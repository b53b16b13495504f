//! `firesteel loadgen`: events for demos, tests and benchmarks, the same for the same seeds.
//!
//! [`fraud`] writes the Fraud Detection Handbook's card payments, [`bench`] flat events of a known size, [`replay`]
//! the rows of a file. All write through [`output`]. The modules [`mt19937`], [`numpy_legacy`], [`numpy_sort`] and [`python_random`] draw what
//! numpy and Python would draw, since the published data came from there.

mod bench;
mod fraud;
mod mt19937;
mod numpy_legacy;
mod numpy_sort;
mod output;
mod pace;
mod python_random;
mod replay;
mod sink_file;
mod sink_kafka;

use crate::error::CliError;

/// Generate events into a file or a Kafka topic.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum LoadgenCommand {
    /// Card payments with frauds: the Fraud Detection Handbook's simulation
    Fraud(fraud::FraudArgs),
    /// Flat events of about 365 bytes with 16 float features, for benchmarks
    Bench(bench::BenchArgs),
    /// The rows of a Parquet or CSV file, in the order of their time, as fast as they happened or faster
    Replay(replay::ReplayArgs),
}

/// Runs one generator to its end.
pub(crate) fn run(command: &LoadgenCommand) -> Result<(), CliError> {
    match command {
        LoadgenCommand::Fraud(args) => fraud::run(args),
        LoadgenCommand::Bench(args) => bench::run(args),
        LoadgenCommand::Replay(args) => replay::run(args),
    }
}
