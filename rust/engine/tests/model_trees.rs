//! Firesteel's tree kernel gives ONNX Runtime's bits, and it is used where it should be.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model_support;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array};
use arrow::datatypes::{DataType, Float32Type, Int64Type};
use arrow::record_batch::RecordBatch;
use firesteel_engine::model::{NullPolicy, OnnxModel, registry};
use firesteel_engine::pipeline::{Call, Compiled, InputMode};
use firesteel_engine::spec::PipelineSpec;
use model_support::ensembles::{Ensemble, Random};
use model_support::{bytes, features, names, scorer, start};

/// Rows with values near the thresholds of [`Ensemble::random`], which are multiples of 1/8 or 1/256, and odd ones.
fn rows(width: usize, count: usize, random: &mut Random) -> RecordBatch {
    let column = |random: &mut Random| -> ArrayRef {
        Arc::new(Float32Array::from_iter((0..count).map(|_| match random.below(40) {
            0 => None,
            1 => Some(f32::NAN),
            2 => Some(f32::INFINITY),
            3 => Some(f32::NEG_INFINITY),
            4 => Some(-0.0),
            5..20 => Some(random.below(65) as f32 / 8.0 - 4.0),
            20..25 => Some((random.below(65) as f32 / 8.0 - 4.0).next_up()),
            25..30 => Some((random.below(65) as f32 / 8.0 - 4.0).next_down()),
            30..35 => Some(random.below(2049) as f32 / 256.0 - 4.0),
            _ => Some(random.below(8_000_000) as f32 / 1e6 - 4.0),
        })))
    };
    RecordBatch::try_from_iter((0..width).map(|j| (format!("x{j}"), column(random)))).unwrap()
}

/// Every value of a column as bits or text.
fn bits(array: &ArrayRef) -> Vec<String> {
    match array.data_type() {
        DataType::List(_) => bits(array.as_list::<i32>().values()),
        DataType::Float32 => {
            array.as_primitive::<Float32Type>().values().iter().map(|v| v.to_bits().to_string()).collect()
        }
        DataType::Int64 => array.as_primitive::<Int64Type>().values().iter().map(ToString::to_string).collect(),
        DataType::Utf8 => array.as_string::<i32>().iter().map(|v| v.unwrap().to_owned()).collect(),
        other => panic!("no form for {other}"),
    }
}

fn run(model: &Arc<OnnxModel>, batch: &RecordBatch, step: usize) -> (Vec<Vec<String>>, String) {
    let mut scorer = scorer(model, batch, &[], NullPolicy::Nan).unwrap();
    let mut got = vec![Vec::new(); scorer.added_fields().len()];
    for start in (0..batch.num_rows()).step_by(step) {
        let staged = scorer.process(batch.slice(start, step.min(batch.num_rows() - start))).unwrap();
        assert!(staged.rejected.is_empty());
        for (got, array) in got.iter_mut().zip(&staged.kept.columns()[batch.num_columns()..]) {
            got.extend(bits(array));
        }
    }
    (got, scorer.runs_in())
}

/// Kernel and ONNX Runtime side by side on the same rows.
fn same(what: &str, bytes: &[u8], batch: &RecordBatch) {
    let ours = Arc::new(OnnxModel::load(bytes).unwrap());
    let theirs = Arc::new(OnnxModel::load_plain(bytes).unwrap());
    let (expected, runs_in) = run(&theirs, batch, 999);
    assert_eq!(runs_in, "ONNX Runtime", "{what}");
    for step in [1, 2, 3, 5, 16, 33, 100, 1024, 5000] {
        let part = if step < 16 { batch.slice(0, 40.min(batch.num_rows())) } else { batch.clone() };
        let (got, runs_in) = run(&ours, &part, step);
        assert_eq!(runs_in, "Firesteel's tree kernel", "{what}");
        for (got, expected) in got.iter().zip(&expected) {
            assert_eq!(got.iter().zip(expected).position(|(a, b)| a != b), None, "{what}, {step} rows at a time");
        }
    }
}

#[test]
fn random_ensembles_of_every_kind_have_the_bits_of_onnx_runtime() {
    start();
    let mut random = Random(7);
    for round in 0..200 {
        let ensemble = Ensemble::random(&mut random);
        let batch = rows(ensemble.features, 1100, &mut random);
        same(&format!("round {round}: {ensemble:?}"), &ensemble.to_onnx(), &batch);
    }
}

#[test]
fn equalities_and_scaled_inputs_have_the_bits_of_onnx_runtime() {
    const MODES: [&[&str]; 3] = [&["BRANCH_EQ"], &["BRANCH_LEQ", "BRANCH_EQ", "BRANCH_NEQ"], &["BRANCH_LEQ"]];
    start();
    let mut random = Random(17);
    for round in 0..60 {
        let (features, leaves) = (1 + round % 9, [2, 12, 40][round % 3]);
        let scaler = round % 4 != 0;
        let modes = MODES[round / 3 % 3];
        let ensemble = Ensemble { modes, features, leaves, scaler, grid: 8, trees: 4, ..Ensemble::random(&mut random) };
        same(&format!("round {round}: {ensemble:?}"), &ensemble.to_onnx(), &rows(features, 600, &mut random));
    }
}

