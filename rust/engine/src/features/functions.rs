//! The functions an expression may call: their names, signatures, and how a call is bound to a kernel.
//!
//! An allow-list: a function is on it when its answers were compared with Spark's, row by row
//! (`tests/test_expressions_vs_spark.py` runs every example below, or what it stands for where Spark has no function of
//! the name). Anything else is refused by name.

mod encodings;

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_physical_expr::expressions::{CaseExpr, IsNotNullExpr, IsNullExpr};
use std::sync::Arc;

use super::coerce::{self, cast_to, is_number, mismatch, timestamp};
use super::kernels::arith::{self, Op};
use super::kernels::calendar::SECOND_MICROS;
use super::kernels::{math, order, round, text, time};
use super::typed::Typed;
use crate::error::SpecError;
use crate::spec::{names, spark_type_name};

/// One function of the dialect, for docs and for the comparison with Spark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Name, lower case.
    pub name: &'static str,
    /// How it is called and what it returns.
    pub signature: &'static str,
    /// An expression over the columns of the comparison's table.
    pub example: &'static str,
}

const fn f(name: &'static str, signature: &'static str, example: &'static str) -> Function {
    Function { name, signature, example }
}

/// Every function, by name. The table in `docs/reference/expressions.md` is checked against it.
pub const ALL: &[Function] = &[
    f("abs", "(number) → same type", "abs(i)"),
    f("acos", "(number) → DOUBLE", "acos(d)"),
    f("add_months", "(DATE, INT) → DATE", "add_months(dt, small)"),
    f("asin", "(number) → DOUBLE", "asin(d)"),
    f("atan", "(number) → DOUBLE", "atan(d)"),
    f("atan2", "(y, x) → DOUBLE", "atan2(d, e)"),
    f("bucket", "(number, edge, …) → INT, how many edges are at or below", "bucket(d, -1, 0, 2.5)"),
    f("cbrt", "(number) → DOUBLE", "cbrt(d)"),
    f("ceil", "(number) → BIGINT", "ceil(d)"),
    f("ceiling", "(number) → BIGINT", "ceiling(d)"),
    f("char_length", "(STRING) → INT", "char_length(s)"),
    f("character_length", "(STRING) → INT", "character_length(s)"),
    f("coalesce", "(any, …) → common type", "coalesce(i, l, 7)"),
    f("concat", "(STRING, …) → STRING", "concat(s, '-', t)"),
    f("contains", "(STRING, STRING) → BOOLEAN", "contains(s, t)"),
    f("cos", "(number) → DOUBLE", "cos(d)"),
    f("cosh", "(number) → DOUBLE", "cosh(d)"),
    f("cyclic_cos", "(number, period) → DOUBLE", "cyclic_cos(hour(ts), 24)"),
    f("cyclic_sin", "(number, period) → DOUBLE", "cyclic_sin(d, 7)"),
    f("date", "(STRING literal, TIMESTAMP or DATE) → DATE", "date(ts)"),
    f("date_add", "(DATE, INT) → DATE", "date_add(dt, small)"),
    f("date_diff", "(end, start) → INT, days", "date_diff(dt, DATE '2000-01-01')"),
    f("date_sub", "(DATE, INT) → DATE", "date_sub(dt, small)"),
    f("date_trunc", "(unit literal, TIMESTAMP) → TIMESTAMP", "date_trunc('week', ts)"),
    f("datediff", "(end, start) → INT, days", "datediff(ts, dt)"),
    f("day", "(DATE) → INT", "day(dt)"),
    f("dayofmonth", "(DATE) → INT", "dayofmonth(ts)"),
    f("dayofweek", "(DATE) → INT, 1 = Sunday", "dayofweek(dt)"),
    f("dayofyear", "(DATE) → INT", "dayofyear(dt)"),
    f("degrees", "(number) → DOUBLE", "degrees(d)"),
    f("double", "(any) → DOUBLE, a cast", "double(l)"),
    f("endswith", "(STRING, STRING) → BOOLEAN", "endswith(s, t)"),
    f("exp", "(number) → DOUBLE", "exp(d)"),
    f("expm1", "(number) → DOUBLE", "expm1(d)"),
    f("float", "(any) → FLOAT, a cast", "float(d)"),
    f("floor", "(number) → BIGINT", "floor(d)"),
    f("greatest", "(any, any, …) → common type; skips nulls", "greatest(d, e, 1)"),
    f("hash_bucket", "(any, INT literal) → INT, from 0; never null", "hash_bucket(s, 1000)"),
    f("hash_cross", "(any, any, …, INT literal) → INT, from 0; never null", "hash_cross(s, i, dt, 64)"),
    f("haversine", "(lat, lon, lat, lon) → DOUBLE, metres", "haversine(d, e, i, j)"),
    f("hour", "(TIMESTAMP) → INT", "hour(ts)"),
    f("hypot", "(number, number) → DOUBLE", "hypot(d, e)"),
    f("if", "(BOOLEAN, any, any) → common type", "if(i > 0, i, l)"),
    f("ifnull", "(any, any) → common type", "ifnull(i, 5)"),
    f("instr", "(STRING, STRING) → INT, from 1; 0 if absent", "instr(s, t)"),
    f("int", "(any) → INT, a cast", "int(l)"),
    f("bigint", "(any) → BIGINT, a cast", "bigint(d)"),
    f("isnan", "(number) → BOOLEAN; false for null", "isnan(d)"),
    f("isnotnull", "(any) → BOOLEAN", "isnotnull(s)"),
    f("isnull", "(any) → BOOLEAN", "isnull(d)"),
    f("last_day", "(DATE) → DATE", "last_day(dt)"),
    f("least", "(any, any, …) → common type; skips nulls", "least(d, e, 1)"),
    f("left", "(STRING, INT) → STRING", "left(s, small)"),
    f("len", "(STRING) → INT", "len(s)"),
    f("length", "(STRING) → INT", "length(s)"),
    f("ln", "(number) → DOUBLE; null at and below 0", "ln(d)"),
    f("log", "([base,] number) → DOUBLE; null at and below 0", "log(e, d)"),
    f("log10", "(number) → DOUBLE; null at and below 0", "log10(d)"),
    f("log1p", "(number) → DOUBLE; null at and below -1", "log1p(d)"),
    f("log2", "(number) → DOUBLE; null at and below 0", "log2(d)"),
    f("lower", "(STRING) → STRING", "lower(s)"),
    f("lcase", "(STRING) → STRING", "lcase(s)"),
    f("ltrim", "(STRING) → STRING; spaces only", "ltrim(s)"),
    f("minute", "(TIMESTAMP) → INT", "minute(ts)"),
    f("mod", "(number, number) → common type", "mod(i, small)"),
    f("month", "(DATE) → INT", "month(dt)"),
    f("nanvl", "(number, number) → common type", "nanvl(d, e)"),
    f("negative", "(number) → same type", "negative(i)"),
    f("nullif", "(any, any) → type of the first", "nullif(i, 0)"),
    f("nvl", "(any, any) → common type", "nvl(s, 'none')"),
    f("nvl2", "(any, any, any) → common type", "nvl2(s, i, l)"),
    f("pmod", "(number, number) → common type", "pmod(i, small)"),
    f("position", "(STRING, STRING) → INT, from 1; 0 if absent", "position(t, s)"),
    f("pow", "(number, number) → DOUBLE", "pow(d, e)"),
    f("power", "(number, number) → DOUBLE", "power(d, 2)"),
    f("quarter", "(DATE) → INT", "quarter(dt)"),
    f("radians", "(number) → DOUBLE", "radians(d)"),
    f("replace", "(STRING, search [, new]) → STRING", "replace(s, 'a', 'bb')"),
    f("reverse", "(STRING) → STRING", "reverse(s)"),
    f("right", "(STRING, INT) → STRING", "right(s, small)"),
    f("rint", "(number) → DOUBLE", "rint(d)"),
    f("round", "(number [, INT literal]) → same type; half up", "round(d, 2)"),
    f("rtrim", "(STRING) → STRING; spaces only", "rtrim(s)"),
    f("scale_minmax", "(number, min, max) → DOUBLE", "scale_minmax(i, -7, 125)"),
    f("scale_robust", "(number, median, iqr) → DOUBLE", "scale_robust(f, 0.5, 2.5)"),
    f("scale_standard", "(number, mean, std) → DOUBLE", "scale_standard(d, 1.5, 0.3)"),
    f("second", "(TIMESTAMP) → INT", "second(ts)"),
    f("sign", "(number) → DOUBLE", "sign(d)"),
    f("signum", "(number) → DOUBLE", "signum(i)"),
    f("sin", "(number) → DOUBLE", "sin(d)"),
    f("sinh", "(number) → DOUBLE", "sinh(d)"),
    f("sqrt", "(number) → DOUBLE", "sqrt(d)"),
    f("startswith", "(STRING, STRING) → BOOLEAN", "startswith(s, t)"),
    f("string", "(any) → STRING, a cast", "string(i)"),
    f("substr", "(STRING, position [, length]) → STRING", "substr(s, small)"),
    f("substring", "(STRING, position [, length]) → STRING", "substring(s, small, 2)"),
    f("tan", "(number) → DOUBLE", "tan(d)"),
    f("tanh", "(number) → DOUBLE", "tanh(d)"),
    f("time_of_day", "(TIMESTAMP) → DOUBLE, hours", "time_of_day(ts)"),
    f("timestamp_micros", "(integer) → TIMESTAMP", "timestamp_micros(l)"),
    f("timestamp_millis", "(integer) → TIMESTAMP", "timestamp_millis(l)"),
    f("to_date", "(DATE or TIMESTAMP) → DATE", "to_date(ts)"),
    f("trim", "(STRING) → STRING; spaces only", "trim(s)"),
    f("trunc", "(DATE, unit literal) → DATE", "trunc(dt, 'month')"),
    f("try_add", "(number, number) → common type; null on overflow", "try_add(i, j)"),
    f("try_divide", "(number, number) → DOUBLE; null on division by zero", "try_divide(d, e)"),
    f("try_mod", "(number, number) → common type; null on division by zero", "try_mod(i, j)"),
    f("try_multiply", "(number, number) → common type; null on overflow", "try_multiply(i, j)"),
    f("try_subtract", "(number, number) → common type; null on overflow", "try_subtract(i, j)"),
    f("unix_date", "(DATE) → INT, days since 1970-01-01", "unix_date(dt)"),
    f("unix_micros", "(TIMESTAMP) → BIGINT", "unix_micros(ts)"),
    f("unix_millis", "(TIMESTAMP) → BIGINT, rounded down", "unix_millis(ts)"),
    f("unix_seconds", "(TIMESTAMP) → BIGINT, rounded down", "unix_seconds(ts)"),
    f("unix_timestamp", "(TIMESTAMP or DATE) → BIGINT, rounded towards 0", "unix_timestamp(ts)"),
    f("upper", "(STRING) → STRING", "upper(s)"),
    f("ucase", "(STRING) → STRING", "ucase(s)"),
    f("weekday", "(DATE) → INT, 0 = Monday", "weekday(dt)"),
    f("weekofyear", "(DATE) → INT, ISO 8601", "weekofyear(dt)"),
    f("width_bucket", "(number, min, max, BIGINT) → BIGINT", "width_bucket(d, e, 10, small)"),
    f("xxhash64", "(any, …) → BIGINT; never null", "xxhash64(s, i, d)"),
    f("year", "(DATE) → INT", "year(ts)"),
];

