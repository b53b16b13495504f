//! Tree ensembles: Firesteel's kernel beside ONNX Runtime, one thread each, same process, same rows.
//!
//! `cargo run --release -p firesteel-engine --example trees_bench -- LIBRARY RESULT ROWS.f32,.. MODEL.onnx,..`
//!
//! `ROWS.f32` are 32-bit floats, row after row, as many to a row as the models take. A case is a model, a file of rows
//! and a batch size. What is timed is the model stage: columns in, score columns out, so both sides pay for the way
//! from columns to rows and back. They take turns; before any timing their scores are compared bit by bit.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Float32Array};
use arrow::record_batch::RecordBatch;
use firesteel_engine::model::{NullPolicy, Nulls, OnnxModel, Outputs, Scorer, ScorerOptions, runtime};
use serde_json::json;

const BATCH_SIZES: [usize; 5] = [1, 16, 256, 1024, 4096];
const REPETITIONS: usize = 5;
/// A repetition scores batches for about so long, at least one.
const REPETITION_S: f64 = 0.03;
/// Rows compared bit by bit.
const COMPARED: usize = 2000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [library, result, rows, models] = arguments.as_slice() else {
        return Err("arguments: ONNX Runtime's library, result file, files of rows, model files".into());
    };
    runtime::init(&Path::new(library).canonicalize()?)?;
    let mut figures = Vec::new();
    for model in models.split(',') {
        let bytes = std::fs::read(model)?;
        let started = Instant::now();
        let theirs = Arc::new(OnnxModel::load_plain(&bytes)?);
        let plain_s = started.elapsed().as_secs_f64();
        let started = Instant::now();
        let ours = Arc::new(OnnxModel::load(&bytes)?);
        let load_s = started.elapsed().as_secs_f64();
        for rows in rows.split(',') {
            let batch = read(rows, ours.inputs().first().and_then(|input| input.width()).ok_or("no width")?)?;
            let (mut ours, mut theirs) = (scorer(&ours, &batch)?, scorer(&theirs, &batch)?);
            compare(&mut ours, &mut theirs, &batch.slice(0, COMPARED.min(batch.num_rows())))?;
            for size in BATCH_SIZES {
                let ((ours_s, ours_batches), (theirs_s, theirs_batches)) =
                    alternate(&mut ours, &mut theirs, &batch, size)?;
                let (model, rows) = (stem(model), stem(rows));
                println!(
                    "{model:16} {rows:8} {size:5} rows  {:9.3} µs/row  ONNX Runtime {:9.3} µs/row  ratio {:.1}",
                    middle(&ours_s) * 1e6,
                    middle(&theirs_s) * 1e6,
                    middle(&theirs_s) / middle(&ours_s),
                );
                figures.push(json!({
                    "model": model, "rows": rows, "batch": size, "runs_in": ours.runs_in(),
                    "load_s": load_s, "plain_load_s": plain_s, "bytes": bytes.len(),
                    "firesteel_s_per_row": ours_s, "firesteel_batches": ours_batches,
                    "onnxruntime_s_per_row": theirs_s, "onnxruntime_batches": theirs_batches,
                }));
            }
        }
    }
    std::fs::write(result, serde_json::to_string_pretty(&json!({ "figures": figures }))?)?;
    Ok(())
}

fn stem(path: &str) -> String {
    Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn read(path: &str, features: usize) -> Result<RecordBatch, Failure> {
    let bytes = std::fs::read(path)?;
    let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
    let column = |feature: usize| -> ArrayRef {
        Arc::new(Float32Array::from_iter_values(values.chunks_exact(features).map(|row| row[feature])))
    };
    Ok(RecordBatch::try_from_iter((0..features).map(|feature| (format!("f{feature}"), column(feature))))?)
}

/// A stage that gives the model's last output: a number, or the second class's probability.
fn scorer(model: &Arc<OnnxModel>, batch: &RecordBatch) -> Result<Scorer, Failure> {
    let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    let output = model.outputs().last().ok_or("no output")?;
    let selector = if output.width() == Some(1) { output.name.clone() } else { format!("{}[1]", output.name) };
    let options = ScorerOptions {
        path: "models[0]",
        default_columns: &names,
        outputs: Outputs::Columns(&[("score".to_owned(), selector)]),
        nulls: Nulls::All(NullPolicy::Nan),
        ..ScorerOptions::new("bench")
    };
    Ok(Scorer::try_new(&options, Arc::clone(model), &batch.schema()).map_err(|error| error.to_string())?)
}

fn compare(ours: &mut Scorer, theirs: &mut Scorer, batch: &RecordBatch) -> Result<(), Failure> {
    let (ours, theirs) = (ours.process(batch.clone())?.kept, theirs.process(batch.clone())?.kept);
    let data = |batch: &RecordBatch| batch.columns().last().map(|column| column.to_data());
    if data(&ours) == data(&theirs) { Ok(()) } else { Err("the two sides differ".into()) }
}

/// Seconds per row in each repetition.
type Times = (Vec<f64>, usize);

fn alternate(
    ours: &mut Scorer,
    theirs: &mut Scorer,
    batch: &RecordBatch,
    size: usize,
) -> Result<(Times, Times), Failure> {
    let (ours_batches, theirs_batches) = (batches(ours, batch, size)?, batches(theirs, batch, size)?);
    let (mut ours_s, mut theirs_s) = (Vec::new(), Vec::new());
    for _ in 0..REPETITIONS {
        ours_s.push(time(ours, batch, size, ours_batches)?);
        theirs_s.push(time(theirs, batch, size, theirs_batches)?);
    }
    Ok(((ours_s, ours_batches), (theirs_s, theirs_batches)))
}

/// How many batches fill a repetition. The trial warms caches and predictors.
fn batches(scorer: &mut Scorer, batch: &RecordBatch, size: usize) -> Result<usize, Failure> {
    let trial = (batch.num_rows() / size).clamp(1, 4);
    let a_batch_s = time(scorer, batch, size, trial)? * size as f64;
    Ok((REPETITION_S / a_batch_s).ceil() as usize)
}

/// Seconds per row over so many batches, which follow each other through the rows.
fn time(scorer: &mut Scorer, batch: &RecordBatch, size: usize, batches: usize) -> Result<f64, Failure> {
    let all = (batch.num_rows() / size).max(1);
    let parts: Vec<RecordBatch> =
        (0..batches.min(all)).map(|part| batch.slice(part * size, size.min(batch.num_rows()))).collect();
    let started = Instant::now();
    for part in (0..batches).map(|part| &parts[part % parts.len()]) {
        let staged = scorer.process(black_box(part.clone()))?;
        assert_eq!(staged.kept.num_rows(), part.num_rows());
        black_box(staged);
    }
    Ok(started.elapsed().as_secs_f64() / (batches * size) as f64)
}

fn middle(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
