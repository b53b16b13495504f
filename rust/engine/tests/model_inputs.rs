//! What comes before a model sees a row: casts, nulls, shapes; and what is said of rows that are out.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model_support;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray};
use arrow::datatypes::{Float32Type, Float64Type, Int64Type};
use arrow::record_batch::RecordBatch;
use firesteel_engine::error::SpecError;
use firesteel_engine::model::{NanPolicy, NullPolicy, Nulls, Outputs, Scorer, ScorerOptions, registry};
use firesteel_engine::spec::{Literal, spark_type_name};
use firesteel_engine::stage::{RejectCode, Staged};
use model_support::{names, root, start};

/// What a test says of a model of the zoo.
struct Said<'a> {
    inputs: &'a [(&'a str, &'a [&'a str])],
    outputs: &'a [(&'a str, &'a str)],
    nulls: Nulls,
    nan: NanPolicy,
    allow_lossy: bool,
}

impl Default for Said<'_> {
    fn default() -> Self {
        Self { inputs: &[], outputs: &[], nulls: Nulls::default(), nan: NanPolicy::Pass, allow_lossy: false }
    }
}

fn scorer(name: &str, batch: &RecordBatch, said: Said<'_>) -> Result<Scorer, SpecError> {
    start();
    let bytes = std::fs::read(root().join(format!("tests/models/zoo/{name}.onnx"))).unwrap();
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let inputs: Vec<_> = said.inputs.iter().map(|(input, columns)| ((*input).to_owned(), owned(columns))).collect();
    let outputs: Vec<_> =
        said.outputs.iter().map(|(column, text)| ((*column).to_owned(), (*text).to_owned())).collect();
    let options = ScorerOptions {
        path: "models[0]",
        inputs: &inputs,
        default_columns: &names(batch),
        by_position: true,
        outputs: if outputs.is_empty() { Outputs::All } else { Outputs::Columns(&outputs) },
        nulls: said.nulls,
        nan: said.nan,
        allow_lossy: said.allow_lossy,
        ..ScorerOptions::new("m")
    };
    Scorer::try_new(&options, registry::load(&bytes).unwrap(), &batch.schema())
}

fn scored(name: &str, batch: &RecordBatch, said: Said<'_>) -> Staged {
    let rows = batch.num_rows();
    let staged = scorer(name, batch, said).unwrap().process(batch.clone()).unwrap();
    assert_eq!(staged.kept.num_rows() + staged.rejected.len(), rows);
    staged
}

fn one(name: &str, column: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([(name, column)]).unwrap()
}

fn lists(rows: Vec<Option<Vec<Option<i64>>>>) -> ArrayRef {
    Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(rows))
}

fn reasons(staged: &Staged) -> Vec<(u32, RejectCode, &str)> {
    staged.rejected.iter().map(|row| (row.row, row.code, row.message.as_str())).collect()
}

#[test]
fn rows_of_different_lengths_keep_their_order_and_bad_ones_are_named() {
    let rows = vec![
        Some(vec![Some(1), Some(2), Some(3)]),
        Some(vec![Some(4)]),
        None,
        Some(vec![Some(1), None]),
        // Outside the embedding's 50 rows: ONNX Runtime fails on it.
        Some(vec![Some(99)]),
        Some(vec![Some(1), Some(2), Some(3)]),
        Some(vec![Some(4)]),
    ];
    let staged = scored("torch_embedding", &one("input_ids", lists(rows)), Said::default());
    let out = reasons(&staged);
    assert_eq!(out[0], (2, RejectCode::NullFeature, "column `input_ids` is null, and model m needs it"));
    assert_eq!(
        out[1],
        (3, RejectCode::NullFeature, "column `input_ids` has a null among its values, at 1, and model m needs it")
    );
    assert_eq!((out[2].0, out[2].1), (4, RejectCode::InferenceFailed));
    assert!(out[2].2.starts_with("input_ids = [99]: "), "{}", out[2].2);
    let logits = staged.kept.column_by_name("logits").unwrap().as_list::<i32>();
    assert_eq!(logits.value(0).to_data(), logits.value(2).to_data(), "the same row twice");
    assert_eq!(logits.value(1).to_data(), logits.value(3).to_data(), "the same row twice");
    let ids = staged.kept.column(0).as_list::<i32>();
    assert_eq!((0..4).map(|row| ids.value_length(row)).collect::<Vec<_>>(), [3, 1, 3, 1]);
}