/// Bind a call. Faults have no place; the caller adds the call's.
pub(super) fn bind(written: &str, args: Vec<Typed>) -> Result<Typed, SpecError> {
    let name = written.to_ascii_lowercase();
    let Some(function) = ALL.iter().find(|function| function.name == name) else {
        let error = SpecError::new("UNKNOWN_FUNCTION", "", format!("the function {written} is not supported"));
        return Err(match names::nearest(&name, ALL.iter().map(|function| function.name)) {
            Some(near) => error.with_hint(format!("did you mean {near}?")),
            None => error.with_hint("the functions are listed in docs/reference/expressions.md"),
        });
    };
    Call { function, args }.bind()
}

/// A call whose function is known.
struct Call {
    function: &'static Function,
    args: Vec<Typed>,
}

impl Call {
    fn bind(mut self) -> Result<Typed, SpecError> {
        let name = self.function.name;
        if let Some(kernel) = math::unary(if name == "sign" { "signum" } else { name }) {
            let args = self.doubles(1)?;
            return Ok(Typed::call(name, DataType::Float64, args, move |args| math::run_unary(kernel, args)));
        }
        let log = if name == "log" && self.args.len() == 1 { "ln" } else { name };
        if let Some(kernel) = math::logarithm(log) {
            let args = self.doubles(1)?;
            return Ok(Typed::call(name, DataType::Float64, args, move |args| math::run_logarithm(kernel, args)));
        }
        let field = if name == "dayofmonth" { "day" } else { name };
        if let Some(kernel) = time::date_field(field) {
            let args = vec![self.one().and_then(|arg| self.date(arg))?];
            return Ok(Typed::call(name, DataType::Int32, args, move |args| time::run_date_field(kernel, args)));
        }
        if let Some(kernel) = time::time_field(name) {
            let args = vec![self.one().and_then(|arg| self.time(arg))?];
            return Ok(Typed::call(name, DataType::Int32, args, move |args| time::run_time_field(kernel, args)));
        }
        match name {
            "abs" | "negative" => self.same_number(if name == "abs" { arith::abs } else { arith::negate }),
            "atan2" | "pow" | "power" | "hypot" | "log" => self.two_doubles(),
            "ceil" | "ceiling" | "floor" => self.whole(),
            "round" => self.round(),
            "isnan" => self.isnan(),
            "mod" => self.arithmetic(Op::Remainder, false),
            "pmod" => self.arithmetic(Op::Pmod, false),
            "try_add" => self.arithmetic(Op::Add, true),
            "try_subtract" => self.arithmetic(Op::Subtract, true),
            "try_multiply" => self.arithmetic(Op::Multiply, true),
            "try_divide" => self.arithmetic(Op::Divide, true),
            "try_mod" => self.arithmetic(Op::Remainder, true),
            "greatest" | "least" => self.extreme(),
            "coalesce" | "nvl" | "ifnull" => self.coalesce(),
            "nvl2" => {
                let [tested, then, other] = self.take()?;
                choose(not_null(tested), then, other, name)
            }
            "nullif" => {
                let [value, other] = self.take()?;
                let null = Typed::literal(ScalarValue::Null);
                choose(super::lower::compare("=", value.clone(), other)?, null, value, name)
            }
            "nanvl" => self.nanvl(),
            "if" => {
                let [condition, then, other] = self.take()?;
                if !matches!(condition.data_type, DataType::Boolean | DataType::Null) {
                    return Err(mismatch("the first argument of if must be BOOLEAN"));
                }
                choose(cast_to(condition, &DataType::Boolean, false), then, other, name)
            }
            "isnull" => Ok(is_null(self.one()?)),
            "isnotnull" => Ok(not_null(self.one()?)),
            "int" => self.cast(DataType::Int32),
            "bigint" => self.cast(DataType::Int64),
            "float" => self.cast(DataType::Float32),
            "double" => self.cast(DataType::Float64),
            "string" => self.cast(DataType::Utf8),
            "date" => self.cast(DataType::Date32),
            "cyclic_sin" | "cyclic_cos" | "haversine" | "xxhash64" | "hash_bucket" | "hash_cross" | "bucket"
            | "width_bucket" | "scale_standard" | "scale_minmax" | "scale_robust" => self.encoding(),
            _ => self.text_or_time(),
        }
    }

