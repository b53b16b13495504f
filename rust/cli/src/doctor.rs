//! `firesteel doctor`: whether this machine can run Firesteel, as far as the engine sees it without Spark.

use clap::Args;
use firesteel_engine::machine::{self, Finding, Level};

use crate::{error::CliError, pipeline::RuntimeArgs};

/// Options of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    runtime: RuntimeArgs,
    /// Print one JSON document instead
    #[arg(long)]
    json: bool,
}

/// Prints the findings; fails if one of them means that it can't work.
pub(crate) fn run(args: &DoctorArgs) -> Result<(), CliError> {
    let loading = args.runtime.start();
    let mut machine = machine::look();
    if let (Err(error), Some(runtime)) = (&loading, machine.findings.last_mut()) {
        *runtime = Finding::mend(
            "ONNX Runtime",
            Level::Warn,
            error.to_string(),
            "name its library with --onnxruntime or FIRESTEEL_ONNXRUNTIME; pipelines without models need none",
        );
    }
    if args.json {
        println!("{:#}", serde_json::json!(machine));
    } else {
        for finding in &machine.findings {
            println!("{}", line(finding));
        }
        println!(
            "Inside Spark: python -m firesteel doctor, or spark-submit --class io.firesteel.spark.doctor.Doctor <jar>"
        );
    }
    let failed = machine.findings.iter().filter(|finding| finding.level == Level::Fail).count();
    if failed > 0 { Err(CliError::Unfit(failed)) } else { Ok(()) }
}

fn line(finding: &Finding) -> String {
    let level = match finding.level {
        Level::Ok => "ok",
        Level::Warn => "WARN",
        Level::Fail => "FAIL",
    };
    let cure = if finding.fix.is_empty() { String::new() } else { format!(". To mend it: {}", finding.fix) };
    format!("{level:<5} {:<16} {}{cure}", finding.check, finding.found)
}
