//! One SQL expression, compiled once and evaluated batch by batch; the rows on which it fails are told apart.

use std::sync::Arc;

use arrow::array::{ArrayRef, new_empty_array, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion_common::DataFusionError;
use sqlparser::ast::Expr;

use super::typed::Typed;
use super::{coerce, dialect, lower};
use crate::error::{SpecError, StageError};
use crate::spec::spark_type_name;

/// An expression over the columns of one schema.
///
/// Guarantees: 1. the result of a row depends on that row only, whatever batch it comes in; 2. a failing row never
/// affects another.
#[derive(Debug, Clone)]
pub struct CompiledExpr {
    typed: Typed,
    sql: String,
}

/// The values of an expression on a batch.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// One value per row; null where the row failed.
    pub values: ArrayRef,
    /// Rows that failed, ascending, with the reason.
    pub failed: Vec<(u32, String)>,
}

impl CompiledExpr {
    /// Compile `sql` against `schema`. A fault names `path` and carries a place inside `sql`.
    pub fn compile(sql: &str, schema: &SchemaRef, path: &str) -> Result<Self, SpecError> {
        let located = |mut error: SpecError| {
            path.clone_into(&mut error.path);
            error
        };
        let tree = dialect::parse(sql).map_err(located)?;
        Self::of_tree(&tree, sql, schema).map_err(located)
    }

    /// Compile a part of a tree of [`super::parse`]; `sql` is its text, for people. A fault carries a place inside the
    /// whole tree's text.
    pub(crate) fn of_tree(tree: &Expr, sql: &str, schema: &SchemaRef) -> Result<Self, SpecError> {
        let typed = lower::Lowering { schema }.expr(tree)?;
        if typed.data_type == DataType::Null {
            let error = coerce::mismatch("the expression is always null and has no type");
            return Err(error.with_hint("write CAST(NULL AS type)"));
        }
        Ok(Self { typed, sql: sql.trim().to_owned() })
    }

    /// Compile a condition: as [`Self::compile`], and its type is BOOLEAN.
    pub fn compile_condition(sql: &str, schema: &SchemaRef, path: &str) -> Result<Self, SpecError> {
        let expr = Self::compile(sql, schema, path)?.condition();
        expr.map_err(|mut error| {
            path.clone_into(&mut error.path);
            error
        })
    }

    /// The same, if its type is BOOLEAN.
    pub(crate) fn condition(self) -> Result<Self, SpecError> {
        if *self.data_type() == DataType::Boolean {
            return Ok(self);
        }
        let found = spark_type_name(self.data_type());
        Err(SpecError::new("TYPE_MISMATCH", "", format!("a condition must be BOOLEAN, not {found}"))
            .with_hint("compare it with something"))
    }

    /// Type of the result.
    pub fn data_type(&self) -> &DataType {
        &self.typed.data_type
    }

    /// The expression as written.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Evaluate on a batch of the schema that the expression was compiled against.
    ///
    /// The whole batch is tried first. Only if that fails is it halved, again and again, until the failing rows stand
    /// alone: `f` failing rows among `n` cost about `f · log2(n)` evaluations.
    pub fn evaluate(&self, batch: &RecordBatch) -> Result<Evaluated, StageError> {
        let mut failed = Vec::new();
        let mut pieces = Vec::new();
        self.isolate(batch, 0, &mut pieces, &mut failed)?;
        let values = match pieces.as_slice() {
            [] => new_empty_array(self.data_type()),
            [whole] => Arc::clone(whole),
            many => concat(&many.iter().map(AsRef::as_ref).collect::<Vec<_>>())?,
        };
        Ok(Evaluated { values, failed })
    }

    fn isolate(
        &self,
        batch: &RecordBatch,
        first: u32,
        pieces: &mut Vec<ArrayRef>,
        failed: &mut Vec<(u32, String)>,
    ) -> Result<(), StageError> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(());
        }
        match self.typed.expr.evaluate(batch).and_then(|value| value.into_array(rows)) {
            Ok(values) => pieces.push(values),
            Err(error) => {
                let reason = row_fault(error)?;
                if rows == 1 {
                    failed.push((first, reason));
                    pieces.push(new_null_array(self.data_type(), 1));
                } else {
                    let half = rows / 2;
                    self.isolate(&batch.slice(0, half), first, pieces, failed)?;
                    self.isolate(&batch.slice(half, rows - half), first + half as u32, pieces, failed)?;
                }
            }
        }
        Ok(())
    }
}

/// The reason, if the data is at fault; a fault of ours stays an error.
fn row_fault(error: DataFusionError) -> Result<String, StageError> {
    match error {
        DataFusionError::ArrowError(error, _) => match *error {
            ArrowError::ComputeError(reason)
            | ArrowError::CastError(reason)
            | ArrowError::ArithmeticOverflow(reason)
            | ArrowError::InvalidArgumentError(reason) => Ok(reason),
            ArrowError::DivideByZero => Ok("division by zero".to_owned()),
            other => Err(StageError::Arrow(other)),
        },
        DataFusionError::Context(_, inner) => row_fault(*inner),
        other => Err(StageError::internal("features", other.strip_backtrace())),
    }
}
