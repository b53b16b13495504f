//! `firesteel validate`: everything that can be known about a pipeline before a job starts.

use crate::{error::CliError, pipeline::PipelineArgs};

/// Options of `validate`.
#[derive(Debug, clap::Args)]
pub(crate) struct ValidateArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
}

/// Prints the plan, or fails with every fault and its place in the file.
pub(crate) fn run(args: &ValidateArgs) -> Result<(), CliError> {
    println!("{}", args.pipeline.prepare()?.plan.trim_end());
    Ok(())
}
