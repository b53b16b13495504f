//! What happens to rows that can't be scored, and to batches of odd shapes.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model_support;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, StringArray,
};
use arrow::datatypes::{DataType, Float32Type, Int64Type};
use arrow::record_batch::RecordBatch;
use firesteel_engine::error::StageError;
use firesteel_engine::model::NullPolicy;
use firesteel_engine::stage::{RejectCode, Staged};
use model_support::{features, model, scorer};

fn keys(values: Vec<Option<i64>>) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(100..100 + values.len() as i64));
    RecordBatch::try_from_iter([("id", ids), ("key", Arc::new(Int64Array::from(values)) as ArrayRef)]).unwrap()
}

fn lookup(batch: RecordBatch) -> Staged {
    scorer(&model("lookup"), &batch, &[("score", "score")], NullPolicy::Reject).unwrap().process(batch).unwrap()
}

fn kept(staged: &Staged) -> Vec<(i64, f32)> {
    let ids = staged.kept.column(0).as_primitive::<Int64Type>();
    let scores = staged.kept.column(2).as_primitive::<Float32Type>();
    ids.values().iter().copied().zip(scores.values().iter().copied()).collect()
}

#[test]
fn failing_rows_are_found_and_the_others_scored() {
    let staged =
        lookup(keys((0..1000).map(|i| Some(if i == 3 || i == 640 || i == 999 { 99 } else { i % 8 })).collect()));
    assert_eq!(
        staged.rejected.iter().map(|row| (row.row, row.code)).collect::<Vec<_>>(),
        [3, 640, 999].map(|row| (row, RejectCode::InferenceFailed))
    );
    assert!(staged.rejected[0].message.contains("out of data bounds"), "{}", staged.rejected[0].message);
    let rows = kept(&staged);
    assert_eq!(rows.len(), 997);
    for (id, score) in rows {
        assert_eq!(score, ((id - 100) % 8) as f32 * 10.0, "id {id}");
    }
}

#[test]
fn null_and_failing_rows_together_keep_order_and_count() {
    let staged = lookup(keys(vec![Some(1), None, Some(50), Some(7), None, Some(0)]));
    let rejected: Vec<_> = staged.rejected.iter().map(|row| (row.row, row.code)).collect();
    assert_eq!(
        rejected,
        [(1, RejectCode::NullFeature), (2, RejectCode::InferenceFailed), (4, RejectCode::NullFeature)]
    );
    assert_eq!(staged.rejected[0].message, "column `key` is null, and model test needs it");
    assert_eq!(kept(&staged), [(100, 10.0), (103, 70.0), (105, 0.0)]);
}

#[test]
fn a_row_is_rejected_whatever_its_neighbours_are() {
    for values in [vec![Some(99)], vec![Some(99), Some(99)], vec![Some(99); 300]] {
        let rows = values.len();
        let staged = lookup(keys(values));
        assert_eq!((staged.kept.num_rows(), staged.rejected.len()), (0, rows));
        assert_eq!(staged.kept.num_columns(), 3);
    }
}

#[test]
fn an_empty_batch_keeps_its_columns() {
    let staged = lookup(keys(Vec::new()));
    assert_eq!((staged.kept.num_rows(), staged.kept.num_columns()), (0, 3));
    let all_null = lookup(keys(vec![None, None]));
    assert_eq!((all_null.kept.num_rows(), all_null.rejected.len()), (0, 2));
}

#[test]
fn sliced_batches_are_read_at_their_offset() {
    let whole = keys((0..100).map(|i| (i % 5 != 0).then_some(i % 8)).collect());
    let staged = lookup(whole.slice(40, 20));
    assert_eq!(staged.rejected.iter().map(|row| row.row).collect::<Vec<_>>(), [0, 5, 10, 15]);
    assert!(kept(&staged).iter().all(|(id, score)| *score == ((id - 100) % 8) as f32 * 10.0));
}

#[test]
fn nan_policy_gives_the_model_nan() {
    let mut columns: Vec<ArrayRef> = features(4).columns().to_vec();
    columns[0] = Arc::new(Float64Array::from(vec![Some(1.0), None, Some(f64::NAN), Some(2.0)]));
    let batch = RecordBatch::try_new(
        Arc::new(arrow::datatypes::Schema::new(
            (0..16).map(|j| arrow::datatypes::Field::new(format!("f{j}"), DataType::Float64, true)).collect::<Vec<_>>(),
        )),
        columns,
    )
    .unwrap();
    let staged = scorer(&model("regression"), &batch, &[("y", "variable")], NullPolicy::Nan)
        .unwrap()
        .process(batch.clone())
        .unwrap();
    assert!(staged.rejected.is_empty());
    let y = staged.kept.column(16).as_primitive::<Float32Type>();
    assert_eq!((0..4).map(|i| y.value(i).is_nan()).collect::<Vec<_>>(), [false, true, true, false]);
    // The same rows under `reject`: a NaN is a value.
    let staged =
        scorer(&model("regression"), &batch, &[("y", "variable")], NullPolicy::Reject).unwrap().process(batch).unwrap();
    assert_eq!(staged.rejected.iter().map(|row| row.row).collect::<Vec<_>>(), [1]);
}

