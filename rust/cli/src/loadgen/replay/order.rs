//! Rows in the order of their time, those of one time in file order.
//!
//! A file that is in order already is read as it comes, however large. Another one is sorted in memory, up to a limit.

use arrow::{
    array::{Array, AsArray, Int64Array, RecordBatch},
    compute::{cast, interleave_record_batch},
    datatypes::{DataType, Int64Type, SchemaRef, TimeUnit},
    error::ArrowError,
};
use firesteel_engine::spec::{names, spark_type_name};

use super::input::{Batches, Input};
use crate::error::CliError;

/// Rows of a sorted batch.
const SORTED_ROWS: usize = 8192;

/// What a number in a time column counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Unit {
    /// Seconds.
    S,
    /// Milliseconds.
    Ms,
    /// Microseconds.
    Us,
}

/// The column that says when an event happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeColumn {
    index: usize,
    /// Length of the column's unit in seconds.
    unit_s: f64,
}

/// What a first look at the times shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// Rows of the file.
    pub(super) rows: u64,
    /// First row, counted from 1, that is earlier than the one before.
    pub(super) disorder: Option<u64>,
}

impl TimeColumn {
    /// Fails if there is no such column, or if it holds no times.
    pub(super) fn try_new(schema: &SchemaRef, name: &str, unit: Option<Unit>) -> Result<Self, CliError> {
        let index = column(schema, "--time-column", name)?;
        let data_type = schema.field(index).data_type();
        let unit_s = match (data_type, unit) {
            (DataType::Timestamp(..) | DataType::Date32 | DataType::Date64, Some(_)) => {
                return Err(CliError::Usage(format!("--time-unit is for numbers: {name} holds times")));
            }
            (DataType::Timestamp(unit, _), None) => match unit {
                TimeUnit::Second => 1.0,
                TimeUnit::Millisecond => 1e-3,
                TimeUnit::Microsecond => 1e-6,
                TimeUnit::Nanosecond => 1e-9,
            },
            (DataType::Date32, None) => 86_400.0,
            (DataType::Date64, None) => 1e-3,
            (integer, Some(unit)) if integer.is_integer() => match unit {
                Unit::S => 1.0,
                Unit::Ms => 1e-3,
                Unit::Us => 1e-6,
            },
            (integer, None) if integer.is_integer() => {
                return Err(CliError::Usage(format!(
                    "--time-column {name} holds whole numbers: say what they count with --time-unit s, ms or us"
                )));
            }
            (other, _) => {
                return Err(CliError::Usage(format!(
                    "--time-column {name} is {}, which is no time: a CSV file's can be read as one with --schema",
                    spark_type_name(other)
                )));
            }
        };
        Ok(Self { index, unit_s })
    }

    /// Times of a batch in the column's own unit, all present.
    pub(super) fn values(&self, batch: &RecordBatch, first_row: u64) -> Result<Int64Array, ArrowError> {
        self.of(batch.column(self.index), first_row)
    }

    fn of(&self, column: &dyn Array, first_row: u64) -> Result<Int64Array, ArrowError> {
        let times = cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone();
        match (0..times.len()).find(|&row| times.is_null(row)) {
            Some(row) => Err(ArrowError::ComputeError(format!(
                "row {} has no time: leave out --time-column to write the rows in file order",
                first_row + row as u64 + 1
            ))),
            None => Ok(times),
        }
    }

    /// Seconds from one time to a later one.
    pub(super) fn seconds(&self, from: i64, until: i64) -> f64 {
        until.saturating_sub(from).max(0) as f64 * self.unit_s
    }

    /// Reads all times, and nothing else.
    pub(super) fn look(&self, input: &Input) -> Result<Times, CliError> {
        let mut times = Times { rows: 0, disorder: None };
        let mut last = i64::MIN;
        for batch in input.batches(Some(self.index))? {
            let batch = batch.map_err(|error| input.broken(error))?;
            let values = self.of(batch.column(0), times.rows).map_err(|error| input.broken(error))?;
            for (row, &value) in (times.rows + 1..).zip(values.values()) {
                if value < last && times.disorder.is_none() {
                    times.disorder = Some(row);
                }
                last = value;
            }
            times.rows += values.len() as u64;
        }
        Ok(times)
    }

    /// All rows of a file, sorted in memory. Fails when they take more than `limit_mib`.
    pub(super) fn sorted(&self, input: &Input, disorder: u64, limit_mib: usize) -> Result<Batches, CliError> {
        let mut held: Vec<RecordBatch> = Vec::new();
        let (mut bytes, mut rows) = (0_usize, 0_u64);
        let mut order: Vec<(i64, u32, u32)> = Vec::new();
        for (number, batch) in (0_u32..).zip(input.batches(None)?) {
            let batch = batch.map_err(|error| input.broken(error))?;
            let values = self.values(&batch, rows).map_err(|error| input.broken(error))?;
            order.extend(values.values().iter().zip(0_u32..).map(|(&time, row)| (time, number, row)));
            rows += values.len() as u64;
            bytes += batch.get_array_memory_size() + values.len() * size_of::<(i64, u32, u32)>();
            if bytes > limit_mib.saturating_mul(1 << 20) {
                return Err(input.broken(format!(
                    "the rows are not in the order of their time (row {disorder} is earlier than the one before) and \
                     take more than {limit_mib} MiB: raise --sort-memory-mb, or sort the file"
                )));
            }
            held.push(batch);
        }
        // Batch and row make all different: those of one time stay in file order.
        order.sort_unstable();
        let mut from = 0;
        Ok(Box::new(std::iter::from_fn(move || {
            let chunk = &order[from..order.len().min(from + SORTED_ROWS)];
            if chunk.is_empty() {
                return None;
            }
            from += chunk.len();
            let places: Vec<(usize, usize)> =
                chunk.iter().map(|&(_, batch, row)| (batch as usize, row as usize)).collect();
            let batches: Vec<&RecordBatch> = held.iter().collect();
            Some(interleave_record_batch(&batches, &places))
        })))
    }
}

/// Position of a column that an option names.
pub(super) fn column(schema: &SchemaRef, option: &str, name: &str) -> Result<usize, CliError> {
    let known = || schema.fields().iter().map(|field| field.name().as_str());
    known().position(|one| one == name).ok_or_else(|| {
        CliError::Usage(format!(
            "{option} {name}: there is no such column. {}",
            names::advice(name, known().collect::<Vec<_>>())
        ))
    })
}
