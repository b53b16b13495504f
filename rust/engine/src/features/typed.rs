//! An expression whose type is known, and the way to build one from a kernel.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, ScalarValue};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion_physical_expr::expressions::Literal;
use datafusion_physical_expr::{PhysicalExpr, ScalarFunctionExpr};

/// Result of a kernel. An `Err` means that some row failed; which one is found by the caller.
pub(super) type KernelResult = Result<ArrayRef, ArrowError>;

/// A function over whole columns of equal length.
pub(super) type Run = Arc<dyn Fn(&[ArrayRef]) -> KernelResult + Send + Sync>;

/// A physical expression and its type.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub(super) expr: Arc<dyn PhysicalExpr>,
    pub(super) data_type: DataType,
    /// Its value, if it has the same one for every row.
    pub(super) constant: Option<ScalarValue>,
}

impl Typed {
    /// A constant.
    pub(super) fn literal(value: ScalarValue) -> Self {
        Self { expr: Arc::new(Literal::new(value.clone())), data_type: value.data_type(), constant: Some(value) }
    }

    /// An expression that is not known to be constant.
    pub(super) fn new(expr: Arc<dyn PhysicalExpr>, data_type: DataType) -> Self {
        Self { expr, data_type, constant: None }
    }

    /// A call of a kernel; a call with constants only is evaluated now, unless it fails.
    pub(super) fn call(
        name: &'static str,
        output: DataType,
        args: Vec<Typed>,
        run: impl Fn(&[ArrayRef]) -> KernelResult + Send + Sync + 'static,
    ) -> Self {
        let constant = !args.is_empty() && args.iter().all(|arg| arg.constant.is_some());
        let kernel = Kernel { name, output: output.clone(), signature: signature(args.len()), run: Arc::new(run) };
        let expr = ScalarFunctionExpr::new(
            name,
            Arc::new(ScalarUDF::from(kernel)),
            args.into_iter().map(|arg| arg.expr).collect(),
            Arc::new(Field::new(name, output.clone(), true)),
            Arc::new(ConfigOptions::default()),
        );
        let typed = Self::new(Arc::new(expr), output);
        if constant { typed.folded() } else { typed }
    }

    /// The same expression as a constant, if it can be evaluated without a row.
    pub(super) fn folded(self) -> Self {
        let one_row = RecordBatchOptions::new().with_row_count(Some(1));
        let value = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &one_row)
            .map_err(DataFusionError::from)
            .and_then(|batch| self.expr.evaluate(&batch))
            .and_then(|value| match value {
                ColumnarValue::Scalar(scalar) => Ok(scalar),
                ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0),
            });
        // A constant that fails (1 / 0) may stand behind a condition; it fails its rows when it is reached.
        value.map(Self::literal).unwrap_or(self)
    }
}

fn signature(args: usize) -> Signature {
    match args {
        0 => Signature::nullary(Volatility::Immutable),
        more => Signature::any(more, Volatility::Immutable),
    }
}

/// One of our functions as DataFusion sees it.
struct Kernel {
    name: &'static str,
    output: DataType,
    signature: Signature,
    run: Run,
}

impl ScalarUDFImpl for Kernel {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> datafusion_common::Result<DataType> {
        Ok(self.output.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> datafusion_common::Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let output = (self.run)(&arrays)?;
        if constant {
            return ScalarValue::try_from_array(&output, 0).map(ColumnarValue::Scalar);
        }
        Ok(ColumnarValue::Array(output))
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

// Two kernels are the same if they run the same closure: DataFusion asks when it compares plans.
impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.run, &other.run)
    }
}

impl Eq for Kernel {}

impl Hash for Kernel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
