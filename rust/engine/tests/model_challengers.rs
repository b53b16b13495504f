//! A challenger is tried on its sample of live rows, and nothing else changes for them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model_support;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{Array, AsArray, BinaryArray, RecordBatch};
use arrow::datatypes::{Float32Type, Int64Type};
use firesteel_engine::pipeline::{Compiled, InputMode, Prepared, PreparedComparison, prepare_pipeline};
use model_support::model;

const ROWS: usize = 3000;

/// A champion of 16 features; `more` are the models behind it.
fn yaml(more: &str) -> String {
    let features: Vec<String> = (0..16).map(|i| format!("f{i}: x * {i}")).collect();
    format!(
        "name: t\ninput: {{schema: 'id BIGINT, card STRING, x DOUBLE'}}\nfeatures: {{{}}}\nmodels:\n  - {{name: fraud, uri: a.onnx, outputs: {{score: 'probabilities[1]'}}}}\n{more}output: [id, card, {{fraud_score: score}}]\n",
        features.join(", ")
    )
}

fn prepared(more: &str, models: &[&str]) -> Prepared {
    let found: Vec<String> = models.iter().map(|name| model(name).sha256().to_owned()).collect();
    prepare_pipeline(&yaml(more), "t.yaml", &found, InputMode::Bytes).unwrap()
}

/// Twenty rows for each card; every seventh record is damaged.
fn run(prepared: &Prepared, batch_rows: usize) -> RecordBatch {
    let compiled = Compiled::new(&serde_json::from_str(&prepared.call).unwrap()).unwrap();
    let mut runner = compiled.runner().unwrap();
    let record = |i: usize| match i % 7 {
        0 => "{broken".to_owned(),
        _ => format!("{{\"id\": {i}, \"card\": \"c{}\", \"x\": 0.{i}}}", i / 20),
    };
    let parts: Vec<RecordBatch> = (0..ROWS)
        .step_by(batch_rows)
        .map(|from| {
            let records = (from..ROWS.min(from + batch_rows)).map(|i| record(i).into_bytes());
            let values = BinaryArray::from_iter_values(records);
            let batch = RecordBatch::try_from_iter([("value", Arc::new(values) as _)]).unwrap();
            runner.process(&batch, &AtomicBool::new(false)).unwrap()
        })
        .collect();
    arrow::compute::concat_batches(&parts[0].schema(), &parts).unwrap()
}

fn scores(result: &RecordBatch, column: &str) -> Vec<Option<u32>> {
    let column = result.column_by_name(column).unwrap().as_primitive::<Float32Type>();
    column.iter().map(|score| score.map(f32::to_bits)).collect()
}

const APRIL: &str = "  - {name: april, uri: b.onnx, challenges: fraud, outputs: {april_score: 'probabilities[1]'}, sample: {share: 0.25, by: card}}\n";

#[test]
fn a_sample_is_the_same_rows_in_every_batch_and_the_champion_is_as_if_alone() {
    let alone = run(&prepared("", &["gbdt"]), ROWS);
    let both = prepared(APRIL, &["gbdt", "lr"]);
    assert!(both.plan.contains("challenges fraud, of 25 % of the values of card"), "{}", both.plan);
    assert_eq!(
        both.comparisons,
        [PreparedComparison {
            challenger: "april".to_owned(),
            champion: "fraud".to_owned(),
            columns: vec![["fraud_score".to_owned(), "april_score".to_owned()]],
        }]
    );
    let whole = run(&both, ROWS);
    assert_eq!(scores(&whole, "fraud_score"), scores(&alone, "fraud_score"));
    for rows in [1, 7, 1000] {
        let result = run(&both, rows);
        assert_eq!(scores(&result, "fraud_score"), scores(&whole, "fraud_score"), "batches of {rows}");
        assert_eq!(scores(&result, "april_score"), scores(&whole, "april_score"), "batches of {rows}");
    }
    // All rows of a card are in the sample, or none.
    let cards = whole.column_by_name("card").unwrap().as_string::<i32>();
    let april = scores(&whole, "april_score");
    let mut chosen: HashMap<&str, bool> = HashMap::new();
    for (row, score) in april.iter().enumerate().filter(|(row, _)| row % 7 != 0) {
        let is_in = *chosen.entry(cards.value(row)).or_insert(score.is_some());
        assert_eq!(is_in, score.is_some(), "row {row}");
    }
    let share = chosen.values().filter(|is_in| **is_in).count() as f64 / chosen.len() as f64;
    assert!((0.15..0.35).contains(&share), "{share}");
    // In it, the challenger scores as a model of its own does.
    let own = run(&prepared("", &["lr"]), ROWS);
    for (row, (april, own)) in april.iter().zip(scores(&own, "fraud_score")).enumerate() {
        assert!(april.is_none() || *april == own, "row {row}");
    }
}

#[test]
fn rows_that_a_challenger_cannot_score_go_on() {
    // `lookup` fails for numbers that it does not know, and this one gets the row's own.
    let champion = run(&prepared("", &["lr"]), ROWS);
    let more = "  - {name: odd, uri: b.onnx, challenges: fraud, inputs: {key: id}, outputs: {odd_score: score}}\n";
    let both = prepared(more, &["lr", "lookup"]);
    for rows in [1, 64, ROWS] {
        let result = run(&both, rows);
        assert_eq!(scores(&result, "fraud_score"), scores(&champion, "fraud_score"));
        assert_eq!(
            result.column_by_name("_rejected").unwrap().null_count(),
            champion.column_by_name("_rejected").unwrap().null_count()
        );
        let ids = result.column_by_name("id").unwrap().as_primitive::<Int64Type>();
        let odd = result.column_by_name("odd_score").unwrap();
        let scored: Vec<i64> = (0..ROWS).filter(|row| odd.is_valid(*row)).map(|row| ids.value(row)).collect();
        assert_eq!(scored, [1, 2, 3, 4, 5, 6]);
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    for (more, wanted) in [
        (
            "  - {name: b, uri: b, challenges: frau, outputs: {c: d}}\n",
            "UNKNOWN_MODEL: models[1].challenges: there is no earlier champion frau (did you mean fraud?)",
        ),
        (
            "  - {name: b, uri: b, challenges: fraud}\n",
            "MISSING_KEY: models[1]: outputs of fraud and of b are compared one by one",
        ),
        (
            "  - {name: b, uri: b, outputs: {c: d}, sample: {share: 0.1, by: card}}\n",
            "BAD_VALUE: models[1].sample: b is no challenger",
        ),
        (
            "  - {name: b, uri: b, challenges: fraud, outputs: {c: d}, sample: {share: 10, by: card}}\n",
            "BAD_VALUE: models[1].sample.share: 10 is not more than 0",
        ),
        (
            "  - {name: b, uri: b, challenges: fraud, outputs: {c: d}, sample: {share: 0.1}}\n",
            "MISSING_KEY: models[1].sample.by",
        ),
        (
            "  - {name: b, uri: b, challenges: fraud, outputs: {c: d}, sample: {share: 0.1, by: crad}}\n",
            "UNKNOWN_COLUMN: models[1].sample.by: there is no column crad (did you mean card?)",
        ),
    ] {
        let faults = prepare_pipeline(&yaml(more), "t.yaml", &[], InputMode::Bytes).unwrap_err().to_string();
        assert!(faults.contains(wanted), "{more}{faults}");
    }
}
