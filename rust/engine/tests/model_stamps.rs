//! Rows say which version of a model has scored them, with every batch size, and a plain file's rows do not.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model_support;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{AsArray, BinaryArray, RecordBatch};
use arrow::datatypes::Int64Type;
use firesteel_engine::pipeline::{Compiled, InputMode, Prepared, prepare_pipeline};
use model_support::model;

fn yaml(uri: &str, more: &str, output: &str) -> String {
    let features: Vec<String> = (0..16).map(|i| format!("f{i}: x * {i}")).collect();
    format!(
        "name: t\ninput: {{schema: 'id BIGINT, x DOUBLE'}}\nfeatures: {{{}}}\nmodels:\n  - {{name: m, uri: {uri}, outputs: {{p: 'probabilities[1]'}}{more}}}\noutput: {output}\n",
        features.join(", ")
    )
}

fn prepared(yaml: &str, version: &str) -> Prepared {
    let found = format!("{}{version}", model("lr").sha256());
    prepare_pipeline(yaml, "t.yaml", &[found], InputMode::Bytes).unwrap()
}

fn run(prepared: &Prepared, rows: std::ops::Range<usize>) -> RecordBatch {
    let compiled = Compiled::new(&serde_json::from_str(&prepared.call).unwrap()).unwrap();
    let mut runner = compiled.runner().unwrap();
    let mut last = None;
    // Every fifth record is rejected; the batches grow and shrink.
    for end in [rows.len() / 2, rows.len(), 1, rows.len()] {
        let records = rows
            .clone()
            .take(end)
            .map(|i| if i % 5 == 0 { "{broken".to_owned() } else { format!("{{\"id\": {i}, \"x\": 0.{i}}}") });
        let values = BinaryArray::from_iter_values(records.map(String::into_bytes));
        let batch = RecordBatch::try_from_iter([("value", Arc::new(values) as _)]).unwrap();
        last = Some(runner.process(&batch, &AtomicBool::new(false)).unwrap());
    }
    last.unwrap()
}

#[test]
fn each_scored_row_has_version_and_hash() {
    let prepared = prepared(&yaml("s/fraud@champion", "", "[id, p]"), "@7");
    assert!(prepared.plan.contains("version 7"), "{}", prepared.plan);
    let result = run(&prepared, 0..100);
    let names: Vec<&str> = result.schema_ref().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["id", "p", "m_version", "m_sha256", "_rejected"]);
    let ids = result.column(0).as_primitive::<Int64Type>();
    let versions = result.column(2).as_primitive::<Int64Type>();
    let hashes = result.column(3).as_string::<i32>();
    for (row, ((id, version), hash)) in ids.iter().zip(versions.iter()).zip(hashes.iter()).enumerate() {
        let taken = row % 5 != 0;
        assert_eq!((id.is_some(), version), (taken, taken.then_some(7)), "row {row}");
        assert_eq!(hash, taken.then(|| model("lr").sha256().to_owned()).as_deref(), "row {row}");
    }
}

#[test]
fn stamps_are_left_out_renamed_or_null() {
    let columns = |yaml: &str, version: &str| prepared(yaml, version).output;
    assert_eq!(
        columns(&yaml("s/m@3", ", stamp: false", "[id]"), "@3")
            .split(", STRUCT")
            .next()
            .map(|o| o.contains("m_version")),
        Some(false)
    );
    assert!(!columns(&yaml("s/m.onnx", "", "[id]"), "").contains("m_sha256"));
    let renamed = columns(&yaml("s/m@3", "", "[id, {v: m_version}]"), "@3");
    assert!(renamed.starts_with("id BIGINT, v BIGINT, m_sha256 STRING, _rejected"), "{renamed}");
    // MLflow's runs have no version.
    let run_of = prepared(&yaml("'runs:/0/model'", "", "[id]"), "");
    let result = run(&run_of, 1..4);
    assert_eq!(result.column(1).null_count(), 3);
    assert_eq!(result.column(2).null_count(), 0);
}

#[test]
fn a_stamp_needs_its_name() {
    let taken = yaml("s/m@3", "", "[id]").replace("f3:", "m_version:");
    let faults = prepare_pipeline(&taken, "t.yaml", &[format!("{}@3", model("lr").sha256())], InputMode::Bytes);
    assert!(faults.unwrap_err().to_string().contains("DUPLICATE_NAME: models[0].stamp"), "{taken}");
}