    fn text_or_time(mut self) -> Result<Typed, SpecError> {
        use DataType::{Boolean, Date32, Int32, Int64, Utf8};
        let name = self.function.name;
        match name {
            "lower" | "lcase" => self.texts(&[Utf8], Utf8, text::lower),
            "upper" | "ucase" => self.texts(&[Utf8], Utf8, text::upper),
            "reverse" => self.texts(&[Utf8], Utf8, text::reverse),
            "length" | "len" | "char_length" | "character_length" => match self.args.as_slice() {
                [arg] if arg.data_type == DataType::Binary => Ok(Typed::call(name, Int32, self.args, text::length)),
                _ => self.texts(&[Utf8], Int32, text::length),
            },
            "trim" => self.trim(text::Ends::Both),
            "ltrim" => self.trim(text::Ends::Left),
            "rtrim" => self.trim(text::Ends::Right),
            "left" => self.texts(&[Utf8, Int32], Utf8, text::left),
            "right" => self.texts(&[Utf8, Int32], Utf8, text::right),
            "substring" | "substr" if self.args.len() == 2 => self.texts(&[Utf8, Int32], Utf8, text::substring),
            "substring" | "substr" => self.texts(&[Utf8, Int32, Int32], Utf8, text::substring),
            "concat" => {
                let wanted = vec![Utf8; self.args.len().max(1)];
                self.texts(&wanted, Utf8, text::concat)
            }
            "instr" => self.texts(&[Utf8, Utf8], Int32, text::instr),
            "position" => {
                self.args.reverse();
                self.texts(&[Utf8, Utf8], Int32, text::instr)
            }
            "replace" => {
                if self.args.len() == 2 {
                    self.args.push(Typed::literal(ScalarValue::from("")));
                }
                self.texts(&[Utf8, Utf8, Utf8], Utf8, text::replace)
            }
            "startswith" => self.texts(&[Utf8, Utf8], Boolean, |a| text::test(|s, part| s.starts_with(part), a)),
            "endswith" => self.texts(&[Utf8, Utf8], Boolean, |a| text::test(|s, part| s.ends_with(part), a)),
            "contains" => self.texts(&[Utf8, Utf8], Boolean, |a| text::test(|s, part| s.contains(part), a)),
            "to_date" => {
                let arg = self.one()?;
                self.date(arg)
            }
            "last_day" => {
                let args = vec![self.one().and_then(|arg| self.date(arg))?];
                Ok(Typed::call(name, Date32, args, time::last_day))
            }
            "date_add" | "date_sub" | "add_months" => {
                let [date, count] = self.take()?;
                let args = vec![self.date(date)?, self.narrow(count, &Int32)?];
                Ok(match name {
                    "add_months" => Typed::call(name, Date32, args, time::add_months),
                    "date_add" => Typed::call(name, Date32, args, |args| time::date_add(1, args)),
                    _ => Typed::call(name, Date32, args, |args| time::date_add(-1, args)),
                })
            }
            "datediff" | "date_diff" => {
                let [end, start] = self.take()?;
                let args = vec![self.date(end)?, self.date(start)?];
                Ok(Typed::call(name, Int32, args, time::datediff))
            }
            "unix_date" => {
                let arg = self.one().and_then(|arg| self.date(arg))?;
                Ok(Typed::call(name, Int32, vec![arg], |args| {
                    super::kernels::map::<arrow::datatypes::Date32Type, arrow::datatypes::Int32Type>(&args[0], Ok)
                }))
            }
            "time_of_day" => {
                let arg = self.one().and_then(|arg| self.time(arg))?;
                Ok(Typed::call(name, DataType::Float64, vec![arg], time::time_of_day))
            }
            "unix_timestamp" => {
                let arg = self.one().and_then(|arg| self.time(arg))?;
                Ok(Typed::call(name, Int64, vec![arg], time::unix_timestamp))
            }
            "unix_seconds" => self.unix(SECOND_MICROS),
            "unix_millis" => self.unix(1_000),
            "unix_micros" => self.unix(1),
            "timestamp_millis" | "timestamp_micros" => {
                let unit = if name == "timestamp_millis" { 1_000 } else { 1 };
                let arg = self.one().and_then(|arg| self.narrow(arg, &Int64))?;
                Ok(Typed::call(name, timestamp(), vec![arg], move |args| time::from_unix(unit, args)))
            }
            "date_trunc" => {
                let [unit, arg] = self.take()?;
                let unit = self.unit(&unit)?;
                let arg = self.time(arg)?;
                Ok(Typed::call(name, arg.data_type.clone(), vec![arg], move |args| time::date_trunc(unit, args)))
            }
            "trunc" => {
                let [arg, unit] = self.take()?;
                let unit = self.unit(&unit)?;
                if matches!(unit, time::Unit::Micros(_)) {
                    return Err(mismatch("trunc takes year, quarter, month or week").with_hint("use date_trunc"));
                }
                let arg = self.date(arg)?;
                Ok(Typed::call(name, Date32, vec![arg], move |args| time::trunc(unit, args)))
            }
            other => Err(SpecError::new("UNKNOWN_FUNCTION", "", format!("the function {other} has no kernel"))),
        }
    }

