//! Rules in order, on small batches.
#![allow(clippy::unwrap_used, clippy::panic)]

use arrow::array::{Float64Array, Int64Array, StringArray};

use super::*;
use crate::spec::TableSchema;

fn batch() -> (SchemaRef, RecordBatch) {
    let schema = Arc::clone(TableSchema::parse("id BIGINT, amount DOUBLE, kind STRING").unwrap().leaves());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(4), Some(0)])),
        Arc::new(Float64Array::from(vec![Some(10.0), Some(1.0), Some(-5.0), None, Some(2.0)])),
        Arc::new(StringArray::from(vec![Some("a"), None, Some("b"), Some("c"), None])),
    ];
    (Arc::clone(&schema), RecordBatch::try_new(schema, columns).unwrap())
}

fn seen(staged: &Staged) -> Vec<(u32, &'static str, &str)> {
    staged.rejected.iter().map(|r| (r.row, r.code.name(), r.message.as_str())).collect()
}

#[test]
fn the_first_failing_rule_rejects_and_fill_replaces_nulls() {
    let (schema, batch) = batch();
    let rules = [
        CleanRule::Require(vec!["ID".into()]),
        CleanRule::Check("amount > 0".into()),
        CleanRule::Check("100 / id > 0".into()),
        CleanRule::Fill([("kind".to_owned(), Literal::Text("it's \\ none".into()))].into()),
    ];
    let staged = Clean::try_new(&rules, &schema).unwrap().process(batch).unwrap();
    assert_eq!(
        seen(&staged),
        [
            (1, "REQUIRED_MISSING", "required column ID is null or missing"),
            (2, "CHECK_FAILED", "check is false: amount > 0"),
            (3, "CHECK_FAILED", "check is null: amount > 0"),
            (4, "EXPRESSION_FAILED", "check 100 / id > 0: division by zero in /"),
        ]
    );
    assert_eq!(staged.kept.num_rows(), 1);
}

#[test]
fn fill_keeps_values_and_fills_nulls_of_a_sliced_batch() {
    let (schema, batch) = batch();
    let rules = [CleanRule::Fill(
        [("kind".to_owned(), Literal::Text("?".into())), ("amount".to_owned(), Literal::Integer(7))].into(),
    )];
    let staged = Clean::try_new(&rules, &schema).unwrap().process(batch.slice(1, 4)).unwrap();
    assert_eq!(staged.kept.column(2).as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["?", "b", "c", "?"]);
    let amounts = staged.kept.column(1).as_primitive::<arrow::datatypes::Float64Type>();
    assert_eq!(amounts.values(), &[1.0, -5.0, 7.0, 2.0]);
}

#[test]
fn a_check_that_fails_beside_one_that_is_false_keeps_row_numbers() {
    let (schema, batch) = batch();
    let rules = [CleanRule::Check("6 / (id - 3) > 0 AND kind = 'a'".into())];
    let staged = Clean::try_new(&rules, &schema).unwrap().process(batch).unwrap();
    let rows: Vec<_> = staged.rejected.iter().map(|r| (r.row, r.code.name())).collect();
    assert_eq!(
        rows,
        [(0, "CHECK_FAILED"), (1, "CHECK_FAILED"), (2, "EXPRESSION_FAILED"), (3, "CHECK_FAILED"), (4, "CHECK_FAILED")]
    );
    assert_eq!(staged.kept.num_rows() + staged.rejected.len(), 5);
}

#[test]
fn not_null_columns_are_required_before_any_rule() {
    let schema = Arc::clone(TableSchema::parse("id BIGINT NOT NULL, v INT").unwrap().leaves());
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![None, Some(2)])),
        Arc::new(arrow::array::Int32Array::from(vec![Some(1), None])),
    ];
    let mut clean = Clean::try_new(&[], &schema).unwrap();
    assert!(clean.output_schema().field(0).metadata().is_empty());
    let staged = clean.process(RecordBatch::try_new(schema, columns).unwrap()).unwrap();
    assert_eq!(seen(&staged), [(0, "REQUIRED_MISSING", "required column id is null or missing")]);
}

#[test]
fn rules_that_can_never_work_are_refused() {
    let (schema, _) = batch();
    let fill = |column: &str, value| CleanRule::Fill([(column.to_owned(), value)].into());
    for (rule, condition, path) in [
        (CleanRule::Require(vec!["idd".into()]), "UNKNOWN_COLUMN", "clean[0].require[0]"),
        (CleanRule::Check("amount".into()), "TYPE_MISMATCH", "clean[0].check"),
        (CleanRule::Check("amuont > 1".into()), "UNKNOWN_COLUMN", "clean[0].check"),
        (fill("id", Literal::Text("x".into())), "TYPE_MISMATCH", "clean[0].fill.id"),
        (fill("id", Literal::Float(1.5)), "TYPE_MISMATCH", "clean[0].fill.id"),
        (fill("kind", Literal::Integer(1)), "TYPE_MISMATCH", "clean[0].fill.kind"),
    ] {
        let errors = Clean::try_new(&[rule], &schema).unwrap_err();
        let [error] = errors.0.as_slice() else { panic!("{errors}") };
        assert_eq!((error.condition, error.path.as_str()), (condition, path), "{error}");
    }
}

#[test]
fn every_fault_of_every_rule_comes_at_once() {
    let (schema, _) = batch();
    let rules = [
        CleanRule::Require(vec!["idd".into(), "id".into(), "knid".into()]),
        CleanRule::Check("amuont > 1".into()),
        CleanRule::Fill([("id".to_owned(), Literal::Text("x".into()))].into()),
    ];
    let errors = Clean::try_new(&rules, &schema).unwrap_err();
    let paths: Vec<&str> = errors.0.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["clean[0].require[0]", "clean[0].require[2]", "clean[1].check", "clean[2].fill.id"]);
}
