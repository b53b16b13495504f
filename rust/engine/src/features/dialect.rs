//! From text to syntax tree, as Spark reads it: backticks quote names, both quotes make texts, `\` escapes.

use std::any::TypeId;

use sqlparser::ast::{BinaryOperator, Expr};
use sqlparser::dialect::{Dialect, Precedence, SparkSqlDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::{Place, SpecError};

/// Deeper expressions are refused, so that hostile text can't exhaust the stack.
const MAX_DEPTH: usize = 64;

/// `sqlparser`'s Spark dialect, with Spark's string escapes and `div` bound as tightly as `*`.
#[derive(Debug)]
struct FiresteelDialect;

impl Dialect for FiresteelDialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<SparkSqlDialect>()
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '`'
    }

    fn is_identifier_start(&self, c: char) -> bool {
        c.is_ascii_alphabetic() || c == '_'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_ascii_alphanumeric() || c == '_'
    }

    fn supports_string_literal_backslash_escape(&self) -> bool {
        true
    }

    fn supports_bang_not_operator(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_long_type_as_bigint(&self) -> bool {
        true
    }

    fn parse_infix(&self, parser: &mut Parser, left: &Expr, _: u8) -> Option<Result<Expr, ParserError>> {
        if !parser.parse_keyword(Keyword::DIV) {
            return None;
        }
        let right = parser.parse_subexpr(self.prec_value(Precedence::MulDivModOp));
        Some(right.map(|right| Expr::BinaryOp {
            left: Box::new(left.clone()),
            op: BinaryOperator::MyIntegerDivide,
            right: Box::new(right),
        }))
    }
}

/// Parse one expression; nothing may follow it. Faults carry a place inside `sql`.
pub(crate) fn parse(sql: &str) -> Result<Expr, SpecError> {
    let dialect = FiresteelDialect;
    let tokens = Tokenizer::new(&dialect, sql).tokenize_with_location().map_err(|error| {
        let place = Place { line: error.location.line as u32, column: error.location.column as u32 };
        fault(error.message, place)
    })?;
    let end = super::super::spec::inner_place(sql, sql.chars().count());
    let mut parser = Parser::new(&dialect).with_recursion_limit(MAX_DEPTH).with_tokens_with_locations(tokens);
    let expr = parser.parse_expr().map_err(|error| match error {
        ParserError::RecursionLimitExceeded => {
            fault(format!("the expression is nested deeper than {MAX_DEPTH}"), Place { line: 1, column: 1 })
        }
        ParserError::ParserError(message) | ParserError::TokenizerError(message) => {
            let (message, place) = split_place(&message, end);
            fault(message, place)
        }
    })?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let place = Place { line: rest.span.start.line as u32, column: rest.span.start.column as u32 };
        return Err(fault(format!("unexpected {} after the end of the expression", rest.token), place));
    }
    Ok(expr)
}

/// Names in an expression: columns (`a.b.c` as one), functions, keywords. None if it is no expression.
pub(crate) fn names_in(sql: &str) -> Vec<String> {
    let tokens = Tokenizer::new(&FiresteelDialect, sql).tokenize().unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    let mut dotted = false;
    for token in tokens {
        match token {
            Token::Word(word) => match names.last_mut() {
                Some(name) if dotted => {
                    name.push('.');
                    name.push_str(&word.value);
                }
                _ => names.push(word.value),
            },
            Token::Period => {
                dotted = true;
                continue;
            }
            _ => {}
        }
        dotted = false;
    }
    names
}

fn fault(message: impl Into<String>, place: Place) -> SpecError {
    let mut error = SpecError::new("BAD_EXPRESSION", "", message);
    error.place = place;
    error
}

/// The parser writes the place into its message: ` at Line: 1, Column: 7`.
fn split_place(message: &str, end: Place) -> (String, Place) {
    let parsed = message.rsplit_once(" at Line: ").and_then(|(text, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        let column: String = column.chars().take_while(char::is_ascii_digit).collect();
        Some((text.to_owned(), Place { line: line.parse().ok()?, column: column.parse().ok()? }))
    });
    parsed.unwrap_or_else(|| (message.to_owned(), end))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(sql: &str) -> String {
        parse(sql).unwrap().to_string()
    }

    #[test]
    fn div_binds_like_times() {
        assert_eq!(shown("a div b + 1"), shown("(a div b) + 1").replace(['(', ')'], ""));
        let Expr::BinaryOp { op, .. } = parse("a div b + 1").unwrap() else { unreachable!() };
        assert_eq!(op, BinaryOperator::Plus);
        let Expr::BinaryOp { op, .. } = parse("1 + a div b").unwrap() else { unreachable!() };
        assert_eq!(op, BinaryOperator::Plus);
    }

    #[test]
    fn faults_have_a_place() {
        for (sql, column) in [("a +", 4), ("a + * b", 5), ("(a", 3), ("a b", 3), ("'open", 1)] {
            let error = parse(sql).unwrap_err();
            assert_eq!(
                (error.condition, error.place.line, error.place.column),
                ("BAD_EXPRESSION", 1, column),
                "{error}"
            );
        }
    }
}
