//! Calls that turn a value into a number for a model: parts of a cycle, distances, hashes, buckets, scales.
//!
//! Fitted parameters are constants of the call, so they are checked here, once.

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;

use super::Call;
use crate::error::SpecError;
use crate::features::coerce::mismatch;
use crate::features::kernels::{bucket, geo, hash, math};
use crate::features::typed::Typed;
use crate::spec::spark_type_name;

impl Call {
    pub(super) fn encoding(mut self) -> Result<Typed, SpecError> {
        let name = self.function.name;
        match name {
            "cyclic_sin" => self.cyclic(libm::sin),
            "cyclic_cos" => self.cyclic(libm::cos),
            "haversine" => Ok(Typed::call(name, DataType::Float64, self.doubles(4)?, geo::haversine)),
            "xxhash64" => {
                let args = self.hashed(1)?;
                Ok(Typed::call(name, DataType::Int64, args, hash::xxhash64))
            }
            "hash_bucket" | "hash_cross" => self.hash_bucket(),
            "bucket" => self.bucket(),
            "width_bucket" => {
                let [value, min, max, count] = self.take()?;
                let count = self.narrow(count, &DataType::Int64)?;
                self.args = vec![value, min, max];
                let mut args = self.doubles(3)?;
                args.push(count);
                Ok(Typed::call(name, DataType::Int64, args, bucket::width_bucket))
            }
            _ => self.scale(),
        }
    }

    fn cyclic(mut self, f: fn(f64) -> f64) -> Result<Typed, SpecError> {
        let args = self.doubles(2)?;
        if args[1].constant.is_some() && self.constant(&args[1], "the period")? <= 0.0 {
            return Err(mismatch(format!("the period of {} must be above 0", self.function.name)));
        }
        Ok(Typed::call(self.function.name, DataType::Float64, args, move |args| math::cyclic(f, args)))
    }

    /// The arguments, at least `least` of them, all of types that have a hash.
    fn hashed(&mut self, least: usize) -> Result<Vec<Typed>, SpecError> {
        if self.args.len() < least {
            return Err(self.misuse());
        }
        if let Some(other) = self.args.iter().find(|arg| !hash::is_known(&arg.data_type)) {
            return Err(mismatch(format!("{} can't hash {}", self.function.name, spark_type_name(&other.data_type))));
        }
        Ok(std::mem::take(&mut self.args))
    }

    fn hash_bucket(mut self) -> Result<Typed, SpecError> {
        let name = self.function.name;
        let wrong_count = if name == "hash_bucket" { self.args.len() != 2 } else { self.args.len() < 3 };
        if wrong_count {
            return Err(self.misuse());
        }
        let buckets = match self.args.pop().and_then(|arg| arg.constant) {
            Some(ScalarValue::Int32(Some(buckets))) if buckets > 0 => buckets,
            _ => {
                let message =
                    format!("the number of buckets of {name} must be a whole constant from 1 to {}", i32::MAX);
                return Err(mismatch(message));
            }
        };
        let args = self.hashed(1)?;
        Ok(Typed::call(name, DataType::Int32, args, move |args| hash::bucket(buckets, args)))
    }

    fn bucket(mut self) -> Result<Typed, SpecError> {
        if self.args.len() < 2 {
            return Err(self.misuse());
        }
        let edges = self.args.split_off(1);
        let edges = edges.iter().map(|edge| self.constant(edge, "an edge")).collect::<Result<Vec<_>, _>>()?;
        if !edges.is_sorted_by(|left, right| left < right) {
            return Err(mismatch("the edges of bucket must ascend"));
        }
        let value = self.doubles(1)?;
        Ok(Typed::call("bucket", DataType::Int32, value, move |args| bucket::bucket(&edges, args)))
    }

    /// `(x - center) / width`. A width of 0 counts as 1: a column that never changed while it was fitted.
    fn scale(mut self) -> Result<Typed, SpecError> {
        let name = self.function.name;
        let [value, first, second] = self.take()?;
        let (center, second) = (self.constant(&first, "a parameter")?, self.constant(&second, "a parameter")?);
        let (width, refusal) = match name {
            "scale_minmax" => (second - center, "the max of scale_minmax is below its min"),
            "scale_robust" => (second, "the interquartile range of scale_robust is negative"),
            _ => (second, "the standard deviation of scale_standard is negative"),
        };
        if width < 0.0 {
            return Err(mismatch(refusal));
        }
        if width.is_infinite() {
            return Err(mismatch(format!("the range of {name} is too wide for a DOUBLE")));
        }
        let width = if width == 0.0 { 1.0 } else { width };
        self.args = vec![value];
        let args = self.doubles(1)?;
        Ok(Typed::call(name, DataType::Float64, args, move |args| math::scale(center, width, args)))
    }

