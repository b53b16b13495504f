//! From the syntax tree to a typed expression, with Spark's rules for names, types and operators.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion_common::ScalarValue;
use datafusion_expr::Operator;
use datafusion_physical_expr::expressions::{BinaryExpr, Column, LikeExpr, NotExpr};
use sqlparser::ast::{
    BinaryOperator, CastKind, CeilFloorKind, DataType as SqlType, ExactNumberInfo, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, Spanned, TimezoneInfo, TrimWhereField, UnaryOperator, Value,
};

use super::coerce::{self, cast_to, is_number, mismatch, timestamp};
use super::functions::{self, case, is_null, not_null};
use super::kernels::{arith, arith::Op, order, text};
use super::typed::Typed;
use crate::error::{Place, SpecError};
use crate::spec::{names, spark_type_name};

type Lowered = Result<Typed, SpecError>;

/// Turns syntax trees over one schema into typed expressions.
pub(super) struct Lowering<'a> {
    pub(super) schema: &'a SchemaRef,
}

impl Lowering<'_> {
    /// Lower a tree; a fault gets the place of the innermost part that has one.
    pub(super) fn expr(&self, expr: &Expr) -> Lowered {
        self.unplaced(expr).map_err(|mut error| {
            let start = expr.span().start;
            if error.place == Place::default() && start.line > 0 {
                error.place = Place { line: start.line as u32, column: start.column as u32 };
            }
            error
        })
    }

    fn unplaced(&self, expr: &Expr) -> Lowered {
        match expr {
            Expr::Nested(inner) => self.expr(inner),
            Expr::Identifier(name) => self.column(&name.value),
            Expr::CompoundIdentifier(parts) => {
                self.column(&parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join("."))
            }
            Expr::Value(value) => literal(&value.value, false),
            Expr::TypedString(typed) => match &typed.value.value {
                Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => {
                    coerce::time_literal(text, &sql_type(&typed.data_type)?)
                }
                _ => Err(unsupported("this literal")),
            },
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::IsNull(inner) => Ok(is_null(self.expr(inner)?)),
            Expr::IsNotNull(inner) => Ok(not_null(self.expr(inner)?)),
            Expr::IsTrue(inner) => self.is(inner, true, true),
            Expr::IsFalse(inner) => self.is(inner, false, true),
            Expr::IsNotTrue(inner) => self.is(inner, true, false),
            Expr::IsNotFalse(inner) => self.is(inner, false, false),
            Expr::Between { expr, negated, low, high } => {
                let value = self.expr(expr)?;
                let low = compare(">=", value.clone(), self.expr(low)?)?;
                let high = compare("<=", value, self.expr(high)?)?;
                Ok(negate_if(*negated, logical(Operator::And, low, high)?))
            }
            Expr::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Expr::Like { negated, any: false, expr, pattern, escape_char: None } => self.like(expr, pattern, *negated),
            Expr::Case { operand, conditions, else_result, .. } => {
                let operand = operand.as_deref().map(|operand| self.expr(operand)).transpose()?;
                let mut whens = Vec::new();
                let mut branches = Vec::new();
                for branch in conditions {
                    let when = self.expr(&branch.condition)?;
                    whens.push(match &operand {
                        Some(operand) => compare("=", operand.clone(), when)?,
                        None => condition(when, "WHEN")?,
                    });
                    branches.push(self.expr(&branch.result)?);
                }
                if let Some(other) = else_result {
                    branches.push(self.expr(other)?);
                }
                let (mut branches, data_type) = coerce::unify_all(branches, "CASE")?;
                let other = else_result.as_ref().and_then(|_| branches.pop());
                case(whens.into_iter().zip(branches).collect(), other, data_type)
            }
            Expr::Cast { kind, expr, data_type, array: false, format: None } => {
                let lenient = matches!(kind, CastKind::TryCast | CastKind::SafeCast);
                coerce::cast_explicitly(self.expr(expr)?, &sql_type(data_type)?, lenient)
            }
            Expr::Extract { field, expr, .. } => functions::bind(&field.to_string(), vec![self.expr(expr)?]),
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(_) } => {
                functions::bind("ceil", vec![self.expr(expr)?])
            }
            Expr::Floor { expr, field: CeilFloorKind::DateTimeField(_) } => {
                functions::bind("floor", vec![self.expr(expr)?])
            }
            Expr::Position { expr, r#in } => functions::bind("position", vec![self.expr(expr)?, self.expr(r#in)?]),
            Expr::Substring { expr, substring_from: Some(from), substring_for, .. } => {
                let mut args = vec![self.expr(expr)?, self.expr(from)?];
                if let Some(length) = substring_for {
                    args.push(self.expr(length)?);
                }
                functions::bind("substring", args)
            }
            Expr::Trim { trim_where, trim_what, expr, trim_characters: None } => {
                self.trim(*trim_where, trim_what.as_deref(), expr)
            }
            Expr::Function(call) => self.call(call),
            other => Err(unsupported(&format!("{other}"))),
        }
    }

    /// A column by its name: exactly, else ignoring case, as Spark does.
    fn column(&self, name: &str) -> Lowered {
        let fields = self.schema.fields();
        let folded = name.to_lowercase();
        let found = fields
            .iter()
            .position(|field| field.name() == name)
            .or_else(|| fields.iter().position(|field| field.name().to_lowercase() == folded));
        let Some(index) = found else {
            let known = fields.iter().map(|field| field.name().as_str());
            return Err(SpecError::new("UNKNOWN_COLUMN", "", format!("there is no column {name}"))
                .with_hint(names::advice(name, known)));
        };
        let field = &fields[index];
        Ok(Typed::new(Arc::new(Column::new(field.name(), index)), field.data_type().clone()))
    }

    fn unary(&self, op: UnaryOperator, expr: &Expr) -> Lowered {
        match (op, expr) {
            // The least BIGINT has no positive counterpart, so the sign belongs to the literal.
            (UnaryOperator::Minus, Expr::Value(value)) if matches!(value.value, Value::Number(_, _)) => {
                literal(&value.value, true)
            }
            (UnaryOperator::Minus, _) => {
                let arg = self.expr(expr)?;
                if !is_number(&arg.data_type) {
                    return Err(not_a_number("-", &arg));
                }
                Ok(Typed::call("negative", arg.data_type.clone(), vec![arg], arith::negate))
            }
            (UnaryOperator::Plus, _) => self.expr(expr),
            (UnaryOperator::Not | UnaryOperator::BangNot, _) => {
                Ok(negate_if(true, condition(self.expr(expr)?, "NOT")?))
            }
            (other, _) => Err(unsupported(&format!("the operator {other}"))),
        }
    }

    fn binary(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Lowered {
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        match op {
            BinaryOperator::And => logical(Operator::And, condition(left, "AND")?, condition(right, "AND")?),
            BinaryOperator::Or => logical(Operator::Or, condition(left, "OR")?, condition(right, "OR")?),
            BinaryOperator::Plus => arithmetic(Op::Add, left, right, false),
            BinaryOperator::Minus => arithmetic(Op::Subtract, left, right, false),
            BinaryOperator::Multiply => arithmetic(Op::Multiply, left, right, false),
            BinaryOperator::Divide => arithmetic(Op::Divide, left, right, false),
            BinaryOperator::Modulo => arithmetic(Op::Remainder, left, right, false),
            BinaryOperator::MyIntegerDivide => arithmetic(Op::IntegerDivide, left, right, false),
            BinaryOperator::StringConcat => functions::bind("concat", vec![left, right]),
            BinaryOperator::Eq => compare("=", left, right),
            BinaryOperator::NotEq => compare("<>", left, right),
            BinaryOperator::Lt => compare("<", left, right),
            BinaryOperator::LtEq => compare("<=", left, right),
            BinaryOperator::Gt => compare(">", left, right),
            BinaryOperator::GtEq => compare(">=", left, right),
            BinaryOperator::Spaceship => compare("<=>", left, right),
            other => Err(unsupported(&format!("the operator {other}"))),
        }
    }

    fn is(&self, inner: &Expr, value: bool, wanted: bool) -> Lowered {
        let inner = condition(self.expr(inner)?, "IS")?;
        let value = Typed::literal(ScalarValue::Boolean(Some(value)));
        Ok(negate_if(!wanted, compare("<=>", inner, value)?))
    }

    fn in_list(&self, expr: &Expr, list: &[Expr], negated: bool) -> Lowered {
        let value = self.expr(expr)?;
        let mut any: Option<Typed> = None;
        for item in list {
            let equal = compare("=", value.clone(), self.expr(item)?)?;
            any = Some(match any {
                Some(any) => logical(Operator::Or, any, equal)?,
                None => equal,
            });
        }
        let any = any.ok_or_else(|| unsupported("an empty IN list"))?;
        Ok(negate_if(negated, any))
    }

    fn like(&self, expr: &Expr, pattern: &Expr, negated: bool) -> Lowered {
        let (value, pattern) = (self.expr(expr)?, self.expr(pattern)?);
        for side in [&value, &pattern] {
            if side.data_type != DataType::Utf8 {
                return Err(mismatch(format!("LIKE wants STRING, not {}", spark_type_name(&side.data_type)))
                    .with_hint("write CAST(… AS STRING)"));
            }
        }
        let pattern = match &pattern.constant {
            Some(ScalarValue::Utf8(Some(text))) if text::bad_escape(text) => {
                let message = format!("the LIKE pattern '{text}' has a \\ before another character than %, _ or \\");
                return Err(mismatch(message));
            }
            Some(_) => pattern,
            None => Typed::call("like_pattern", DataType::Utf8, vec![value.clone(), pattern], text::like_pattern),
        };
        Ok(Typed::new(Arc::new(LikeExpr::new(negated, false, value.expr, pattern.expr)), DataType::Boolean))
    }

    fn trim(&self, ends: Option<TrimWhereField>, what: Option<&Expr>, expr: &Expr) -> Lowered {
        let (name, ends) = match ends {
            None | Some(TrimWhereField::Both) => ("trim", text::Ends::Both),
            Some(TrimWhereField::Leading) => ("ltrim", text::Ends::Left),
            Some(TrimWhereField::Trailing) => ("rtrim", text::Ends::Right),
        };
        let value = self.expr(expr)?;
        let Some(what) = what else { return functions::bind(name, vec![value]) };
        let what = self.expr(what)?;
        for side in [&value, &what] {
            if side.data_type != DataType::Utf8 {
                return Err(mismatch(format!("{name} wants STRING, not {}", spark_type_name(&side.data_type))));
            }
        }
        Ok(Typed::call(name, DataType::Utf8, vec![value, what], move |args| text::trim(ends, args)))
    }

    fn call(&self, call: &Function) -> Lowered {
        let name = call.name.to_string();
        let plain = call.over.is_none()
            && call.filter.is_none()
            && call.within_group.is_empty()
            && call.null_treatment.is_none();
        let FunctionArguments::List(list) = &call.args else { return functions::bind(&name, Vec::new()) };
        if !plain || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
            return Err(unsupported("an aggregate or window function")
                .with_hint("an expression sees one row; write it in a block of `windows`"));
        }
        let mut args = Vec::new();
        for arg in &list.args {
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)) => args.push(self.expr(arg)?),
                other => return Err(unsupported(&format!("the argument {other}"))),
            }
        }
        functions::bind(&name, args)
    }
}