    fn misuse(&self) -> SpecError {
        let types: Vec<_> = self.args.iter().map(|arg| spark_type_name(&arg.data_type)).collect();
        let name = self.function.name;
        mismatch(format!("{name} can't be called with ({})", types.join(", ")))
            .with_hint(format!("it is {name}{}", self.function.signature))
    }

    fn refused(&self, arg: &Typed, wanted: &str) -> SpecError {
        let message = format!("{} wants {wanted}, not {}", self.function.name, spark_type_name(&arg.data_type));
        mismatch(message).with_hint(format!("write CAST(… AS {wanted})"))
    }

    fn take<const N: usize>(&mut self) -> Result<[Typed; N], SpecError> {
        if self.args.len() != N {
            return Err(self.misuse());
        }
        std::mem::take(&mut self.args).try_into().map_err(|_| self.misuse())
    }

    fn one(&mut self) -> Result<Typed, SpecError> {
        let [arg] = self.take()?;
        Ok(arg)
    }

    fn number(&self, arg: Typed, to: &DataType) -> Result<Typed, SpecError> {
        match arg.data_type {
            ref data_type if is_number(data_type) => Ok(cast_to(arg, to, false)),
            DataType::Null | DataType::Decimal128(_, _) => Ok(cast_to(arg, to, false)),
            _ => Err(self.refused(&arg, "DOUBLE")),
        }
    }

