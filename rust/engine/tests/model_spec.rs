//! Wrong pipeline files are refused with a sentence that helps; mappings and casts are as documented.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model_support;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use firesteel_engine::error::SpecError;
use firesteel_engine::model::{NullPolicy, Scorer, ScorerOptions, all_outputs};
use model_support::{features, model, names, scorer};

fn refused(name: &str, batch: &RecordBatch, outputs: &[(&str, &str)]) -> SpecError {
    scorer(&model(name), batch, outputs, NullPolicy::Reject).unwrap_err()
}

fn explicit(name: &str, batch: &RecordBatch, inputs: &[(&str, &[&str])]) -> Result<Scorer, SpecError> {
    let inputs: Vec<(String, Vec<String>)> = inputs
        .iter()
        .map(|(input, columns)| ((*input).to_owned(), columns.iter().map(|c| (*c).to_owned()).collect()))
        .collect();
    let options = ScorerOptions {
        path: "models[2]",
        inputs: &inputs,
        default_columns: &names(batch),
        ..ScorerOptions::new("test")
    };
    Scorer::try_new(&options, model(name), &batch.schema())
}

fn people(rows: usize) -> RecordBatch {
    RecordBatch::try_from_iter([
        ("country", Arc::new(StringArray::from(vec!["FR"; rows])) as ArrayRef),
        ("age", Arc::new(Int64Array::from(vec![30; rows])) as ArrayRef),
        ("amount", Arc::new(Float64Array::from(vec![1.5; rows])) as ArrayRef),
    ])
    .unwrap()
}

#[test]
fn outputs_that_are_not_there_are_named() {
    let batch = features(1);
    let cases: [(&str, &str, &str); 8] = [
        (
            "lr",
            "probabilties[1]",
            "the model has no output `probabilties`; it gives label int64[?], probabilities float[?,2]",
        ),
        (
            "lr",
            "probabilities",
            "choose one: probabilities[0] = probabilities[\"0\"], probabilities[1] = probabilities[\"1\"]",
        ),
        ("lr", "probabilities[2]", "has 2 values per row, so there is no [2]"),
        (
            "lr_zipmap",
            "output_probability[\"theft\"]",
            "has no label \"theft\"; choose one: output_probability[0] = output_probability[\"fraud\"]",
        ),
        ("regression", "variable[\"x\"]", "does not say labels for its output variable float[?,1]"),
        ("lr", "probabilities[", "is not a selector"),
        // The file declares three; the trial run saw two.
        ("wrong_shape", "probabilities[2]", "has 2 values per row"),
        ("lr", "", "empty"),
    ];
    for (name, text, part) in cases {
        let error = refused(name, &batch, &[("score", text)]);
        assert_eq!((error.condition, error.path.as_str()), ("MODEL_OUTPUT", "models[0].outputs.score"), "{error}");
        assert!(error.message.contains(part), "{name} {text}: {error}");
    }
    assert!(refused("lr", &batch, &[("s", "probabilties[1]")]).hint.unwrap().contains("probabilities"));
}

#[test]
fn a_new_column_must_have_a_new_name() {
    assert_eq!(refused("lr", &features(1), &[("f3", "probabilities[1]")]).condition, "DUPLICATE_COLUMN");
    assert_eq!(refused("lr", &features(1), &[("a", "label"), ("a", "probabilities[1]")]).condition, "DUPLICATE_COLUMN");
}

#[test]
fn columns_that_do_not_fit_are_refused() {
    let narrow = features(1).project(&[0, 1, 2]).unwrap();
    let error = refused("lr", &narrow, &[("s", "label")]);
    assert!(error.message.contains("the model takes X float[?,16], which fits neither the columns' names nor the 3 columns offered in order (f0, f1, f2)"), "{error}");
    let error = refused("mixed", &narrow, &[("s", "label")]);
    assert!(error.message.contains("country string[?,1], age int64[?,1], amount float[?,1]"), "{error}");
    let texts = RecordBatch::try_from_iter([
        ("country", people(1).column(1).clone()),
        ("age", people(1).column(0).clone()),
        ("amount", people(1).column(2).clone()),
    ])
    .unwrap();
    let error = refused("mixed", &texts, &[("s", "label")]);
    assert!(
        error.message.contains("column `country` is BIGINT, the model's input country string[?,1] takes string"),
        "{error}"
    );
}

#[test]
fn a_model_that_fails_on_zeros_is_refused_by_the_trial_run() {
    // The file takes any number of columns, its weights take four.
    let error = refused("open_width", &features(1).project(&[0, 1]).unwrap(), &[("s", "y")]);
    assert_eq!((error.condition, error.path.as_str()), ("MODEL_TRIAL", "models[0]"), "{error}");
    assert!(error.message.starts_with("the model fails on a row of zeros: "), "{error}");
    let four = features(1).project(&[0, 1, 2, 3]).unwrap();
    assert!(scorer(&model("open_width"), &four, &[("s", "y")], NullPolicy::Reject).unwrap().notes().is_empty());
}

#[test]
fn nan_for_null_needs_inputs_of_floats() {
    let keys = RecordBatch::try_from_iter([("key", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap();
    let error = scorer(&model("lookup"), &keys, &[], NullPolicy::Nan).unwrap_err();
    assert_eq!((error.condition, error.path.as_str()), ("MODEL_NULLS", "models[0].nulls"));
}

#[test]
fn explicit_inputs_win_and_are_checked() {
    let batch = people(2);
    let renamed = RecordBatch::try_from_iter([
        ("c", batch.column(0).clone()),
        ("age", batch.column(1).clone()),
        ("x", batch.column(2).clone()),
    ])
    .unwrap();
    let scorer = explicit("mixed", &renamed, &[("country", &["c"]), ("amount", &["x"])]).unwrap();
    assert_eq!(scorer.input_columns(), ["c", "age", "x"]);
    assert_eq!(scorer.casts().len(), 1, "{:?}", scorer.casts());
    assert!(scorer.casts()[0].contains("DOUBLE -> amount float (rounded to 24 bits)"), "{:?}", scorer.casts());
    for (inputs, path, part) in [
        (&[("county", &["c"][..])][..], "models[2].inputs.county", "the model has no input `county`"),
        (&[("country", &["c"])], "models[2].inputs", "no columns are given for the model's input amount float[?,1]"),
        (&[("country", &["d"]), ("amount", &["x"])], "models[2].inputs.country", "there is no column `d`"),
        (&[("country", &["c", "c"]), ("amount", &["x"])], "models[2].inputs.country", "takes 1 columns, 2 are given"),
        (&[("country", &[]), ("amount", &["x"])], "models[2].inputs.country", "empty"),
    ] {
        let error = explicit("mixed", &renamed, inputs).unwrap_err();
        assert_eq!((error.condition, error.path.as_str()), ("MODEL_INPUT", path), "{error}");
        assert!(error.message.contains(part), "{error}");
    }
}

#[test]
fn all_outputs_are_scalars_or_arrays() {
    let shown = |name: &str| {
        all_outputs(&model(name))
            .iter()
            .map(|field| format!("{}: {}", field.name(), firesteel_engine::spec::spark_type_name(field.data_type())))
            .collect::<Vec<_>>()
    };
    let lr = shown("lr_zipmap");
    assert_eq!(lr[0], "output_label: STRING");
    assert!(lr[1].starts_with("output_probability: ARRAY<FLOAT>"), "{lr:?}");
    assert_eq!(shown("regression"), ["variable: FLOAT"]);
    assert_eq!(shown("double"), ["variable: DOUBLE"]);
}