    /// The value of an argument that must be a constant, finite number.
    fn constant(&self, arg: &Typed, what: &str) -> Result<f64, SpecError> {
        match self.number(arg.clone(), &DataType::Float64)?.constant {
            Some(ScalarValue::Float64(Some(value))) if value.is_finite() => Ok(value),
            _ => Err(mismatch(format!("{what} of {} must be a constant, finite number", self.function.name))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{Array, AsArray, Float64Array};
    use arrow::datatypes::{Float64Type, SchemaRef};
    use arrow::record_batch::RecordBatch;

    use crate::features::CompiledExpr;
    use crate::spec::TableSchema;

    fn schema() -> SchemaRef {
        Arc::clone(TableSchema::parse("x DOUBLE").unwrap().leaves())
    }

    fn doubles(sql: &str, values: Vec<Option<f64>>) -> (Vec<Option<f64>>, Vec<u32>) {
        let batch = RecordBatch::try_new(schema(), vec![Arc::new(Float64Array::from(values))]).unwrap();
        let evaluated = CompiledExpr::compile(sql, &schema(), "x").unwrap().evaluate(&batch).unwrap();
        let values = evaluated.values.as_primitive::<Float64Type>().iter().collect();
        (values, evaluated.failed.into_iter().map(|(row, _)| row).collect())
    }

    #[test]
    fn parameters_that_could_never_work_are_refused_with_the_reason() {
        for (sql, reason) in [
            ("cyclic_sin(x, 0)", "above 0"),
            ("cyclic_cos(x, -24)", "above 0"),
            ("cyclic_cos(x, NULL)", "constant"),
            ("cyclic_sin(x)", "can't be called"),
            ("haversine(x, x, x)", "can't be called"),
            ("haversine('a', x, x, x)", "wants DOUBLE"),
            ("xxhash64()", "can't be called"),
            ("hash_bucket(x, 0)", "from 1"),
            ("hash_bucket(x, 2.5)", "from 1"),
            ("hash_bucket(x, x)", "from 1"),
            ("hash_bucket(x, x, 10)", "can't be called"),
            ("hash_cross(x, 10)", "can't be called"),
            ("bucket(x)", "can't be called"),
            ("bucket(x, x)", "constant"),
            ("bucket(x, 1, 1)", "ascend"),
            ("bucket(x, 2, 1)", "ascend"),
            ("bucket(x, double('NaN'))", "constant"),
            ("bucket(x, '1')", "wants DOUBLE"),
            ("width_bucket(x, 0, 1, 2.5)", "wants BIGINT"),
            ("scale_standard(x, 1)", "can't be called"),
            ("scale_standard(x, x, 1)", "constant"),
            ("scale_standard(x, 0, -1)", "negative"),
            ("scale_standard(x, double('Infinity'), 1)", "finite"),
            ("scale_robust(x, 0, -0.5)", "negative"),
            ("scale_robust(x, NULL, 1)", "constant"),
            ("scale_minmax(x, 2, 1)", "below its min"),
            ("scale_minmax(x, -1.7e308, 1.7e308)", "too wide"),
        ] {
            let error = CompiledExpr::compile(sql, &schema(), "features.f").unwrap_err();
            assert_eq!(error.condition, "TYPE_MISMATCH", "{sql}: {error}");
            assert!(error.to_string().contains(reason), "{sql}: {error}");
        }
    }

    #[test]
    fn a_cycle_closes() {
        let (sines, failed) = doubles("cyclic_sin(x, 24)", vec![Some(0.0), Some(6.0), Some(24.0), Some(2.4e16), None]);
        assert_eq!(sines, [Some(0.0), Some(1.0), Some(0.0), Some(0.0), None]);
        assert!(failed.is_empty());
        let (cosines, _) = doubles("cyclic_cos(x, 7)", vec![Some(0.0), Some(3.5), Some(-3.5), Some(7e15)]);
        assert_eq!(cosines, [Some(1.0), Some(-1.0), Some(-1.0), Some(1.0)]);
    }

    #[test]
    fn a_period_that_is_no_period_fails_its_row_only() {
        let (values, failed) =
            doubles("cyclic_cos(0, x)", vec![Some(1.0), Some(0.0), None, Some(-1.0), Some(f64::NAN), Some(9.0)]);
        assert_eq!(failed, [1, 3, 4]);
        assert_eq!(values, [Some(1.0), None, None, None, None, Some(1.0)]);
    }

    #[test]
    fn a_column_that_never_changed_scales_to_zero() {
        for sql in ["scale_standard(x, 5, 0)", "scale_robust(x, 5, 0)", "scale_minmax(x, 5, 5)"] {
            assert_eq!(doubles(sql, vec![Some(5.0), Some(7.0), None]).0, [Some(0.0), Some(2.0), None], "{sql}");
        }
    }

    #[test]
    fn scales_are_what_their_names_say() {
        for (sql, wanted) in [
            ("scale_standard(x, 1, 2)", 4.5),
            ("scale_robust(x, 2, 4)", 2.0),
            ("scale_minmax(x, 0, 20)", 0.5),
            ("scale_minmax(x, 20, 40)", -0.5),
        ] {
            assert_eq!(doubles(sql, vec![Some(10.0)]).0, [Some(wanted)], "{sql}");
        }
    }

    #[test]
    fn hashes_take_all_columns_and_no_null_comes_out() {
        let batch = RecordBatch::try_new(schema(), vec![Arc::new(Float64Array::from(vec![None, Some(1.0)]))]).unwrap();
        for sql in ["xxhash64(x)", "hash_bucket(x, 10)", "hash_cross(x, 'shop', 10)", "xxhash64(NULL, x)"] {
            let evaluated = CompiledExpr::compile(sql, &schema(), "x").unwrap().evaluate(&batch).unwrap();
            assert_eq!(evaluated.values.null_count(), 0, "{sql}");
        }
    }
}