#[test]
fn every_element_type_goes_in_and_comes_out() {
    let batch = RecordBatch::try_from_iter([
        ("i32", Arc::new(Int32Array::from(vec![i32::MIN, 0, i32::MAX])) as ArrayRef),
        ("i64", Arc::new(Int64Array::from(vec![i64::MIN, 1 << 53 | 1, i64::MAX])) as ArrayRef),
        ("f64", Arc::new(Float64Array::from(vec![f64::MIN_POSITIVE, -0.0, f64::INFINITY])) as ArrayRef),
        ("flag", Arc::new(BooleanArray::from(vec![true, false, true])) as ArrayRef),
        ("text", Arc::new(StringArray::from(vec!["", "héllo", "日本"])) as ArrayRef),
    ])
    .unwrap();
    let mut scorer = scorer(&model("types"), &batch, &[], NullPolicy::Reject).unwrap();
    for rows in [3, 1, 2] {
        let part = batch.slice(0, rows);
        let staged = scorer.process(part.clone()).unwrap();
        for (i, name) in ["i32", "i64", "f64", "flag", "text"].iter().enumerate() {
            let out = staged.kept.column_by_name(&format!("{name}_out")).unwrap();
            assert_eq!(out.to_data(), part.column(i).to_data(), "{name}");
        }
    }
}

#[test]
fn a_text_with_a_null_byte_rejects_its_row_only() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["FR", "a\0b", "DE"]));
    let batch = RecordBatch::try_from_iter([
        ("country", texts),
        ("age", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
        ("amount", Arc::new(Float32Array::from(vec![1.0, 2.0, 3.0])) as ArrayRef),
    ])
    .unwrap();
    let staged = scorer(&model("mixed"), &batch, &[("score", "probabilities[1]")], NullPolicy::Reject)
        .unwrap()
        .process(batch)
        .unwrap();
    assert_eq!(staged.rejected.iter().map(|row| row.row).collect::<Vec<_>>(), [1]);
    assert_eq!(staged.kept.num_rows(), 2);
}

#[test]
fn open_and_deep_shapes_become_arrays() {
    let batch = RecordBatch::try_from_iter(
        ["a", "b", "c"].map(|name| (name, Arc::new(Float32Array::from(vec![1.0, 2.0])) as ArrayRef)),
    )
    .unwrap();
    let staged = scorer(&model("arrays"), &batch, &[], NullPolicy::Reject).unwrap().process(batch).unwrap();
    let list = staged.kept.column_by_name("same").unwrap().as_list::<i32>();
    assert_eq!(list.len(), 2);
    assert_eq!(list.value(1).as_primitive::<Float32Type>().values(), &[2.0, 2.0, 2.0]);
    // Two inner dimensions, [3, 1]: arrays of arrays.
    let deep = staged.kept.column_by_name("deep").unwrap().as_list::<i32>().value(1);
    let deep = deep.as_list::<i32>();
    assert_eq!((deep.len(), deep.value_length(2)), (3, 1));
    assert_eq!(deep.values().as_primitive::<Float32Type>().values(), &[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
}

#[test]
fn a_batch_with_other_columns_is_refused() {
    let batch = features(2);
    let mut scorer = scorer(&model("lr"), &batch, &[("p", "probabilities[1]")], NullPolicy::Reject).unwrap();
    let error = scorer.process(batch.project(&[0, 1]).unwrap()).unwrap_err();
    assert!(matches!(error, StageError::WrongInput { .. }), "{error}");
}

#[test]
fn two_runs_of_one_scorer_and_two_scorers_agree() {
    let batch = features(333);
    let model = model("gbdt");
    let mut first = scorer(&model, &batch, &[("p", "probabilities[1]")], NullPolicy::Reject).unwrap();
    let a = first.process(batch.clone()).unwrap().kept;
    assert_eq!(a, first.process(batch.clone()).unwrap().kept);
    assert_eq!(
        a,
        scorer(&model, &batch, &[("p", "probabilities[1]")], NullPolicy::Reject).unwrap().process(batch).unwrap().kept
    );
}