    /// An integer argument; a wider one is refused, as ANSI does.
    fn narrow(&self, arg: Typed, to: &DataType) -> Result<Typed, SpecError> {
        match coerce::common(&arg.data_type, to) {
            Some(common) if common == *to => Ok(cast_to(arg, to, false)),
            _ => Err(self.refused(&arg, &spark_type_name(to))),
        }
    }

    fn doubles(&mut self, count: usize) -> Result<Vec<Typed>, SpecError> {
        if self.args.len() != count {
            return Err(self.misuse());
        }
        let args = std::mem::take(&mut self.args);
        args.into_iter().map(|arg| self.number(arg, &DataType::Float64)).collect()
    }

    fn date(&self, arg: Typed) -> Result<Typed, SpecError> {
        match (&arg.data_type, &arg.constant) {
            (DataType::Date32 | DataType::Timestamp(_, _) | DataType::Null, _)
            | (DataType::Utf8, Some(ScalarValue::Utf8(Some(_)))) => {
                coerce::cast_explicitly(arg, &DataType::Date32, false)
            }
            _ => Err(self.refused(&arg, "DATE")),
        }
    }

    fn time(&self, arg: Typed) -> Result<Typed, SpecError> {
        match (&arg.data_type, &arg.constant) {
            (DataType::Timestamp(_, _), _) => Ok(arg),
            (DataType::Date32 | DataType::Null, _) | (DataType::Utf8, Some(ScalarValue::Utf8(Some(_)))) => {
                coerce::cast_explicitly(arg, &timestamp(), false)
            }
            _ => Err(self.refused(&arg, "TIMESTAMP")),
        }
    }

