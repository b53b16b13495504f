//! The author's rules: what a row must have, what must be true of it, and what fills its gaps.
//!
//! Second on a record's way, after decode. Rules run in the order written and the first one that fails rejects the
//! row. Order is kept, and every row is kept or rejected. Whether the bytes were well-formed is decode's matter.
//! Start at [`Clean::process`].

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Datum, Scalar};
use arrow::compute::{is_not_null, kernels::zip::zip};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;

use crate::error::{SpecError, SpecErrors, StageError};
use crate::features::{CompiledExpr, Rows};
use crate::spec::{CleanRule, Literal, NOT_NULL_KEY, names, spark_type_name};
use crate::stage::{RejectCode, Staged};

/// Applies clean rules. Guarantees: 1. order kept; 2. rows in = rows kept + rows rejected; 3. the first failing rule
/// rejects a row.
#[derive(Debug)]
pub struct Clean {
    rules: Vec<Rule>,
    output: SchemaRef,
}

#[derive(Debug)]
enum Rule {
    /// Column number and name.
    Require(Vec<(usize, String)>),
    Check(CompiledExpr),
    /// Column number and the value, one element long.
    Fill(Vec<(usize, ArrayRef)>),
}

impl Clean {
    /// Fails on rules that could never work, with every fault of each: an unknown column, a fill of another type, a check
    /// that is no condition.
    ///
    /// A column declared `NOT NULL` is required before any rule runs.
    pub fn try_new(spec: &[CleanRule], input: &SchemaRef) -> Result<Self, SpecErrors> {
        let declared = |(i, field): (usize, &Arc<Field>)| {
            field.metadata().contains_key(NOT_NULL_KEY).then(|| (i, field.name().clone()))
        };
        let declared: Vec<_> = input.fields().iter().enumerate().filter_map(declared).collect();
        let mut rules = Vec::with_capacity(spec.len() + 1);
        if !declared.is_empty() {
            rules.push(Rule::Require(declared));
        }
        let mut faults = Vec::new();
        for (i, rule) in spec.iter().enumerate() {
            rules.push(match rule {
                CleanRule::Require(columns) => {
                    let columns = columns.iter().enumerate().map(|(j, name)| {
                        let path = format!("clean[{i}].require[{j}]");
                        Ok((column(name, input, &path)?, name.clone()))
                    });
                    Rule::Require(sound(columns, &mut faults))
                }
                CleanRule::Check(sql) => {
                    match CompiledExpr::compile_condition(sql, input, &format!("clean[{i}].check")) {
                        Ok(condition) => Rule::Check(condition),
                        Err(fault) => {
                            faults.push(fault);
                            continue;
                        }
                    }
                }
                CleanRule::Fill(values) => {
                    let values = values.iter().map(|(name, value)| {
                        let path = format!("clean[{i}].fill.{name}");
                        let index = column(name, input, &path)?;
                        Ok((index, constant(value, input.field(index), &path)?))
                    });
                    Rule::Fill(sound(values, &mut faults))
                }
            });
        }
        if faults.is_empty() { Ok(Self { rules, output: without_marks(input) }) } else { Err(SpecErrors(faults)) }
    }

    /// The input's columns.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output
    }

    /// Apply the rules. Codes: REQUIRED_MISSING, CHECK_FAILED, and EXPRESSION_FAILED if a check itself fails.
    pub fn process(&mut self, batch: RecordBatch) -> Result<Staged, StageError> {
        let batch = RecordBatch::try_new(Arc::clone(&self.output), batch.columns().to_vec())?;
        let mut rows = Rows::new(batch);
        for rule in &self.rules {
            match rule {
                Rule::Require(columns) => {
                    let missing = missing(&rows.batch, columns);
                    rows.reject(RejectCode::RequiredMissing, missing)?;
                }
                Rule::Check(condition) => check(&mut rows, condition)?,
                Rule::Fill(values) => rows.batch = filled(&rows.batch, values)?,
            }
        }
        Ok(rows.staged())
    }
}

/// The values; the faults go to the others.
fn sound<T>(results: impl Iterator<Item = Result<T, SpecError>>, faults: &mut Vec<SpecError>) -> Vec<T> {
    results.filter_map(|result| result.map_err(|fault| faults.push(fault)).ok()).collect()
}

/// Rows in which a column is null, with the first such column.
fn missing(batch: &RecordBatch, columns: &[(usize, String)]) -> Vec<(u32, String)> {
    let holed: Vec<_> = columns.iter().filter(|(i, _)| batch.column(*i).null_count() > 0).collect();
    if holed.is_empty() {
        return Vec::new();
    }
    let first = |row: usize| {
        let (_, name) = holed.iter().find(|(i, _)| batch.column(*i).is_null(row))?;
        Some((row as u32, format!("required column {name} is null or missing")))
    };
    (0..batch.num_rows()).filter_map(first).collect()
}

