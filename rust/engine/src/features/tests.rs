//! The stage as a whole: types, faults, isolation of failing rows, any split of a batch.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, SchemaRef};
use arrow::record_batch::RecordBatch;
use proptest::prelude::*;

use super::*;
use crate::error::SpecError;
use crate::spec::TableSchema;

const DDL: &str = "i INT, j INT, l BIGINT, small INT, f FLOAT, d DOUBLE, e DOUBLE, b BOOLEAN, s STRING, t STRING, dt DATE, ts TIMESTAMP, g STRUCT<lat: DOUBLE>";

fn schema() -> SchemaRef {
    Arc::clone(TableSchema::parse(DDL).unwrap().leaves())
}

fn refused(sql: &str) -> SpecError {
    CompiledExpr::compile(sql, &schema(), "features.x").unwrap_err()
}

fn numbers(values: Vec<Option<i32>>) -> RecordBatch {
    let schema = Arc::clone(TableSchema::parse("i INT").unwrap().leaves());
    RecordBatch::try_new(schema, vec![Arc::new(Int32Array::from(values))]).unwrap()
}

#[test]
fn every_listed_function_compiles_and_the_list_is_sound() {
    for function in functions::ALL {
        CompiledExpr::compile(function.example, &schema(), "x").unwrap_or_else(|e| panic!("{}: {e}", function.example));
        assert!(function.example.contains(&format!("{}(", function.name)), "{}", function.name);
    }
    let names: std::collections::HashSet<_> = functions::ALL.iter().map(|f| f.name).collect();
    assert_eq!(names.len(), functions::ALL.len());
}

#[test]
fn the_docs_page_lists_every_function() {
    let page = include_str!("../../../../docs/reference/expressions.md");
    for function in functions::ALL {
        let row = format!("| `{}` | `{}` |", function.name, function.signature);
        assert!(page.contains(&row), "docs/reference/expressions.md misses: {row}");
    }
}

const RECIPES: &str = include_str!("../../../../docs/reference/feature-recipes.md");

#[test]
fn the_examples_of_the_recipes_have_the_values_that_the_page_says() {
    let table = RECIPES.split("| example | value |").nth(1).unwrap();
    let rows: Vec<_> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() > 10, "the table has {} rows", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.split('`').collect();
        let expr = CompiledExpr::compile(cells[1], &schema(), "x").unwrap_or_else(|e| panic!("{row}: {e}"));
        let batch = numbers(vec![None]);
        let values = expr.evaluate(&batch).unwrap().values;
        let value = match values.data_type() {
            _ if values.is_null(0) => "NULL".to_owned(),
            DataType::Float64 => format!("{:?}", values.as_primitive::<Float64Type>().value(0)),
            DataType::Int32 => values.as_primitive::<Int32Type>().value(0).to_string(),
            _ => values.as_primitive::<Int64Type>().value(0).to_string(),
        };
        assert_eq!(value, cells[3], "{row}");
    }
}

#[test]
fn the_features_of_the_recipes_compile() {
    #[derive(serde::Deserialize)]
    struct Block {
        features: serde_json::Map<String, serde_json::Value>,
    }
    // What the page's features name, columns of its windows included.
    let ddl = "ts TIMESTAMP, lat DOUBLE, lon DOUBLE, home_lat DOUBLE, home_lon DOUBLE, merchant STRING, kind STRING, \
               country STRING, channel STRING, amount DOUBLE, age INT, pause DOUBLE, card_id_last_lat DOUBLE, \
               card_id_last_lon DOUBLE, card_id_pause_s DOUBLE, merchant_labels_30d BIGINT, merchant_risk_30d DOUBLE";
    let schema = Arc::clone(TableSchema::parse(ddl).unwrap().leaves());
    let blocks: Vec<&str> = RECIPES.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() > 5);
    for text in blocks {
        let block: Block = serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let features: IndexMap<String, String> =
            block.features.iter().map(|(name, sql)| (name.clone(), sql.as_str().unwrap().to_owned())).collect();
        assert!(!features.is_empty());
        Features::try_new(&features, &schema).unwrap_or_else(|e| panic!("{text}: {e:?}"));
    }
}

