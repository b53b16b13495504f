//! `firesteel schema`: the JSON Schema of pipeline files.

use firesteel_engine::spec::PipelineSpec;

use crate::error::CliError;

/// Prints the schema, which is generated from the types that read the file.
pub(crate) fn run() -> Result<(), CliError> {
    println!("{:#}", PipelineSpec::json_schema());
    Ok(())
}