#[test]
fn arrays_of_another_shape_reject_their_row() {
    let rows = vec![Some(vec![Some(1), Some(2)]), Some(vec![Some(1), Some(2), Some(3), Some(4)]), Some(vec![])];
    let staged = scored("lgbm_three", &one("input", lists(rows)), Said::default());
    let message = "column `input` has the shape [2]; input input takes [4]";
    assert_eq!(reasons(&staged)[0], (0, RejectCode::InputShape, message));
    assert_eq!(reasons(&staged)[1].0, 2);
    assert_eq!(staged.kept.num_rows(), 1);
    // An image as one flat array of its 16 values, or of 15.
    let flat = |count: i64| Some((0..count).map(Some).collect::<Vec<_>>());
    let staged = scored("keras_conv2d", &one("image", lists(vec![flat(16), flat(15)])), Said::default());
    assert_eq!(
        reasons(&staged),
        [(1, RejectCode::InputShape, "column `image` has 15 elements; input image takes [4,4,1]")]
    );
    let map = staged.kept.column_by_name("map").unwrap();
    assert_eq!(spark_type_name(map.data_type()), "ARRAY<ARRAY<ARRAY<FLOAT>>>");
}

#[test]
fn an_empty_sequence_rejects_its_row() {
    let texts = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1)])]);
    let error = scorer("torch_sequence_texts", &one("words", Arc::new(texts)), Said::default()).unwrap_err();
    assert!(error.message.contains("takes string"), "{error}");
    let mut rows = arrow::array::ListBuilder::new(arrow::array::StringBuilder::new());
    rows.append_value([Some("a"), Some("b")]);
    rows.append(true);
    let staged = scored("torch_sequence_texts", &one("words", Arc::new(rows.finish())), Said::default());
    assert_eq!(reasons(&staged)[0].1, RejectCode::InputShape);
    let all = staged.kept.column_by_name("all").unwrap().as_list::<i32>().value(0);
    assert_eq!(all.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn whole_numbers_are_never_changed_unseen() {
    let ints = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let batch =
        RecordBatch::try_from_iter([("x0", ints(vec![4, (1 << 24) + 1, 9])), ("x1", ints(vec![9, 4, i64::MAX]))])
            .unwrap();
    let said = || Said { inputs: &[("x", &["x0", "x1"])], ..Said::default() };
    let strict = scorer("nan_maker", &batch, said()).unwrap();
    assert_eq!(
        strict.casts(),
        [
            "x0 BIGINT -> x float (checked: a value that would be rounded rejects its row)",
            "x1 BIGINT -> x float (checked: a value that would be rounded rejects its row)"
        ]
    );
    let staged = scored("nan_maker", &batch, said());
    let words = "which input x (float) can't hold without rounding; allow_lossy: true rounds it";
    assert_eq!(
        reasons(&staged),
        [
            (1, RejectCode::InputValue, format!("column `x0` is 16777217, {words}").as_str()),
            (2, RejectCode::InputValue, format!("column `x1` is 9223372036854775807, {words}").as_str()),
        ]
    );
    let staged = scored("nan_maker", &batch, Said { allow_lossy: true, ..said() });
    assert_eq!(staged.kept.num_rows(), 3);
    // An integer of fewer bits never wraps, whatever the author says.
    let pixels =
        RecordBatch::try_from_iter(["a", "b", "c", "d"].map(|name| (name, ints(vec![0, 255, 256, -1])))).unwrap();
    let staged = scored("quantized", &pixels, Said { allow_lossy: true, ..Said::default() });
    let messages = reasons(&staged);
    assert_eq!(
        messages[0],
        (2, RejectCode::InputValue, "column `a` is 256, which is out of the range of input pixels (uint8)")
    );
    assert_eq!((messages.len(), messages[1].0), (2, 3));
}

#[test]
fn nulls_are_imputed_by_input() {
    let batch = RecordBatch::try_from_iter([
        ("x0", Arc::new(Float64Array::from(vec![Some(4.0), None])) as ArrayRef),
        ("x1", Arc::new(Float64Array::from(vec![None, Some(1.0)])) as ArrayRef),
    ])
    .unwrap();
    let policy = |policy: NullPolicy| Said {
        inputs: &[("x", &["x0", "x1"])],
        nulls: Nulls::ByInput([("x".to_owned(), policy)].into_iter().collect()),
        ..Said::default()
    };
    let staged = scored("nan_maker", &batch, policy(NullPolicy::Impute(Literal::Integer(25))));
    let roots = staged.kept.column_by_name("roots").unwrap().as_list::<i32>().values().clone();
    assert_eq!(roots.as_primitive::<Float32Type>().values(), &[2.0, 5.0, 5.0, 1.0]);
    // The columns that go on are as they came.
    assert_eq!(staged.kept.column(0).null_count(), 1);
    let error = scorer("nan_maker", &batch, policy(NullPolicy::Impute(Literal::Text("?".into())))).unwrap_err();
    assert_eq!(error.condition, "MODEL_NULLS", "{error}");
    let unknown = Nulls::ByInput([("y".to_owned(), NullPolicy::Nan)].into_iter().collect());
    let error = scorer("nan_maker", &batch, Said { nulls: unknown, ..policy(NullPolicy::Reject) }).unwrap_err();
    assert_eq!((error.condition, error.path.as_str()), ("MODEL_INPUT", "models[0].nulls.y"));
}

#[test]
fn nulls_in_arrays_are_imputed_too() {
    let rows = || {
        lists(vec![Some(vec![Some(1), None, Some(3), Some(4)]), None, Some(vec![Some(1), Some(7), Some(3), Some(4)])])
    };
    let impute = Nulls::All(NullPolicy::Impute(Literal::Integer(7)));
    let staged = scored("lgbm_regression", &one("input", rows()), Said { nulls: impute, ..Said::default() });
    assert!(staged.rejected.is_empty());
    let values = staged.kept.column_by_name("variable").unwrap().as_primitive::<Float32Type>().clone();
    assert_eq!(values.value(0).to_bits(), values.value(2).to_bits());
    let all = lists(vec![Some(vec![Some(7); 4])]);
    let of_sevens = scored("lgbm_regression", &one("input", all), Said::default());
    let wanted = of_sevens.kept.column_by_name("variable").unwrap().as_primitive::<Float32Type>().value(0);
    assert_eq!(values.value(1).to_bits(), wanted.to_bits());
    let scorer_of_arrays = scorer("lgbm_regression", &one("input", rows()), Said::default()).unwrap();
    assert_eq!(scorer_of_arrays.runs_in(), "Firesteel's tree kernel");
    // Where rows may have any length, a null can't become one.
    let impute = Nulls::All(NullPolicy::Impute(Literal::Integer(7)));
    let error =
        scorer("torch_embedding", &one("input_ids", rows()), Said { nulls: impute, ..Said::default() }).unwrap_err();
    assert_eq!(error.condition, "MODEL_NULLS", "{error}");
}

#[test]
fn results_that_are_nan_pass_become_null_or_reject_their_row() {
    let floats = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("x0", floats(vec![4.0, -4.0, 9.0])), ("x1", floats(vec![1.0, 1.0, 1.0]))])
        .unwrap();
    let said = |nan: NanPolicy| Said { inputs: &[("x", &["x0", "x1"])], nan, ..Said::default() };
    let staged = scored("nan_maker", &batch, said(NanPolicy::Null));
    let roots = staged.kept.column_by_name("roots").unwrap().as_list::<i32>().values().clone();
    assert_eq!((0..6).map(|at| roots.is_null(at)).collect::<Vec<_>>(), [false, false, true, false, false, false]);
    let staged = scored("nan_maker", &batch, said(NanPolicy::Reject));
    assert_eq!(reasons(&staged), [(1, RejectCode::NanResult, "x0 = -4.0, x1 = 1.0: output roots is NaN")]);
    assert_eq!(staged.kept.column(0).as_primitive::<Float64Type>().values(), &[4.0, 9.0]);
    // One selected value that is none.
    let said = Said { outputs: &[("root", "roots[0]")], ..said(NanPolicy::Null) };
    assert_eq!(scored("nan_maker", &batch, said).kept.column_by_name("root").unwrap().null_count(), 1);
}