fn unsupported(what: &str) -> SpecError {
    SpecError::new("BAD_EXPRESSION", "", format!("{what} is not supported in an expression"))
}

fn not_a_number(operator: &str, arg: &Typed) -> SpecError {
    let name = spark_type_name(&arg.data_type);
    let error = mismatch(format!("{operator} wants numbers, not {name}"));
    match arg.data_type {
        DataType::Utf8 | DataType::Decimal128(_, _) | DataType::Boolean => error.with_hint("write CAST(… AS DOUBLE)"),
        DataType::Date32 => error.with_hint("use date_add, date_sub or datediff"),
        DataType::Timestamp(_, _) => error.with_hint("use unix_micros or datediff"),
        _ => error,
    }
}

/// A condition must be boolean.
fn condition(arg: Typed, what: &str) -> Lowered {
    match arg.data_type {
        DataType::Boolean => Ok(arg),
        DataType::Null => Ok(cast_to(arg, &DataType::Boolean, false)),
        _ => Err(mismatch(format!("{what} wants BOOLEAN, not {}", spark_type_name(&arg.data_type)))),
    }
}

fn negate_if(negated: bool, arg: Typed) -> Typed {
    if negated { Typed::new(Arc::new(NotExpr::new(arg.expr)), DataType::Boolean) } else { arg }
}

