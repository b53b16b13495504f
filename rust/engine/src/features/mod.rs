//! New columns from SQL expressions, in Spark's dialect.
//!
//! Third on a record's way, after clean. Parses with `datafusion-sql`, types with Spark's own rules, and evaluates
//! DataFusion's physical expressions over kernels that give Spark's answers ([`functions`] lists them). A row on
//! which an expression fails is rejected; the others go on. Row by row, so neither batch size nor order matters.
//! Start at [`Features::process`]; `docs/reference/expressions.md` is the dialect.

mod coerce;
mod compiled;
mod dialect;
pub mod functions;
mod kernels;
mod lower;
mod rows;
#[cfg(test)]
mod tests;
mod typed;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use indexmap::IndexMap;

pub use self::compiled::{CompiledExpr, Evaluated};
pub(crate) use self::dialect::{names_in, parse};
pub(crate) use self::rows::Rows;
use crate::error::{SpecErrors, StageError};
use crate::stage::{RejectCode, Staged};

/// Features before the windows, and those that use their columns (or a feature that does).
pub(crate) fn around_windows(
    features: &IndexMap<String, String>,
    windows: &[String],
) -> (IndexMap<String, String>, IndexMap<String, String>) {
    let mut late: HashSet<String> = windows.iter().map(|name| name.to_lowercase()).collect();
    let (mut before, mut behind) = (IndexMap::new(), IndexMap::new());
    for (name, sql) in features {
        if names_in(sql).iter().any(|word| late.contains(&word.to_lowercase())) {
            late.insert(name.to_lowercase());
            behind.insert(name.clone(), sql.clone());
        } else {
            before.insert(name.clone(), sql.clone());
        }
    }
    (before, behind)
}

/// Appends one column per feature. Guarantees: 1. order kept; 2. rows in = rows kept + rows rejected; 3. a row's
/// values depend on that row only.
#[derive(Debug)]
pub struct Features {
    /// Each compiled against the input's columns and the features before it.
    features: Vec<Feature>,
    output: SchemaRef,
}

#[derive(Debug)]
struct Feature {
    name: String,
    expr: CompiledExpr,
    /// The schema with this feature as its last column.
    schema: SchemaRef,
}

impl Features {
    /// Fails on expressions that could never work, with the fault of each: unknown column or function, wrong types. A
    /// feature that only lacks one with a fault of its own is not named.
    pub fn try_new(spec: &IndexMap<String, String>, input: &SchemaRef) -> Result<Self, SpecErrors> {
        let mut schema = Arc::clone(input);
        let mut features = Vec::with_capacity(spec.len());
        let (mut faults, mut lost): (Vec<_>, Vec<&String>) = (Vec::new(), Vec::new());
        for (name, sql) in spec {
            let expr = match CompiledExpr::compile(sql, &schema, &format!("features.{name}")) {
                Ok(expr) => expr,
                Err(fault) => {
                    let follows = |lost: &&String| fault.message.ends_with(&format!(" {lost}"));
                    if fault.condition != "UNKNOWN_COLUMN" || !lost.iter().any(follows) {
                        faults.push(fault);
                    }
                    lost.push(name);
                    continue;
                }
            };
            let mut fields = schema.fields().to_vec();
            fields.push(Arc::new(Field::new(name, expr.data_type().clone(), true)));
            schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
            features.push(Feature { name: name.clone(), expr, schema: Arc::clone(&schema) });
        }
        if faults.is_empty() { Ok(Self { features, output: schema }) } else { Err(SpecErrors(faults)) }
    }

    /// The input's columns, then the features in order.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output
    }

    /// Append the features. A row on which one fails is rejected with EXPRESSION_FAILED; later features do not see it.
    pub fn process(&mut self, batch: RecordBatch) -> Result<Staged, StageError> {
        let mut rows = Rows::new(batch);
        for feature in &self.features {
            let evaluated = feature.expr.evaluate(&rows.batch)?;
            let mut columns = rows.batch.columns().to_vec();
            columns.push(evaluated.values);
            rows.batch = RecordBatch::try_new(Arc::clone(&feature.schema), columns)?;
            let named = |(row, reason)| (row, format!("{}: {reason}", feature.name));
            rows.reject(RejectCode::ExpressionFailed, evaluated.failed.into_iter().map(named).collect())?;
        }
        Ok(rows.staged())
    }
}