fn check(rows: &mut Rows, condition: &CompiledExpr) -> Result<(), StageError> {
    let evaluated = condition.evaluate(&rows.batch)?;
    let holds = evaluated.values.as_boolean();
    let mut errors = evaluated.failed.into_iter().peekable();
    let (mut failed, mut untrue) = (Vec::new(), Vec::new());
    for row in 0..holds.len() {
        if errors.peek().is_some_and(|(at, _)| *at as usize == row) {
            failed.extend(errors.next());
        } else if holds.is_null(row) || !holds.value(row) {
            let value = if holds.is_null(row) { "null" } else { "false" };
            // Numbered as if the rows that failed were gone: they are taken out first.
            untrue.push(((row - failed.len()) as u32, format!("check is {value}: {}", condition.sql())));
        }
    }
    let named = |(row, reason)| (row, format!("check {}: {reason}", condition.sql()));
    rows.reject(RejectCode::ExpressionFailed, failed.into_iter().map(named).collect())?;
    rows.reject(RejectCode::CheckFailed, untrue)
}

fn filled(batch: &RecordBatch, values: &[(usize, ArrayRef)]) -> Result<RecordBatch, StageError> {
    let mut columns = batch.columns().to_vec();
    for (i, value) in values {
        if columns[*i].null_count() > 0 {
            let value = Scalar::new(Arc::clone(value));
            columns[*i] = zip(&is_not_null(&columns[*i])?, &columns[*i], &value as &dyn Datum)?;
        }
    }
    Ok(RecordBatch::try_new(batch.schema(), columns)?)
}

/// Position of a column by its name: exactly, else ignoring case.
pub(crate) fn column(name: &str, schema: &SchemaRef, path: &str) -> Result<usize, SpecError> {
    let fields = schema.fields();
    let found = fields.iter().position(|field| field.name() == name);
    found.or_else(|| fields.iter().position(|field| field.name().eq_ignore_ascii_case(name))).ok_or_else(|| {
        SpecError::new("UNKNOWN_COLUMN", path, format!("there is no column {name}"))
            .with_hint(names::advice(name, fields.iter().map(|field| field.name().as_str())))
    })
}

/// A literal in its column's type, one element long: it is an expression and goes the way of all expressions.
pub(crate) fn constant(value: &Literal, field: &Field, path: &str) -> Result<ArrayRef, SpecError> {
    let to = field.data_type();
    let fits = match value {
        Literal::Boolean(_) => *to == DataType::Boolean,
        Literal::Integer(_) => to.is_numeric(),
        Literal::Float(_) => to.is_floating() || matches!(to, DataType::Decimal128(_, _)),
        Literal::Text(_) => matches!(to, DataType::Utf8 | DataType::Date32 | DataType::Timestamp(_, _)),
    };
    let misfit = || {
        let message = format!("{value:?} does not fit column {} of type {}", field.name(), spark_type_name(to));
        SpecError::new("TYPE_MISMATCH", path, message)
    };
    if !fits {
        return Err(misfit());
    }
    let sql = match value {
        Literal::Boolean(value) => value.to_string(),
        Literal::Integer(value) => value.to_string(),
        Literal::Float(value) => format!("{value:e}"),
        Literal::Text(value) => format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'")),
    };
    let sql = format!("CAST({sql} AS {})", spark_type_name(to));
    let empty = Arc::new(Schema::empty());
    let expr = CompiledExpr::compile(&sql, &empty, path).map_err(|_| misfit())?;
    let one = arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(empty, vec![], &one).map_err(|_| misfit())?;
    match expr.evaluate(&row) {
        Ok(evaluated) if evaluated.failed.is_empty() && evaluated.values.is_valid(0) => Ok(evaluated.values),
        _ => Err(misfit()),
    }
}

/// The columns behind the rules, whatever the rules: the input's, without the `NOT NULL` marks, which have done their work.
pub(crate) fn without_marks(schema: &SchemaRef) -> SchemaRef {
    let plain = |field: &Arc<Field>| {
        let mut metadata = field.metadata().clone();
        match metadata.remove(NOT_NULL_KEY) {
            Some(_) => Arc::new(field.as_ref().clone().with_metadata(metadata)),
            None => Arc::clone(field),
        }
    };
    Arc::new(Schema::new_with_metadata(
        schema.fields().iter().map(plain).collect::<Vec<_>>(),
        schema.metadata().clone(),
    ))
}
