//! A model whose file declares a wrong shape makes ONNX Runtime warn on every call. The log must not drown in it.
//! Alone in its file: it sets the process's logger.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model_support;

use std::sync::{Arc, Mutex};

use firesteel_engine::model::{NullPolicy, OnnxModel};
use model_support::{bytes, features, scorer, start};

static LINES: Mutex<Vec<(log::Level, String)>> = Mutex::new(Vec::new());

struct Capture;

impl log::Log for Capture {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        if record.target() == "onnxruntime" {
            LINES.lock().unwrap().push((record.level(), record.args().to_string()));
        }
    }
    fn flush(&self) {}
}

#[test]
fn a_repeated_warning_is_passed_a_few_times_and_then_counted() {
    log::set_logger(&Capture).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let batch = features(64);
    start();
    // Firesteel's own kernel would leave ONNX Runtime nothing to warn about.
    let model = Arc::new(OnnxModel::load_plain(&bytes("wrong_shape")).unwrap());
    let mut scorer = scorer(&model, &batch, &[("p", "probabilities[1]")], NullPolicy::Reject).unwrap();
    for calls in 0..2000 {
        // Other sizes give other numbers in the text; it is the same warning.
        scorer.process(batch.slice(0, 4 + calls % 60)).unwrap();
    }
    let lines = LINES.lock().unwrap();
    let warnings: Vec<&str> = lines
        .iter()
        .filter(|(level, line)| *level == log::Level::Warn && line.contains("probabilities"))
        .map(|(_, line)| line.as_str())
        .collect();
    assert!(warnings.len() >= 6, "the model must make ONNX Runtime warn: {lines:?}");
    assert!(warnings.len() <= 10, "{} lines: {warnings:?}", warnings.len());
    assert!(warnings.iter().any(|line| line.contains("seen 1000 times")), "{warnings:?}");
    // Starting up logs a few lines for debugging; running must not, or every call would pay for its text.
    assert!(lines.len() < 40, "{lines:?}");
}
