//! `firesteel loadgen fraud`: card payments of the Fraud Detection Handbook's simulation, as events.

mod event;
mod rubbish;
mod scenarios;
mod simulation;

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use chrono::NaiveDate;
use serde_json::json;

use self::{
    event::{CSV_HEADER, EventWriter},
    rubbish::Rubbish,
    simulation::{Payment, World},
};
use super::output::{Format, Output, OutputArgs, Record};
use crate::error::CliError;

/// What the Kafka key of an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum KeyBy {
    /// The customer's number: one customer's events stay in order.
    Customer,
    /// The terminal's number.
    Terminal,
    /// No key: partitions at random.
    None,
}

/// Options of `loadgen fraud`. The defaults are the handbook's parameters.
#[derive(Debug, clap::Args)]
pub(crate) struct FraudArgs {
    /// Cards
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(3..))]
    customers: u32,
    /// Terminals in shops
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(2..))]
    terminals: u32,
    /// A customer uses the terminals nearer than this, on a square with sides of 100
    #[arg(long, default_value_t = 5.0)]
    radius: f64,
    /// Days to simulate
    #[arg(long, default_value_t = 183, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Date of day 0
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2018-04-01")]
    start_date: NaiveDate,
    /// Seed of the customers
    #[arg(long, default_value_t = 0)]
    customer_seed: u32,
    /// Seed of the terminals
    #[arg(long, default_value_t = 1)]
    terminal_seed: u32,
    /// First day to write; the days before are simulated all the same, since frauds last for weeks
    #[arg(long, value_name = "DAY", default_value_t = 0)]
    from_day: u32,
    /// Day before which to stop writing; default: all days
    #[arg(long, value_name = "DAY")]
    until_day: Option<u32>,
    /// Kafka key of an event
    #[arg(long, value_enum, default_value_t = KeyBy::Customer)]
    key: KeyBy,
    /// Chance of a record that no pipeline should take before each event (JSON only)
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0, value_parser = fraction)]
    rubbish: f64,
    /// Seed of the rubbish
    #[arg(long, default_value_t = 0)]
    rubbish_seed: u32,
    /// Write the truth to this CSV file: transaction_id, tx_fraud, scenario
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Write what was generated, with the counts of every kind of rubbish, to this JSON file
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..1.0).contains(&value) => Ok(value),
        _ => Err("wanted a number from 0 to below 1".to_owned()),
    }
}

/// Simulates, writes, and prints one line that says what was written.
pub(crate) fn run(args: &FraudArgs) -> Result<(), CliError> {
    let format = args.output.format()?;
    if args.rubbish > 0.0 && format != Format::Json {
        return Err(CliError::Usage("--rubbish makes broken JSON: it does not go with CSV".to_owned()));
    }
    let (from, until) = (args.from_day, args.until_day.unwrap_or(args.days));
    if from >= until || until > args.days {
        return Err(CliError::Usage(format!("no such days: --from-day {from} --until-day {until} of {}", args.days)));
    }
    let world = World {
        customers: args.customers,
        terminals: args.terminals,
        radius: args.radius,
        days: args.days,
        customer_seed: args.customer_seed,
        terminal_seed: args.terminal_seed,
    };
    let mut all = simulation::payments(&world);
    scenarios::add_frauds(&mut all, &world);
    let first = all.partition_point(|payment| payment.day() < i64::from(from));
    let end = all.partition_point(|payment| payment.day() < i64::from(until));
    let payments = &all[first..end];

    let mut rubbish = Rubbish::new(args.rubbish, args.rubbish_seed, !Output::writes_file(&args.output));
    write_events(args, format, first, payments, &mut rubbish)?;
    if let Some(path) = &args.labels {
        write_labels(path, first, payments).map_err(CliError::file(path))?;
    }
    let manifest = manifest(&world, (from, until), payments, &rubbish);
    if let Some(path) = &args.manifest {
        std::fs::write(path, format!("{manifest:#}\n")).map_err(CliError::file(path))?;
    }
    println!(
        "{} events, {} of them frauds, and {} records of rubbish; days {from} to {} of {}",
        manifest["events"],
        manifest["frauds"],
        manifest["rubbish"]["records"],
        until - 1,
        args.days
    );
    Ok(())
}

fn write_events(
    args: &FraudArgs,
    format: Format,
    first: usize,
    payments: &[Payment],
    rubbish: &mut Rubbish,
) -> Result<(), CliError> {
    let header = if args.output.send_time { format!("{CSV_HEADER},sent_us") } else { CSV_HEADER.to_owned() };
    let mut output = Output::open(&args.output, &header, payments.len() as u64)?;
    let mut events = EventWriter::new(format, args.start_date);
    let (mut text, mut key) = (Vec::with_capacity(256), Vec::with_capacity(16));
    for (id, payment) in (first..).zip(payments) {
        let sent_us = output.next_event();
        events.write(&mut text, id, payment, sent_us);
        let key = match args.key {
            KeyBy::Customer => Some(decimal(&mut key, payment.customer)),
            KeyBy::Terminal => Some(decimal(&mut key, payment.terminal)),
            KeyBy::None => None,
        };
        if let Some(value) = rubbish.before(&text) {
            output.write(Record { key, value, partition: None })?;
        }
        output.write(Record { key, value: Some(&text), partition: None })?;
    }
    output.finish()
}

fn decimal(text: &mut Vec<u8>, number: u32) -> &[u8] {
    text.clear();
    // Writing into memory cannot fail.
    let _ = write!(text, "{number}");
    text
}

fn write_labels(path: &Path, first: usize, payments: &[Payment]) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "transaction_id,tx_fraud,scenario")?;
    for (id, payment) in (first..).zip(payments) {
        writeln!(file, "{id},{},{}", u8::from(payment.scenario > 0), payment.scenario)?;
    }
    file.flush()
}

/// Facts about a run that a test can hold the scores against.
fn manifest(world: &World, days: (u32, u32), payments: &[Payment], rubbish: &Rubbish) -> serde_json::Value {
    let scenario = |wanted: u8| payments.iter().filter(|payment| payment.scenario == wanted).count();
    let mut kinds = serde_json::Map::new();
    let mut codes = serde_json::Map::new();
    let mut records = 0;
    for (kind, count) in rubbish.counts() {
        records += count;
        kinds.insert(kind.name().to_owned(), count.into());
        let before = codes.get(kind.code()).and_then(serde_json::Value::as_u64).unwrap_or(0);
        codes.insert(kind.code().to_owned(), (before + count).into());
    }
    json!({
        "events": payments.len(),
        "frauds": payments.len() - scenario(0),
        "frauds_by_scenario": { "1": scenario(1), "2": scenario(2), "3": scenario(3) },
        "amounts_of_zero": payments.iter().filter(|payment| payment.amount == 0.0).count(),
        "records": payments.len() as u64 + records,
        "rubbish": { "records": records, "by_kind": kinds, "by_code": codes },
        "from_day": days.0,
        "until_day": days.1,
        "world": {
            "customers": world.customers,
            "terminals": world.terminals,
            "radius": world.radius,
            "days": world.days,
            "customer_seed": world.customer_seed,
            "terminal_seed": world.terminal_seed,
        },
    })
}
