//! One aggregate as the author wrote it: `avg(amount) FILTER (WHERE is_online)`.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, Value,
};

use crate::error::{Place, SpecError};
use crate::features::parse;
use crate::spec::{Duration, names};

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Aggregate {
    Count,
    Sum,
    Avg,
    /// Of a population (by n) or of a sample (by n − 1).
    Var {
        population: bool,
    },
    Stddev {
        population: bool,
    },
    Min,
    Max,
    Distinct,
    /// From 0 to 1.
    Quantile(f64),
    First,
    Last,
    Mode,
    Rate,
    /// Part of the events in which a condition is true.
    Share,
    ZScore,
    Slope,
    Lag(u32),
    Delta,
    SinceLast,
    /// Half-life in microseconds.
    Ewma(i64),
}

/// Names in messages, in the order of the docs.
const NAMES: [&str; 23] = [
    "count",
    "sum",
    "avg",
    "var",
    "var_pop",
    "stddev",
    "stddev_pop",
    "min",
    "max",
    "distinct",
    "quantile",
    "median",
    "first",
    "last",
    "mode",
    "rate",
    "share",
    "zscore",
    "slope",
    "lag",
    "delta",
    "since_last",
    "ewma",
];

/// Furthest `lag`.
const FURTHEST: u32 = 10_000;

impl Aggregate {
    /// Looks at the key's events by itself, without a window.
    pub(crate) fn is_windowless(self) -> bool {
        matches!(self, Self::Lag(_) | Self::Delta | Self::SinceLast | Self::Ewma(_))
    }
}

/// A parsed call: the aggregate, what it is of (`None`: all events) and which events count.
#[derive(Debug)]
pub(crate) struct AggregateCall {
    pub(crate) aggregate: Aggregate,
    pub(crate) argument: Option<Expr>,
    pub(crate) filter: Option<Expr>,
}

impl AggregateCall {
    /// Reads a call.
    ///
    /// # Errors
    /// What is wrong with it, with a place inside `sql`.
    pub(crate) fn parse(sql: &str) -> Result<Self, SpecError> {
        let tree = parse(sql)?;
        let Expr::Function(call) = &tree else {
            return Err(bad("an aggregate is expected")
                .with_hint(format!("one call, such as avg(amount); known: {}", NAMES.join(", "))));
        };
        Self::of(call).map_err(|mut error| {
            let start = tree.span().start;
            if error.place == Place::default() && start.line > 0 {
                error.place = Place { line: start.line as u32, column: start.column as u32 };
            }
            error
        })
    }

    fn of(call: &Function) -> Result<Self, SpecError> {
        let name = call.name.to_string().to_ascii_lowercase();
        let FunctionArguments::List(list) = &call.args else {
            return Err(bad(format!("{name} wants arguments in parentheses")));
        };
        if call.over.is_some()
            || !call.within_group.is_empty()
            || call.null_treatment.is_some()
            || !list.clauses.is_empty()
        {
            return Err(bad("OVER, WITHIN GROUP, IGNORE NULLS and ORDER BY are not supported in an aggregate")
                .with_hint("the block's over says which windows there are"));
        }
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let name = match (name.as_str(), distinct) {
            ("count", true) => "distinct",
            (_, true) => return Err(bad(format!("{name}(DISTINCT …) is not supported")).with_hint("write distinct(x)")),
            (plain, false) => plain,
        };
        let mut arguments = Vec::with_capacity(list.args.len());
        for argument in &list.args {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => arguments.push(Some(expr)),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => arguments.push(None),
                other => return Err(bad(format!("the argument {other} is not supported"))),
            }
        }
        let (aggregate, argument) = call_of(name, &arguments)?;
        Ok(Self { aggregate, argument: argument.cloned(), filter: call.filter.as_deref().cloned() })
    }
}

type Arguments<'a> = [Option<&'a Expr>];

