//! Scores have the bits of Python's onnxruntime, for every test model, at every batch size and slicing.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model_support;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use arrow::record_batch::RecordBatch;
use firesteel_engine::model::NullPolicy;
use model_support::{bytes, column, features, model, root, scorer};
use serde_json::Value;

const MODELS: [&str; 19] = [
    "zipmap_only_ml",
    "lr",
    "lr_zipmap",
    "lr_three_zipmap",
    "random_forest",
    "gbdt_sklearn",
    "mlp",
    "scaler_lr",
    "regression",
    "double",
    "wrong_shape",
    "gbdt",
    "gbdt_zipmap",
    "gbdt_regression",
    "gbdt_three",
    "gbdt_missing",
    "forest_three",
    "forest_targets",
    "mixed",
];
/// Around ONNX Runtime's own thresholds (1, 50 for trees), ours (2, 256) and some odd ones.
const BATCH_SIZES: [usize; 12] = [1, 2, 3, 7, 16, 17, 50, 51, 128, 256, 299, 300];

fn golden(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(root().join("tests/models").join(format!("{name}.golden.json"))).unwrap())
        .unwrap()
}

fn inputs(golden: &Value) -> RecordBatch {
    let rows = golden["rows"].as_u64().unwrap() as usize;
    let columns = golden["columns"].as_array().unwrap().iter().map(|c| {
        let name = c["name"].as_str().unwrap();
        (name.to_owned(), column(name, c["type"].as_str().unwrap(), rows))
    });
    RecordBatch::try_from_iter(columns).unwrap()
}

/// Every value of an output column as text: bits in hex for floats, as in the golden files.
fn texts(array: &ArrayRef) -> Vec<String> {
    match array.data_type() {
        DataType::List(_) => texts(array.as_list::<i32>().values()),
        DataType::Float32 => {
            array.as_primitive::<Float32Type>().values().iter().map(|v| format!("{:08x}", v.to_bits())).collect()
        }
        DataType::Float64 => {
            array.as_primitive::<Float64Type>().values().iter().map(|v| format!("{:016x}", v.to_bits())).collect()
        }
        DataType::Int64 => array.as_primitive::<Int64Type>().values().iter().map(ToString::to_string).collect(),
        DataType::Utf8 => array.as_string::<i32>().iter().map(|v| v.unwrap().to_owned()).collect(),
        other => panic!("no golden form for {other}"),
    }
}

fn expected(output: &Value) -> Vec<String> {
    let digits = match output["type"].as_str().unwrap() {
        "f32" => 8,
        "f64" => 16,
        _ => return output["values"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned()).collect(),
    };
    let hex = output["values"].as_str().unwrap().as_bytes();
    hex.chunks(digits).map(|chunk| std::str::from_utf8(chunk).unwrap().to_owned()).collect()
}

#[test]
fn every_model_gives_the_bits_of_python_at_every_batch_size() {
    for name in MODELS {
        let golden = golden(name);
        assert_eq!(
            golden["onnxruntime"],
            firesteel_engine::model::runtime::EXPECTED_VERSION,
            "{name}: make the golden files anew"
        );
        let batch = inputs(&golden);
        let mut scorer =
            scorer(&model(name), &batch, &[], NullPolicy::Reject).unwrap_or_else(|error| panic!("{name}: {error}"));
        for size in BATCH_SIZES {
            let mut got: Vec<Vec<String>> = vec![Vec::new(); scorer.added_fields().len()];
            for start in (0..batch.num_rows()).step_by(size) {
                let staged = scorer.process(batch.slice(start, size.min(batch.num_rows() - start))).unwrap();
                assert!(staged.rejected.is_empty());
                let added = &staged.kept.columns()[batch.num_columns()..];
                for (texts_so_far, array) in got.iter_mut().zip(added) {
                    // A sliced list array keeps its values; ours is never sliced.
                    texts_so_far.extend(texts(array));
                }
            }
            for (field, values) in scorer.added_fields().iter().zip(&got) {
                let wanted = expected(&golden["outputs"][field.name()]);
                let differs = values.iter().zip(&wanted).position(|(a, b)| a != b);
                assert_eq!(
                    (values.len(), differs),
                    (wanted.len(), None),
                    "{name}.{} at batch size {size}",
                    field.name()
                );
            }
        }
    }
}

#[test]
fn a_selected_class_is_that_column_of_the_whole() {
    for (name, text, position) in [
        ("lr", "probabilities[1]", 1),
        ("lr_zipmap", "output_probability[\"fraud\"]", 0),
        ("lr_zipmap", "output_probability[1]", 1),
        ("lr_three_zipmap", "output_probability[\"9\"]", 2),
        ("gbdt_zipmap", "probabilities[1]", 1),
        ("gbdt", "probabilities[\"0\"]", 0),
        ("wrong_shape", "probabilities[1]", 1),
    ] {
        let golden = golden(name);
        let batch = inputs(&golden);
        let output = &golden["outputs"][text.split('[').next().unwrap()];
        let width = output["width"].as_u64().unwrap() as usize;
        let wanted: Vec<String> = expected(output).into_iter().skip(position).step_by(width).collect();
        let staged =
            scorer(&model(name), &batch, &[("score", text)], NullPolicy::Reject).unwrap().process(batch).unwrap();
        assert_eq!(texts(staged.kept.column_by_name("score").unwrap()), wanted, "{name} {text}");
    }
}

#[test]
fn pieces_of_a_large_batch_give_the_same_bits_as_small_batches() {
    // More rows than one call of ONNX Runtime takes, and a lone row at the end.
    let batch = features(2 * 4096 + 1);
    for name in ["gbdt", "mlp", "lr", "gbdt_sklearn"] {
        let mut scorer = scorer(&model(name), &batch, &[("score", "probabilities[1]")], NullPolicy::Reject).unwrap();
        let whole = texts(scorer.process(batch.clone()).unwrap().kept.column(model_support::FEATURES));
        let mut parts = Vec::new();
        for start in (0..batch.num_rows()).step_by(1000) {
            let part = batch.slice(start, 1000.min(batch.num_rows() - start));
            parts.extend(texts(scorer.process(part).unwrap().kept.column(model_support::FEATURES)));
        }
        assert_eq!(whole.iter().zip(&parts).position(|(a, b)| a != b), None, "{name}");
        assert_eq!(whole.len(), batch.num_rows());
        assert_eq!(parts.len(), batch.num_rows());
    }
}

#[test]
fn models_are_small_enough_to_be_committed() {
    let total: usize = MODELS.iter().map(|name| bytes(name).len()).sum();
    assert!(total < 600 * 1024, "{total}");
}