#[test]
fn types_are_sparks() {
    for (sql, wanted) in [
        ("i + 1", DataType::Int32),
        ("i + l", DataType::Int64),
        ("i / 2", DataType::Float64),
        ("i div 2", DataType::Int64),
        ("i + f", DataType::Float64),
        ("f + f", DataType::Float32),
        ("f / f", DataType::Float64),
        ("ceil(d)", DataType::Int64),
        ("round(i, -1)", DataType::Int32),
        ("year(ts)", DataType::Int32),
        ("if(b, i, d)", DataType::Float64),
        ("g.lat > 1", DataType::Boolean),
        ("`g.lat` * 2", DataType::Float64),
        ("D + 1", DataType::Float64),
        ("length(s)", DataType::Int32),
        ("CAST(i AS SMALLINT)", DataType::Int16),
        ("ts > '2024-01-01'", DataType::Boolean),
    ] {
        let expr = CompiledExpr::compile(sql, &schema(), "x").unwrap_or_else(|e| panic!("{sql}: {e}"));
        assert_eq!(*expr.data_type(), wanted, "{sql}");
    }
}

#[test]
fn faults_name_condition_place_and_cure() {
    for (sql, condition, column, hint) in [
        ("1 + amuont", "UNKNOWN_COLUMN", 5, "known"),
        ("i + smal", "UNKNOWN_COLUMN", 5, "did you mean small?"),
        ("i + lenght(s)", "UNKNOWN_FUNCTION", 5, "did you mean length?"),
        ("i > s", "TYPE_MISMATCH", 1, "CAST"),
        ("s + 1", "TYPE_MISMATCH", 1, "CAST"),
        ("ts - ts", "TYPE_MISMATCH", 1, "unix_micros"),
        ("i AND b", "TYPE_MISMATCH", 1, ""),
        ("CAST(s AS DATE)", "TYPE_MISMATCH", 6, "input.schema"),
        ("d div 2", "TYPE_MISMATCH", 1, "floor"),
        ("sum(i) OVER ()", "BAD_EXPRESSION", 1, "one row"),
        ("(SELECT 1)", "BAD_EXPRESSION", 0, ""),
        ("s LIKE 'a\\\\b'", "TYPE_MISMATCH", 1, ""),
        ("NULL", "TYPE_MISMATCH", 0, "CAST"),
    ] {
        let error = refused(sql);
        assert_eq!(error.condition, condition, "{sql}: {error}");
        assert_eq!(error.path, "features.x");
        assert!(error.hint.clone().unwrap_or_default().contains(hint), "{sql}: {error}");
        assert!(column == 0 || error.place.column == column, "{sql}: {:?}", error.place);
    }
}

#[test]
fn every_feature_at_fault_is_named_but_not_those_that_only_follow() {
    let spec: IndexMap<String, String> =
        [("aa", "smal + 1"), ("bb", "aa * 2"), ("cc", "bb + 1"), ("dd", "i + 1"), ("ee", "dd + k")]
            .map(|(n, s)| (n.into(), s.into()))
            .into();
    let faults = Features::try_new(&spec, &schema()).unwrap_err().0;
    let found: Vec<(&str, &str)> = faults.iter().map(|fault| (fault.path.as_str(), fault.condition)).collect();
    assert_eq!(found, [("features.aa", "UNKNOWN_COLUMN"), ("features.ee", "UNKNOWN_COLUMN")], "{faults:?}");
}

#[test]
fn a_later_feature_uses_an_earlier_one_and_failing_rows_leave() {
    let spec: IndexMap<String, String> = [("half", "10 / i"), ("twice", "half * 2"), ("big", "i * 1000000000")]
        .map(|(n, s)| (n.into(), s.into()))
        .into();
    let batch = numbers(vec![Some(1), Some(0), None, Some(5), Some(2)]);
    let mut features = Features::try_new(&spec, &batch.schema()).unwrap();
    let staged = features.process(batch).unwrap();
    let rejected: Vec<_> = staged.rejected.iter().map(|r| (r.row, r.code.name(), r.message.as_str())).collect();
    assert_eq!(
        rejected,
        [(1, "EXPRESSION_FAILED", "half: division by zero in /"), (3, "EXPRESSION_FAILED", "big: overflow in *"),]
    );
    assert_eq!(staged.kept.schema(), *features.output_schema());
    let twice = staged.kept.column(2).as_primitive::<Float64Type>();
    assert_eq!(twice.iter().collect::<Vec<_>>(), [Some(20.0), None, Some(10.0)]);
}

#[test]
fn a_guard_protects_its_rows() {
    for sql in
        ["i <> 0 AND 10 / i > 2", "CASE WHEN i = 0 THEN false ELSE 10 / i > 2 END", "if(i = 0, false, 10 / i > 2)"]
    {
        let batch = numbers(vec![Some(0), Some(1), Some(9), Some(0)]);
        let expr = CompiledExpr::compile(sql, &batch.schema(), "x").unwrap();
        let evaluated = expr.evaluate(&batch).unwrap();
        assert!(evaluated.failed.is_empty(), "{sql}");
        let values: Vec<_> = evaluated.values.as_boolean().iter().map(Option::unwrap).collect();
        assert_eq!(values, [false, true, false, false], "{sql}");
    }
}