/// A feature has more thresholds than a byte can count, so the trees fall into parts with bins of their own.
#[test]
fn many_thresholds_of_one_feature_have_the_bits_of_onnx_runtime() {
    start();
    let mut random = Random(13);
    for (trees, leaves) in [(40, 31), (7, 256)] {
        let ensemble = Ensemble { grid: 256, features: 1, trees, leaves, ..Ensemble::random(&mut random) };
        same(&format!("{ensemble:?}"), &ensemble.to_onnx(), &rows(1, 1100, &mut random));
    }
}

#[test]
fn an_author_can_turn_the_kernel_off() {
    start();
    let batch = features(100);
    let model = Arc::new(OnnxModel::load(&bytes("gbdt")).unwrap());
    let ours = scorer(&model, &batch, &[], NullPolicy::Reject).unwrap();
    assert_eq!(ours.runs_in(), "Firesteel's tree kernel");
    let mut theirs = scorer(&model, &batch, &[], NullPolicy::Reject).unwrap().without_kernel();
    assert_eq!(theirs.runs_in(), "ONNX Runtime, as `kernel: onnxruntime` says");
    let (expected, _) = run(&model, &batch, 100);
    let kept = theirs.process(batch.clone()).unwrap().kept;
    let got: Vec<_> = kept.columns()[batch.num_columns()..].iter().map(bits).collect();
    assert_eq!(got, expected);
    // A model without a kernel runs where it would have run anyhow.
    let plain = Arc::new(OnnxModel::load(&bytes("lr")).unwrap());
    assert_eq!(scorer(&plain, &batch, &[], NullPolicy::Reject).unwrap().without_kernel().runs_in(), "ONNX Runtime");
}

#[test]
fn the_plan_says_what_a_model_runs_in() {
    start();
    let model = registry::load(&bytes("gbdt")).unwrap();
    let columns: Vec<String> = (0..16).map(|j| format!("f{j}")).collect();
    for (kernel, expected) in [
        ("auto", "runs in Firesteel's tree kernel\n"),
        ("onnxruntime", "runs in ONNX Runtime, as `kernel: onnxruntime` says\n"),
    ] {
        let yaml = format!(
            "name: t\ninput: {{schema: '{}'}}\nmodels:\n  - name: m\n    uri: m.onnx\n    sha256: {}\n    kernel: {kernel}\n    \
             inputs: {{{}: [{}]}}\n    outputs: {{score: 'probabilities[1]'}}\noutput: [score]\n",
            columns.iter().map(|column| format!("{column} DOUBLE")).collect::<Vec<_>>().join(", "),
            model.sha256(),
            model.inputs()[0].name,
            columns.join(", "),
        );
        let spec = PipelineSpec::from_yaml(&yaml, "t.yaml").unwrap().to_json();
        let compiled = Compiled::new(&Call::Pipeline { spec, mode: InputMode::Typed, part: None }).unwrap();
        assert!(compiled.plan().contains(expected), "{}", compiled.plan());
    }
}

#[test]
fn large_trees_use_every_size_class() {
    start();
    let mut random = Random(11);
    for leaves in [2, 33, 129, 255, 256, 257, 600, 5000, 20_000] {
        let ensemble = Ensemble { leaves, trees: 2, ..Ensemble::random(&mut random) };
        let batch = rows(ensemble.features, 1100, &mut random);
        same(&format!("{leaves} leaves"), &ensemble.to_onnx(), &batch);
    }
}

#[test]
fn models_of_the_converters_use_the_kernel() {
    start();
    let batch = features(5000);
    for name in [
        "gbdt",
        "gbdt_zipmap",
        "gbdt_regression",
        "gbdt_three",
        "gbdt_missing",
        "gbdt_sklearn",
        "random_forest",
        "forest_three",
        "forest_targets",
    ] {
        same(name, &bytes(name), &batch);
    }
}

#[test]
fn what_the_kernel_does_not_know_runs_in_onnx_runtime() {
    start();
    let mut random = Random(3);
    let plain = Ensemble { regressor: false, classes: 2, shared: true, leaves: 8, ..Ensemble::random(&mut random) };
    for (what, ensemble) in [
        ("a transform", Ensemble { transform: "PROBIT", base: false, ..plain.clone() }),
        ("too many features", Ensemble { features: 300, ..plain.clone() }),
        (
            "too many features and equalities",
            Ensemble { modes: &["BRANCH_EQ"], features: 256, trees: 20, leaves: 31, ..plain.clone() },
        ),
        ("a tree too large", Ensemble { leaves: 40_000, trees: 1, ..plain }),
    ] {
        let model = Arc::new(OnnxModel::load(&ensemble.to_onnx()).unwrap());
        let batch = rows(ensemble.features, 50, &mut random);
        assert_eq!(run(&model, &batch, 50).1, "ONNX Runtime", "{what}");
    }
    for name in ["lr", "mlp", "scaler_lr", "double"] {
        let model = Arc::new(OnnxModel::load(&bytes(name)).unwrap());
        let batch = features(2);
        assert_eq!(scorer(&model, &batch, &[], NullPolicy::Reject).unwrap().runs_in(), "ONNX Runtime", "{name}");
        assert_eq!(names(&batch).len(), 16);
    }
}
