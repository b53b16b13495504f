//! Where and how a model runs: places, threads, rows of a call, and what is told of it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model_support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use firesteel_engine::error::SpecError;
use firesteel_engine::model::{OnnxModel, Scorer, ScorerOptions, registry, report};
use firesteel_engine::spec::{BatchBounds, DeviceChoice};
use model_support::{bytes, features, names, start};

fn scorer(model: &Arc<OnnxModel>, batch: &RecordBatch, change: impl Fn(&mut ScorerOptions<'_>)) -> Scorer {
    let columns = names(batch);
    let mut options = ScorerOptions { path: "models[0]", default_columns: &columns, ..ScorerOptions::new("m") };
    change(&mut options);
    Scorer::try_new(&options, Arc::clone(model), &batch.schema()).unwrap()
}

/// This test's threads: each has the name of the one that started it.
fn threads() -> usize {
    let name = |path: &Path| std::fs::read_to_string(path.join("comm")).unwrap_or_default();
    let own = name(Path::new("/proc/thread-self"));
    std::fs::read_dir("/proc/self/task").unwrap().filter(|task| name(&task.as_ref().unwrap().path()) == own).count()
}

#[test]
fn one_session_has_no_thread_of_its_own_and_gives_the_same_bits_at_any_size_of_call() {
    start();
    let before = threads();
    let model = Arc::new(OnnxModel::load_plain(&bytes("lr")).unwrap());
    let batch = features(5000);
    let whole = scorer(&model, &batch, |_| {}).process(batch.clone()).unwrap().kept;
    for rows in [1, 7, 64, 100_000] {
        let mut small = scorer(&model, &batch, |options| options.batch = BatchBounds { min: rows, max: rows });
        assert_eq!(small.rows_per_call().unwrap(), format!("{rows} rows a call"));
        assert_eq!(small.process(batch.clone()).unwrap().kept, whole, "{rows} rows");
    }
    assert_eq!(model.sessions(), 1);
    assert_eq!(threads(), before, "ONNX Runtime has threads of its own");
}

#[test]
fn rows_of_a_call_are_measured_once_within_bounds_and_shown() {
    start();
    let model = registry::load(&bytes("gbdt_sklearn")).unwrap();
    let batch = features(10);
    let mut first = scorer(&model, &batch, |options| options.batch = BatchBounds { min: 8, max: 300 }).without_kernel();
    assert_eq!(first.rows_per_call().unwrap(), "8 to 300 rows a call, measured before the first batch");
    let told = || report::loaded().into_iter().find(|loaded| loaded.sha256 == model.sha256()).unwrap();
    assert_eq!(told().batches, [], "nothing is measured before a task needs it");
    first.open().unwrap();
    let found = told();
    let [batches] = &found.batches[..] else { panic!("{found:?}") };
    assert!((8..=300).contains(&batches.rows.rows), "{batches:?}");
    let sizes: Vec<usize> = batches.rows.tried.iter().map(|tried| tried.rows).collect();
    assert!([8, 32, 128, 300].starts_with(&sizes) && !sizes.is_empty(), "{sizes:?}");
    assert!(batches.rows.tried.iter().all(|tried| tried.nanos_per_row > 0.0), "{batches:?}");
    assert!(batches.of.contains("the CPU, 8 to 300 rows"), "{}", batches.of);
    let mut second =
        scorer(&model, &batch, |options| options.batch = BatchBounds { min: 8, max: 300 }).without_kernel();
    second.open().unwrap();
    assert_eq!(told().batches, found.batches, "measured again");
    let [session] = &found.sessions[..] else { panic!("{found:?}") };
    let memory = session.memory;
    assert!(memory.weights > 0 && memory.arena > 0 && memory.working > 0, "{memory:?}");
    assert!(found.kernel);
    // Our own kernel calls nothing.
    assert_eq!(scorer(&model, &batch, |_| {}).rows_per_call(), None);
}

#[test]
fn more_threads_are_there_on_request_and_the_weights_once() {
    start();
    let model = Arc::new(OnnxModel::load_plain(&bytes("lr")).unwrap());
    let batch = features(100);
    let before = threads();
    let mut four = scorer(&model, &batch, |options| options.threads = 4);
    assert!(four.runs_in().contains("with 4 threads"), "{}", four.runs_in());
    four.process(batch.clone()).unwrap();
    assert_eq!(threads(), before + 3);
    assert_eq!(model.sessions(), 1, "the session that nobody uses is closed");
    // Both are in use now.
    let mut one = scorer(&model, &batch, |_| {});
    one.process(batch.clone()).unwrap();
    four.process(batch).unwrap();
    assert_eq!(model.sessions(), 2);
    drop((one, four, model));
    assert_eq!(threads(), before);
}

#[test]
fn a_model_that_nothing_uses_goes_and_comes_back() {
    start();
    let file = bytes("lookup");
    let model = registry::load(&file).unwrap();
    let sha256 = model.sha256().to_owned();
    registry::forget_unused(Duration::ZERO);
    assert!(registry::contains(&sha256), "it is in use");
    drop(model);
    registry::forget_unused(registry::KEPT);
    assert!(registry::contains(&sha256), "somebody has just asked for it");
    registry::forget_unused(Duration::ZERO);
    assert!(!registry::contains(&sha256));
    assert_eq!(registry::load(&file).unwrap().sha256(), sha256);
}

#[test]
fn a_gpu_that_is_asked_for_and_absent_is_an_error_and_auto_is_the_processor() {
    start();
    let model = registry::load(&bytes("lr")).unwrap();
    let batch = features(100);
    let plain = scorer(&model, &batch, |_| {}).process(batch.clone()).unwrap().kept;
    let mut auto = scorer(&model, &batch, |options| options.device = DeviceChoice::Auto);
    let error: SpecError = match scorer(&model, &batch, |options| options.device = DeviceChoice::Cuda).open() {
        // There is one after all.
        Ok(()) => return,
        Err(error) => error,
    };
    assert_eq!((error.condition, error.path.as_str()), ("CUDA_UNAVAILABLE", "models[0].device"));
    assert!(error.message.contains("libonnxruntime_providers_cuda.so") || error.message.contains("GPU"), "{error}");
    assert!(error.hint.as_ref().unwrap().contains("device: auto"), "{error}");
    assert_eq!(auto.process(batch).unwrap().kept, plain);
}