#[test]
fn selectors_of_arrays_and_of_lengths_that_vary() {
    let steps = |rows: &[usize]| {
        let mut outer =
            arrow::array::ListBuilder::new(arrow::array::ListBuilder::new(arrow::array::Float64Builder::new()));
        for &row in rows {
            for _ in 0..row {
                outer.values().append_value([Some(0.1), Some(0.2), Some(0.3)]);
            }
            outer.append(true);
        }
        Arc::new(outer.finish()) as ArrayRef
    };
    let batch = one("x", steps(&[1, 3, 1]));
    let outputs = &[("all", "states[*]"), ("sixth", "states[5]"), ("second", "hidden[1]")];
    let staged = scored("torch_gru", &batch, Said { outputs, ..Said::default() });
    let all = staged.kept.column_by_name("all").unwrap();
    assert_eq!(spark_type_name(all.data_type()), "ARRAY<ARRAY<FLOAT>>");
    assert_eq!((0..3).map(|row| all.as_list::<i32>().value_length(row)).collect::<Vec<_>>(), [1, 3, 1]);
    // A step has four values: only the longer row has a sixth.
    let sixth = staged.kept.column_by_name("sixth").unwrap();
    assert_eq!((0..3).map(|row| sixth.is_null(row)).collect::<Vec<_>>(), [true, false, true]);
    let error = scorer("torch_gru", &batch, Said { outputs: &[("s", "states")], ..Said::default() }).unwrap_err();
    assert!(error.message.contains("write states[*] for an array"), "{error}");
}