fn call_of<'a>(name: &str, arguments: &Arguments<'a>) -> Result<(Aggregate, Option<&'a Expr>), SpecError> {
    let of_events = |aggregate| match arguments {
        [None] | [] => Ok((aggregate, None)),
        [Some(expr)] if name != "since_last" => Ok((aggregate, Some(*expr))),
        _ => Err(bad(format!("{name} wants one argument, or *"))),
    };
    let of_values = |aggregate| match arguments {
        [Some(expr)] => Ok((aggregate, Some(*expr))),
        _ => Err(bad(format!("{name} wants one argument"))),
    };
    match name {
        "count" => of_events(Aggregate::Count),
        "rate" => of_events(Aggregate::Rate),
        "since_last" => of_events(Aggregate::SinceLast),
        "sum" => of_values(Aggregate::Sum),
        "avg" | "mean" => of_values(Aggregate::Avg),
        "var" | "var_samp" | "variance" => of_values(Aggregate::Var { population: false }),
        "var_pop" => of_values(Aggregate::Var { population: true }),
        "stddev" | "stddev_samp" | "std" => of_values(Aggregate::Stddev { population: false }),
        "stddev_pop" => of_values(Aggregate::Stddev { population: true }),
        "min" => of_values(Aggregate::Min),
        "max" => of_values(Aggregate::Max),
        "distinct" => of_values(Aggregate::Distinct),
        "median" => of_values(Aggregate::Quantile(0.5)),
        "first" => of_values(Aggregate::First),
        "last" => of_values(Aggregate::Last),
        "mode" => of_values(Aggregate::Mode),
        "share" => of_values(Aggregate::Share),
        "zscore" => of_values(Aggregate::ZScore),
        "slope" => of_values(Aggregate::Slope),
        "delta" => of_values(Aggregate::Delta),
        "quantile" => match arguments {
            [Some(expr), Some(part)] => match number(part) {
                Some(part) if (0.0..=1.0).contains(&part) => Ok((Aggregate::Quantile(part), Some(*expr))),
                _ => Err(bad("quantile wants a number from 0 to 1 as its second argument")),
            },
            _ => Err(bad("quantile wants two arguments, such as quantile(amount, 0.9)")),
        },
        "lag" => match arguments {
            [Some(expr)] => Ok((Aggregate::Lag(1), Some(*expr))),
            [Some(expr), Some(back)] => match number(back) {
                Some(back) if back.fract() == 0.0 && (1.0..=f64::from(FURTHEST)).contains(&back) => {
                    Ok((Aggregate::Lag(back as u32), Some(*expr)))
                }
                _ => Err(bad(format!("lag wants a whole number from 1 to {FURTHEST} as its second argument"))),
            },
            _ => Err(bad("lag wants one or two arguments, such as lag(amount, 2)")),
        },
        "ewma" => match arguments {
            [Some(expr), Some(Expr::Value(value))] => match &value.value {
                Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => match Duration::parse(text) {
                    Ok(half_life) if !half_life.is_zero() => Ok((Aggregate::Ewma(half_life.micros()), Some(*expr))),
                    Ok(_) => Err(bad("a half-life can't be 0 long")),
                    Err(message) => Err(bad(message)),
                },
                _ => Err(bad("ewma wants a half-life as its second argument, such as ewma(amount, '1 day')")),
            },
            _ => Err(bad("ewma wants two arguments, such as ewma(amount, '1 day')")),
        },
        other => Err(SpecError::new("UNKNOWN_FUNCTION", "", format!("there is no aggregate {other}"))
            .with_hint(names::advice(other, NAMES))),
    }
}

fn number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

fn bad(message: impl Into<String>) -> SpecError {
    SpecError::new("BAD_EXPRESSION", "", message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read() {
        for (sql, aggregate, argument, filter) in [
            ("count(*)", Aggregate::Count, None, None),
            ("count(x)", Aggregate::Count, Some("x"), None),
            ("COUNT(DISTINCT x)", Aggregate::Distinct, Some("x"), None),
            ("distinct(x)", Aggregate::Distinct, Some("x"), None),
            ("avg(a + b) FILTER (WHERE c > 1)", Aggregate::Avg, Some("a + b"), Some("c > 1")),
            ("stddev_pop(x)", Aggregate::Stddev { population: true }, Some("x"), None),
            ("quantile(x, 0.9)", Aggregate::Quantile(0.9), Some("x"), None),
            ("median(x)", Aggregate::Quantile(0.5), Some("x"), None),
            ("first(x)", Aggregate::First, Some("x"), None),
            ("last(x)", Aggregate::Last, Some("x"), None),
            ("mode(x)", Aggregate::Mode, Some("x"), None),
            ("min(x)", Aggregate::Min, Some("x"), None),
            ("rate(*)", Aggregate::Rate, None, None),
            ("share(x > 5)", Aggregate::Share, Some("x > 5"), None),
            ("lag(x)", Aggregate::Lag(1), Some("x"), None),
            ("lag(x, 3)", Aggregate::Lag(3), Some("x"), None),
            ("since_last(*)", Aggregate::SinceLast, None, None),
            ("since_last()", Aggregate::SinceLast, None, None),
            ("ewma(x, '2 hours')", Aggregate::Ewma(7_200_000_000), Some("x"), None),
        ] {
            let call = AggregateCall::parse(sql).unwrap();
            assert_eq!(call.aggregate, aggregate, "{sql}");
            assert_eq!(call.argument.map(|a| a.to_string()).as_deref(), argument, "{sql}");
            assert_eq!(call.filter.map(|a| a.to_string()).as_deref(), filter, "{sql}");
        }
    }

    #[test]
    fn what_is_no_aggregate_is_refused() {
        for sql in [
            "x + 1",
            "sum(x) + 1",
            "sum()",
            "sum(*)",
            "sum(x, y)",
            "total(x)",
            "quantile(x)",
            "quantile(x, 2)",
            "lag(x, 0)",
            "lag(x, 1.5)",
            "ewma(x)",
            "ewma(x, 1)",
            "ewma(x, '0 s')",
            "sum(DISTINCT x)",
            "sum(x) OVER (PARTITION BY y)",
            "since_last(x)",
            "avg(x",
            "",
        ] {
            let error = AggregateCall::parse(sql).unwrap_err();
            assert!(["BAD_EXPRESSION", "UNKNOWN_FUNCTION"].contains(&error.condition), "{sql}: {error}");
        }
    }
}