    fn unit(&self, arg: &Typed) -> Result<time::Unit, SpecError> {
        let Some(ScalarValue::Utf8(Some(text))) = &arg.constant else {
            return Err(mismatch(format!("the unit of {} must be a text constant", self.function.name)));
        };
        time::Unit::parse(text).ok_or_else(|| {
            mismatch(format!("'{text}' is not a unit of {}", self.function.name))
                .with_hint(names::advice(text, time::Unit::NAMES))
        })
    }

    fn cast(mut self, to: DataType) -> Result<Typed, SpecError> {
        coerce::cast_explicitly(self.one()?, &to, false)
    }

    fn same_number(
        mut self,
        kernel: fn(&[arrow::array::ArrayRef]) -> super::typed::KernelResult,
    ) -> Result<Typed, SpecError> {
        let arg = self.one()?;
        if !is_number(&arg.data_type) {
            return Err(self.refused(&arg, "DOUBLE"));
        }
        Ok(Typed::call(self.function.name, arg.data_type.clone(), vec![arg], kernel))
    }

    fn two_doubles(mut self) -> Result<Typed, SpecError> {
        let kernel = match self.function.name {
            "atan2" => math::atan2,
            "hypot" => math::hypot,
            "log" => math::log_base,
            _ => math::pow,
        };
        Ok(Typed::call(self.function.name, DataType::Float64, self.doubles(2)?, kernel))
    }

