//! Firesteel from a shell: the engine that runs inside Spark, without Spark, and the load generator.
//!
//! One file per command; each parses its own options and returns a [`error::CliError`] whose text is the whole
//! message. Results go to standard output, progress and errors to standard error.

mod doctor;
mod error;
mod loadgen;
mod logging;
mod parity;
mod pipeline;
mod records;
mod schema;
mod score;
mod state;
mod store;
mod validate;

use std::process::ExitCode;

use clap::Parser;

use crate::error::CliError;

/// Clean, score and generate event streams with Firesteel's engine
#[derive(Debug, Parser)]
#[command(name = "firesteel", version, arg_required_else_help = true)]
enum Command {
    /// Check a pipeline file, its schema and its models, and show the plan; nothing is started
    Validate(validate::ValidateArgs),
    /// Print the JSON Schema of pipeline files, for editors
    Schema,
    /// Run a pipeline over a file of records
    Score(score::ScoreArgs),
    /// Show that a log gives the same bytes in one pass, in micro-batches of any size and over restarts
    Parity(parity::ParityArgs),
    /// Look whether this machine can run Firesteel, and what to mend if not
    Doctor(doctor::DoctorArgs),
    /// Add, move and roll back versions of models
    #[command(subcommand)]
    Model(store::ModelCommand),
    /// Look into the state of windows
    #[command(subcommand)]
    State(state::StateCommand),
    /// Generate events into a file or a Kafka topic
    #[command(subcommand)]
    Loadgen(loadgen::LoadgenCommand),
}

fn main() -> ExitCode {
    logging::start();
    let result = match Command::parse() {
        Command::Validate(args) => validate::run(&args),
        Command::Schema => schema::run(),
        Command::Score(args) => score::run(&args),
        Command::Parity(args) => parity::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Model(command) => store::run(&command),
        Command::State(command) => state::run(&command),
        Command::Loadgen(command) => loadgen::run(&command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(CliError::exit_code(&error))
        }
    }
}
