//! Sizes, depths and batches.

use arrow::array::{AsArray, BinaryArray};
use arrow::datatypes::{DataType, Int64Type, Schema};
use firesteel_engine::decode::{DecodeOptions, Decoder};
use firesteel_engine::stage::RejectCode::{EmptyValue, Malformed, Tombstone, TooDeep, TooLarge, WrongType};
use std::sync::Arc;

use crate::support::{codes, json, json_bytes, schema};

const A: [(&str, DataType); 1] = [("a", DataType::Int64)];

#[test]
fn tombstones_and_empty_values_are_rejected_rows() {
    let values: BinaryArray =
        vec![None, Some(b"".as_slice()), Some(b" \n\t\r "), Some(b"\xEF\xBB\xBF"), Some(b"{}")].into_iter().collect();
    let staged = Decoder::try_new(&DecodeOptions::default(), &schema(&A)).unwrap().process(&values).unwrap();
    assert_eq!(codes(&staged), [Tombstone, EmptyValue, EmptyValue, EmptyValue]);
    assert_eq!(staged.kept.num_rows(), 1);
}

#[test]
fn depth_is_limited_and_ten_thousand_levels_harm_nobody() {
    let arrays = |levels: usize| format!(r#"{{"a":1,"x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    let objects = |levels: usize| r#"{"x":"#.repeat(levels) + "1" + &"}".repeat(levels);
    // The record's own object is the first level of 128.
    let values = [
        arrays(127),
        arrays(128),
        objects(128),
        objects(129),
        arrays(10_000),
        objects(10_000),
        "[".repeat(10_000),
        r#"{"a":"#.repeat(10_000),
    ];
    let staged = json(&A, &values.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(codes(&staged), [TooDeep, TooDeep, TooDeep, TooDeep, TooDeep, TooDeep]);
    assert_eq!(staged.rejected.iter().map(|row| row.row).collect::<Vec<_>>(), [1, 3, 4, 5, 6, 7]);

    let options = DecodeOptions { max_depth: 20_000, ..DecodeOptions::default() };
    let values = BinaryArray::from_iter_values(&values);
    let staged = Decoder::try_new(&options, &schema(&A)).unwrap().process(&values).unwrap();
    assert_eq!(codes(&staged), [Malformed, Malformed], "unclosed ones");
    let options = DecodeOptions { max_depth: 2, ..DecodeOptions::default() };
    let schema = schema(&[("m.v", DataType::Int64)]);
    let values =
        BinaryArray::from_iter_values([r#"{"m":{"v":1}}"#, r#"{"m":{"v":1,"x":[]}}"#, r#"{"x":[]}"#, r#"{"x":[[]]}"#]);
    let staged = Decoder::try_new(&options, &schema).unwrap().process(&values).unwrap();
    assert_eq!(staged.rejected.iter().map(|row| row.row).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn eight_megabytes_in_one_record_are_taken_and_more_than_the_limit_is_not() {
    let record = |bytes: usize| {
        let rest = r#"{"a":1,"b":""}"#.len();
        format!(r#"{{"a":1,"b":"{}"}}"#, "y".repeat(bytes - rest))
    };
    let columns = schema(&[("a", DataType::Int64), ("b", DataType::Utf8)]);
    let limit = 16 << 20;
    let values = [record(8 << 20), record(limit), record(limit + 1), record(100)];
    let staged = json_bytes(&columns, &values.each_ref().map(|value| value.as_bytes()));
    assert_eq!(codes(&staged), [TooLarge]);
    assert_eq!(staged.rejected[0].message, "the value has 16777217 bytes, max_record_bytes is 16777216");
    assert_eq!(staged.kept.column(1).as_string::<i32>().value(0).len(), (8 << 20) - 14);
    // Eight megabytes that no column wants.
    let staged = json_bytes(&schema(&A), &[values[0].as_bytes()]);
    assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().values(), &[1]);
}

#[test]
fn any_batch_is_fine_empty_sliced_all_good_all_bad() {
    let mut decoder = Decoder::try_new(&DecodeOptions::default(), &schema(&A)).unwrap();
    let none = decoder.process(&BinaryArray::from_iter_values(Vec::<&[u8]>::new())).unwrap();
    assert_eq!((none.kept.num_rows(), none.rejected.len(), none.kept.schema()), (0, 0, schema(&A)));
    let values: BinaryArray =
        vec![Some(b"x".as_slice()), Some(b"{\"a\":1}"), None, Some(b"{\"a\":2}"), Some(b"\xFF")].into_iter().collect();
    let slice = values.slice(1, 3);
    let staged = decoder.process(&slice).unwrap();
    assert_eq!(codes(&staged), [Tombstone]);
    assert_eq!(staged.rejected[0].row, 1);
    assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().values(), &[1, 2]);
    let staged = decoder.process(&BinaryArray::from_iter_values(["1", "2"])).unwrap();
    assert_eq!((codes(&staged), staged.kept.num_rows()), (vec![WrongType, WrongType], 0));
    let staged = decoder.process(&slice).unwrap();
    assert_eq!(staged.kept.num_rows(), 2, "nothing is left of the batch before");
}

#[test]
fn a_schema_without_columns_counts_rows() {
    let mut decoder = Decoder::try_new(&DecodeOptions::default(), &Arc::new(Schema::empty())).unwrap();
    let staged = decoder.process(&BinaryArray::from_iter_values(["{}", r#"{"a":[1]}"#, "{"])).unwrap();
    assert_eq!((staged.kept.num_rows(), staged.kept.num_columns(), codes(&staged)), (2, 0, vec![Malformed]));
}

#[test]
fn records_with_very_many_keys_and_very_long_keys_are_read() {
    let mut record: String = (0..5_000).map(|i| format!(r#""key_{i}":{i},"#)).collect();
    record = format!(r#"{{{record}"{}":1,"a":7}}"#, "k".repeat(5_000));
    let staged = json(&A, &[&record, &record, r#"{"a":7}"#, &record]);
    assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().values(), &[7; 4]);
}

#[test]
fn limits_of_zero_are_refused() {
    for options in [
        DecodeOptions { max_depth: 0, ..DecodeOptions::default() },
        DecodeOptions { max_record_bytes: 0, ..DecodeOptions::default() },
    ] {
        assert_eq!(Decoder::try_new(&options, &schema(&A)).unwrap_err().condition, "BAD_OPTION");
    }
}