#[test]
fn an_empty_batch_gives_an_empty_column() {
    let batch = numbers(vec![]);
    for sql in ["1 / 0", "i + 1", "'x'"] {
        let expr = CompiledExpr::compile(sql, &batch.schema(), "x").unwrap();
        assert_eq!(expr.evaluate(&batch).unwrap().values.len(), 0);
    }
}

fn table() -> impl Strategy<Value = RecordBatch> {
    let row = (
        prop::option::of(prop_oneof![Just(0), Just(i32::MAX), Just(i32::MIN), -5..5_i32]),
        prop::option::of(prop_oneof![Just(0.0), Just(f64::NAN), Just(-0.0), -3.0..3.0_f64]),
        prop::option::of(prop_oneof![Just("12".to_owned()), Just("x".to_owned()), Just(String::new())]),
        prop::option::of(any::<i32>()),
    );
    prop::collection::vec(row, 0..60).prop_map(|rows| {
        let schema =
            Arc::clone(TableSchema::parse("i INT, d DOUBLE, s STRING, ts TIMESTAMP, l BIGINT").unwrap().leaves());
        let micros = |row: &(_, _, _, Option<i32>)| row.3.map(|n| i64::from(n) * 1_000_003);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|r| r.0).collect::<Int32Array>()),
            Arc::new(rows.iter().map(|r| r.1).collect::<Float64Array>()),
            Arc::new(rows.iter().map(|r| r.2.clone()).collect::<StringArray>()),
            Arc::new(rows.iter().map(micros).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
            Arc::new(rows.iter().map(micros).collect::<Int64Array>()),
        ];
        RecordBatch::try_new(schema, columns).unwrap()
    })
}

const FALLIBLE: [&str; 8] = [
    "i + 2147483647",
    "100 / i",
    "i % i",
    "CAST(s AS INT) + i",
    "i <> 0 AND 100 / i > d",
    "CASE WHEN d > 0 THEN 1 / i WHEN s = 'x' THEN abs(i) END",
    "coalesce(CAST(s AS DOUBLE), 1 / i)",
    "d IN (0, 1) OR l * 4000 > i",
];

proptest! {
    /// Each row alone is the definition of the right answer.
    #[test]
    fn bisection_isolates_exactly_the_failing_rows(batch in table(), which in 0..FALLIBLE.len()) {
        let expr = CompiledExpr::compile(FALLIBLE[which], &batch.schema(), "x").unwrap();
        let whole = expr.evaluate(&batch).unwrap();
        let mut failed = Vec::new();
        for row in 0..batch.num_rows() {
            let one = expr.evaluate(&batch.slice(row, 1)).unwrap();
            prop_assert_eq!(&one.values.to_data(), &whole.values.slice(row, 1).to_data());
            failed.extend(one.failed.into_iter().map(|(_, reason)| (row as u32, reason)));
        }
        prop_assert_eq!(failed, whole.failed);
    }

    /// A batch in two parts gives what the whole gives.
    #[test]
    fn any_split_gives_the_same_rows(batch in table(), cut in 0.0..1.0_f64) {
        let spec: IndexMap<String, String> =
            FALLIBLE.iter().enumerate().map(|(i, sql)| (format!("x{i}"), (*sql).to_owned())).collect();
        let mut features = Features::try_new(&spec, &batch.schema()).unwrap();
        let whole = features.process(batch.clone()).unwrap();
        prop_assert_eq!(whole.kept.num_rows() + whole.rejected.len(), batch.num_rows());
        let cut = (batch.num_rows() as f64 * cut) as usize;
        let first = features.process(batch.slice(0, cut)).unwrap();
        let second = features.process(batch.slice(cut, batch.num_rows() - cut)).unwrap();
        let joined = arrow::compute::concat_batches(features.output_schema(), [&first.kept, &second.kept]).unwrap();
        for (left, right) in joined.columns().iter().zip(whole.kept.columns()) {
            prop_assert_eq!(left.to_data(), right.to_data());
        }
        let mut rejected = first.rejected;
        rejected.extend(second.rejected.into_iter().map(|mut r| { r.row += cut as u32; r }));
        prop_assert_eq!(rejected, whole.rejected);
    }
}

#[test]
fn int_fields_are_ints() {
    let batch = numbers(vec![Some(3)]);
    let expr = CompiledExpr::compile("pmod(-7, i)", &batch.schema(), "x").unwrap();
    assert_eq!(expr.evaluate(&batch).unwrap().values.as_primitive::<Int32Type>().value(0), 2);
}