fn logical(op: Operator, left: Typed, right: Typed) -> Lowered {
    Ok(Typed::new(Arc::new(BinaryExpr::new(left.expr, op, right.expr)), DataType::Boolean))
}

/// A comparison; `<=>` takes two nulls for equal.
pub(super) fn compare(operator: &str, left: Typed, right: Typed) -> Lowered {
    let (left, right, data_type) = coerce::unify(left, right, operator)?;
    let op = match operator {
        "=" => Operator::Eq,
        "<>" => Operator::NotEq,
        "<" => Operator::Lt,
        "<=" => Operator::LtEq,
        ">" => Operator::Gt,
        ">=" => Operator::GtEq,
        _ => Operator::IsNotDistinctFrom,
    };
    let normal = |arg: Typed| match data_type {
        DataType::Float32 | DataType::Float64 => {
            Typed::call("normalized", data_type.clone(), vec![arg], order::normalized)
        }
        _ => arg,
    };
    let (left, right) = (normal(left), normal(right));
    let constant = left.constant.is_some() && right.constant.is_some();
    let typed = Typed::new(Arc::new(BinaryExpr::new(left.expr, op, right.expr)), DataType::Boolean);
    Ok(if constant { typed.folded() } else { typed })
}

/// `left op right` on numbers.
pub(super) fn arithmetic(op: Op, left: Typed, right: Typed, lenient: bool) -> Lowered {
    for side in [&left, &right] {
        if !is_number(&side.data_type) && side.data_type != DataType::Null {
            return Err(not_a_number(op.name(), side));
        }
    }
    let data_type = match (op, coerce::common(&left.data_type, &right.data_type)) {
        (Op::Divide, _) | (_, None | Some(DataType::Null)) => DataType::Float64,
        (Op::IntegerDivide, Some(common)) if common.is_integer() => DataType::Int64,
        (Op::IntegerDivide, Some(_)) => {
            return Err(mismatch("div wants whole numbers").with_hint("write floor(a / b) or cast to BIGINT"));
        }
        (_, Some(common)) => common,
    };
    let args = vec![cast_to(left, &data_type, false), cast_to(right, &data_type, false)];
    let kernel_type = data_type.clone();
    Ok(Typed::call(op.name(), data_type, args, move |args| arith::binary(op, &kernel_type, lenient, args)))
}

