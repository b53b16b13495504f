//! What the model tests share: ONNX Runtime's library, the models of `tests/models`, and their inputs.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

pub(crate) mod ensembles;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Float64Array, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use firesteel_engine::model::{NullPolicy, Nulls, OnnxModel, Outputs, Scorer, ScorerOptions, registry, runtime};

pub(crate) const FEATURES: usize = 16;
const COUNTRIES: [&str; 4] = ["FR", "DE", "US", "JP"];

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    // Set when the tests run from another checkout of the crate.
    let here = std::env::var_os("FIRESTEEL_ROOT")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.."), PathBuf::from);
    here.canonicalize().unwrap()
}

/// Loads ONNX Runtime. A test that needs it fails without it.
pub(crate) fn start() {
    let library = std::env::var_os("FIRESTEEL_ONNXRUNTIME")
        .map_or_else(|| root().join("build/native/libonnxruntime.so"), PathBuf::from);
    assert!(
        library.is_file(),
        "ONNX Runtime's library is not at {}: run tests/tools/fetch_onnxruntime.sh, or set FIRESTEEL_ONNXRUNTIME to its absolute path",
        library.display()
    );
    runtime::init(&library).unwrap();
    assert_eq!(runtime::version(), Some(runtime::EXPECTED_VERSION));
}

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    let path = root().join("tests/models").join(format!("{name}.onnx"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn model(name: &str) -> Arc<OnnxModel> {
    start();
    registry::load(&bytes(name)).unwrap()
}

/// The formula of `tests/models/make_models.py`.
pub(crate) fn value(i: usize, j: usize) -> f64 {
    (((i * 7919 + j * 104_729 + 12345) * 48271) % 65537) as f64 / 65537.0 * 8.0 - 4.0
}

pub(crate) fn column(name: &str, kind: &str, rows: usize) -> ArrayRef {
    match (name, kind) {
        ("country", _) => Arc::new(StringArray::from_iter_values((0..rows).map(|i| COUNTRIES[(i * 7) % 4]))),
        ("age", _) => Arc::new(Int64Array::from_iter_values((0..rows).map(|i| (i as i64 * 37) % 80))),
        ("amount", _) => Arc::new(Float64Array::from_iter_values((0..rows).map(|i| value(i, 0)))),
        (name, kind) => {
            let j: usize = name[1..].parse().unwrap();
            match kind {
                "float" => Arc::new(Float32Array::from_iter_values((0..rows).map(|i| value(i, j) as f32))),
                _ => Arc::new(Float64Array::from_iter_values((0..rows).map(|i| value(i, j)))),
            }
        }
    }
}

/// `rows` rows with the features f0 to f15 as doubles.
pub(crate) fn features(rows: usize) -> RecordBatch {
    RecordBatch::try_from_iter((0..FEATURES).map(|j| (format!("f{j}"), column(&format!("f{j}"), "double", rows))))
        .unwrap()
}

pub(crate) fn names(batch: &RecordBatch) -> Vec<String> {
    batch.schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// A scorer over all columns of `batch`, with these new columns (name, selector); none means all outputs.
pub(crate) fn scorer(
    model: &Arc<OnnxModel>,
    batch: &RecordBatch,
    outputs: &[(&str, &str)],
    nulls: NullPolicy,
) -> Result<Scorer, firesteel_engine::error::SpecError> {
    let outputs: Vec<(String, String)> =
        outputs.iter().map(|(column, text)| ((*column).to_owned(), (*text).to_owned())).collect();
    let options = ScorerOptions {
        path: "models[0]",
        default_columns: &names(batch),
        outputs: if outputs.is_empty() { Outputs::All } else { Outputs::Columns(&outputs) },
        nulls: Nulls::All(nulls),
        ..ScorerOptions::new("test")
    };
    Scorer::try_new(&options, Arc::clone(model), &batch.schema())
}