    fn whole(mut self) -> Result<Typed, SpecError> {
        let name = self.function.name;
        if let [arg] = self.args.as_slice()
            && arg.data_type.is_integer()
        {
            return Ok(cast_to(self.one()?, &DataType::Int64, false));
        }
        let kernel = if name == "floor" { f64::floor } else { f64::ceil };
        Ok(Typed::call(name, DataType::Int64, self.doubles(1)?, move |args| math::to_whole(kernel, args)))
    }

    fn round(mut self) -> Result<Typed, SpecError> {
        let scale = match self.args.get(1).map(|arg| &arg.constant) {
            None => 0,
            Some(Some(ScalarValue::Int32(Some(scale)))) => *scale,
            Some(_) => return Err(mismatch("the second argument of round must be a whole constant")),
        };
        self.args.truncate(2);
        let arg = self.args.swap_remove(0);
        if !is_number(&arg.data_type) {
            return Err(self.refused(&arg, "DOUBLE"));
        }
        Ok(Typed::call("round", arg.data_type.clone(), vec![arg], move |args| round::round(scale, args)))
    }

    fn isnan(mut self) -> Result<Typed, SpecError> {
        let arg = self.one()?;
        let arg = if arg.data_type == DataType::Float32 { arg } else { self.number(arg, &DataType::Float64)? };
        Ok(Typed::call("isnan", DataType::Boolean, vec![arg], math::isnan))
    }

    fn arithmetic(mut self, op: Op, lenient: bool) -> Result<Typed, SpecError> {
        let [left, right] = self.take()?;
        super::lower::arithmetic(op, left, right, lenient)
    }

    fn extreme(mut self) -> Result<Typed, SpecError> {
        if self.args.len() < 2 {
            return Err(self.misuse());
        }
        let greatest = self.function.name == "greatest";
        let (args, data_type) = coerce::unify_all(std::mem::take(&mut self.args), self.function.name)?;
        Ok(Typed::call(self.function.name, data_type, args, move |args| order::extreme(greatest, args)))
    }

    fn coalesce(mut self) -> Result<Typed, SpecError> {
        if self.args.is_empty() || (self.function.name != "coalesce" && self.args.len() != 2) {
            return Err(self.misuse());
        }
        let (mut args, data_type) = coerce::unify_all(std::mem::take(&mut self.args), self.function.name)?;
        let Some(last) = args.pop() else { return Err(self.misuse()) };
        let cases = args.into_iter().map(|arg| (not_null(arg.clone()), arg)).collect();
        case(cases, Some(last), data_type)
    }