fn literal(value: &Value, negative: bool) -> Lowered {
    Ok(Typed::literal(match value {
        Value::Null => ScalarValue::Null,
        Value::Boolean(value) => ScalarValue::Boolean(Some(*value)),
        Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => ScalarValue::from(text.as_str()),
        Value::Number(digits, long) => number(digits, *long, negative)?,
        other => return Err(unsupported(&format!("the literal {other}"))),
    }))
}

/// A whole number is an INT or, if it needs to be, a BIGINT; anything else is a DOUBLE.
fn number(digits: &str, long: bool, negative: bool) -> Result<ScalarValue, SpecError> {
    let text = if negative { format!("-{digits}") } else { digits.to_owned() };
    let fault = || mismatch(format!("{text} is out of range")).with_hint("write it with an exponent, such as 1e20");
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        let value: i64 = text.parse().map_err(|_| fault())?;
        return Ok(match i32::try_from(value) {
            Ok(value) if !long => ScalarValue::Int32(Some(value)),
            _ => ScalarValue::Int64(Some(value)),
        });
    }
    let value: f64 = text.parse().map_err(|_| fault())?;
    if value.is_infinite() { Err(fault()) } else { Ok(ScalarValue::Float64(Some(value))) }
}

fn sql_type(data_type: &SqlType) -> Result<DataType, SpecError> {
    Ok(match data_type {
        SqlType::Boolean | SqlType::Bool => DataType::Boolean,
        SqlType::TinyInt(None) => DataType::Int8,
        SqlType::SmallInt(None) => DataType::Int16,
        SqlType::Int(None) | SqlType::Integer(None) => DataType::Int32,
        SqlType::BigInt(None) => DataType::Int64,
        SqlType::Float(ExactNumberInfo::None) | SqlType::Real => DataType::Float32,
        SqlType::Double(ExactNumberInfo::None) => DataType::Float64,
        SqlType::String(None) => DataType::Utf8,
        SqlType::Binary(None) => DataType::Binary,
        SqlType::Date => DataType::Date32,
        SqlType::Timestamp(None, TimezoneInfo::None) => timestamp(),
        SqlType::TimestampNtz(None) => DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None),
        SqlType::Decimal(info) | SqlType::Dec(info) | SqlType::Numeric(info) => {
            let (precision, scale) = match info {
                ExactNumberInfo::None => (10, 0),
                ExactNumberInfo::Precision(precision) => (*precision, 0),
                ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
            };
            match (u8::try_from(precision), i8::try_from(scale)) {
                (Ok(precision @ 1..=38), Ok(scale @ 0..)) if scale as u8 <= precision => {
                    DataType::Decimal128(precision, scale)
                }
                _ => return Err(mismatch(format!("DECIMAL({precision},{scale}) is out of range"))),
            }
        }
        SqlType::Custom(name, none) if none.is_empty() => match name.to_string().to_ascii_uppercase().as_str() {
            "LONG" => DataType::Int64,
            "SHORT" => DataType::Int16,
            "BYTE" => DataType::Int8,
            "TIMESTAMP_LTZ" => timestamp(),
            other => return Err(mismatch(format!("{other} is not a type"))),
        },
        other => return Err(mismatch(format!("the type {other} is not supported"))),
    })
}