    fn nanvl(mut self) -> Result<Typed, SpecError> {
        let [value, other] = self.take()?;
        let (value, other, data_type) = coerce::unify(value, other, "nanvl")?;
        let (value, other, data_type) = match data_type {
            DataType::Float32 | DataType::Float64 => (value, other, data_type),
            _ => (self.number(value, &DataType::Float64)?, self.number(other, &DataType::Float64)?, DataType::Float64),
        };
        let nan = Typed::call("isnan", DataType::Boolean, vec![value.clone()], math::isnan);
        case(vec![(nan, other)], Some(value), data_type)
    }

    fn trim(mut self, ends: text::Ends) -> Result<Typed, SpecError> {
        // Spark writes the characters first: trim(chars, s) exists for ltrim and rtrim only.
        if self.args.len() == 2 && ends != text::Ends::Both {
            self.args.reverse();
            return self.texts(&[DataType::Utf8, DataType::Utf8], DataType::Utf8, move |args| text::trim(ends, args));
        }
        self.texts(&[DataType::Utf8], DataType::Utf8, move |args| text::trim(ends, args))
    }

    fn texts(
        mut self,
        wanted: &[DataType],
        output: DataType,
        kernel: impl Fn(&[arrow::array::ArrayRef]) -> super::typed::KernelResult + Send + Sync + 'static,
    ) -> Result<Typed, SpecError> {
        if self.args.len() != wanted.len() {
            return Err(self.misuse());
        }
        let args = std::mem::take(&mut self.args);
        let args = args.into_iter().zip(wanted).map(|(arg, to)| match to {
            DataType::Utf8 if !matches!(arg.data_type, DataType::Utf8 | DataType::Null) => {
                Err(self.refused(&arg, "STRING"))
            }
            DataType::Utf8 => Ok(cast_to(arg, to, false)),
            to => self.narrow(arg, to),
        });
        let args = args.collect::<Result<Vec<_>, _>>()?;
        Ok(Typed::call(self.function.name, output, args, kernel))
    }

    fn unix(mut self, unit: i64) -> Result<Typed, SpecError> {
        let arg = self.one().and_then(|arg| self.time(arg))?;
        Ok(Typed::call(self.function.name, DataType::Int64, vec![arg], move |args| time::unix(unit, args)))
    }
}

/// `arg IS NULL`
pub(super) fn is_null(arg: Typed) -> Typed {
    Typed::new(Arc::new(IsNullExpr::new(arg.expr)), DataType::Boolean)
}

/// `arg IS NOT NULL`
pub(super) fn not_null(arg: Typed) -> Typed {
    Typed::new(Arc::new(IsNotNullExpr::new(arg.expr)), DataType::Boolean)
}

/// `CASE WHEN condition THEN then ELSE other END` with the branches brought to one type.
pub(super) fn choose(condition: Typed, then: Typed, other: Typed, what: &str) -> Result<Typed, SpecError> {
    let (then, other, data_type) = coerce::unify(then, other, what)?;
    case(vec![(condition, then)], Some(other), data_type)
}

/// A CASE whose conditions are boolean and whose branches have `data_type`. Each branch sees only its own rows.
pub(super) fn case(cases: Vec<(Typed, Typed)>, other: Option<Typed>, data_type: DataType) -> Result<Typed, SpecError> {
    if cases.is_empty() {
        return other.ok_or_else(|| mismatch("a CASE without branches"));
    }
    let cases = cases.into_iter().map(|(when, then)| (when.expr, then.expr)).collect();
    let expr = CaseExpr::try_new(None, cases, other.map(|other| other.expr))
        .map_err(|error| SpecError::new("BAD_EXPRESSION", "", error.strip_backtrace()))?;
    Ok(Typed::new(Arc::new(expr), data_type))
}
