//! The rules for CSV, one test per paragraph of `docs/reference/decoding.md`.

use crate::support::{codes, schema, utc};
use arrow::array::{Array, AsArray, BinaryArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use firesteel_engine::decode::{CsvOptions, DecodeOptions, Decoder, Format};
use firesteel_engine::stage::{RejectCode, Staged};

fn decode(options: CsvOptions, columns: &[(&str, DataType)], values: &[&str]) -> Staged {
    let options = DecodeOptions { format: Format::Csv, csv: options, ..DecodeOptions::default() };
    let values = BinaryArray::from_iter_values(values.iter().map(|value| value.as_bytes()));
    let staged = Decoder::try_new(&options, &schema(columns)).unwrap().process(&values).unwrap();
    assert_eq!(staged.kept.num_rows() + staged.rejected.len(), values.len());
    staged
}

fn three(values: &[&str]) -> Staged {
    let columns = [("id", DataType::Int64), ("name", DataType::Utf8), ("amount", DataType::Float64)];
    decode(CsvOptions::default(), &columns, values)
}

#[test]
fn fields_fill_the_columns_in_order() {
    let staged = three(&["1,ann,2.5", "2,bob,-1e3\n", "3,eve,7\r\n", "\n4,dan,0"]);
    assert_eq!(codes(&staged), []);
    assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().values(), &[1, 2, 3, 4]);
    assert_eq!(staged.kept.column(1).as_string::<i32>().value(3), "dan");
    assert_eq!(staged.kept.column(2).as_primitive::<Float64Type>().values(), &[2.5, -1000.0, 7.0, 0.0]);
}

#[test]
fn quotes_protect_delimiters_quotes_and_line_ends() {
    let staged = three(&[
        "1,\"a,b\",1",
        "2,\"say \"\"hi\"\"\",1",
        "3,\"two\nlines\",1",
        "\"4\",\"é\",\"1.5\"",
        "5,in \"the\" middle,1",
    ]);
    assert_eq!(codes(&staged), []);
    let names: Vec<_> = staged.kept.column(1).as_string::<i32>().iter().flatten().collect();
    assert_eq!(names, ["a,b", "say \"hi\"", "two\nlines", "é", "in \"the\" middle"]);
}

#[test]
fn punctuation_can_be_chosen() {
    let options = CsvOptions {
        delimiter: b'\t',
        quote: b'\'',
        escape: Some(b'\\'),
        null_text: "\\N".into(),
        ..Default::default()
    };
    let columns = [("id", DataType::Int64), ("name", DataType::Utf8)];
    let staged = decode(options, &columns, &["1\t'it\\'s\t'", "\\N\t\\N", "3\t", "4\t'\\\\N'", "5\t'it''s'"]);
    let names: Vec<_> = staged.kept.column(1).as_string::<i32>().iter().collect();
    assert_eq!(names[..4], [Some("it's\t"), None, Some(""), Some("\\N")]);
    assert!(staged.kept.column(0).is_null(1));
}

#[test]
fn the_null_text_and_empty_fields_are_null() {
    let staged = three(&["1,,", ",x,1", "2,\"\",\"\""]);
    assert_eq!(codes(&staged), []);
    let name = staged.kept.column(1).as_string::<i32>();
    assert!(name.is_null(0), "empty and unquoted");
    assert_eq!((name.is_null(2), name.value(2)), (false, ""), "quoted, so a text");
    assert!(staged.kept.column(2).is_null(0) && staged.kept.column(2).is_null(2) && staged.kept.column(0).is_null(1));

    let options = CsvOptions { null_text: "NA".into(), ..CsvOptions::default() };
    let staged = decode(options, &[("n", DataType::Int32), ("s", DataType::Utf8)], &["NA,NA", "1,\"NA\"", ",", "na,x"]);
    assert_eq!(codes(&staged), [RejectCode::WrongType]);
    assert_eq!(staged.kept.column(0).as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [None, Some(1), None]);
    let texts: Vec<_> = staged.kept.column(1).as_string::<i32>().iter().collect();
    assert_eq!(texts, [None, Some("NA"), Some("")]);
}

#[test]
fn another_number_of_fields_rejects() {
    let staged = three(&["1,a", "1,a,2,3", "1,a,2,", "x", "1,a,2"]);
    assert_eq!(codes(&staged), [RejectCode::WrongFieldCount; 4]);
    assert_eq!(staged.rejected[0].message, "the record has 2 fields, the schema has 3 columns");
    assert_eq!(staged.rejected[1].message, "the record has 4 fields, the schema has 3 columns");
}

#[test]
fn broken_records_reject_and_the_next_one_is_read_afresh() {
    let staged = three(&["1,\"open,2", "2,b,3", "1,a,2\n2,b,3", "3,c,4", "4,\"d\"\"", "5,e,6"]);
    assert_eq!(codes(&staged), [RejectCode::Malformed; 3]);
    assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().values(), &[2, 3, 5]);
    assert_eq!(staged.rejected[0].message, "a quoted field that does not end, at byte 2");
    assert_eq!(staged.rejected[1].message, "more than one CSV record in one value, at byte 6");
}

#[test]
fn values_follow_the_same_rules_as_in_json() {
    let staged =
        three(&["1.0,a,1", "9223372036854775808,a,1", "x,a,1", "1,a,x", "1,a,1e999", " 1,a,1", "01,a,1", "1,a,NaN"]);
    use RejectCode::{OutOfRange, WrongType};
    assert_eq!(codes(&staged), [WrongType, OutOfRange, WrongType, WrongType, OutOfRange, WrongType, WrongType]);
    assert_eq!(staged.rejected[3].message, "column amount: expected DOUBLE, found text of another kind, at byte 4");
    assert_eq!(staged.rejected[1].message, "column id: a number outside the range of BIGINT, at byte 0");
    assert!(staged.kept.column(2).as_primitive::<Float64Type>().value(0).is_nan());

    let columns = [
        ("ts", utc()),
        ("day", DataType::Date32),
        ("ok", DataType::Boolean),
        ("price", DataType::Decimal128(9, 2)),
        ("raw", DataType::Binary),
        ("wall", crate::support::ntz()),
        ("small", DataType::Int8),
        ("single", DataType::Float32),
    ];
    let good = "2026-11-22T18:00:00Z,2026-11-22,TRUE,12.345,aGk=,2026-11-22 18:00:00,-128,0.1";
    let epoch = "1795370400000,1970-01-01,false,1,,1970-01-01T00:00:00,127,-Infinity";
    let bad = [
        good.replace("22T", "32T"),
        good.replace("22,T", "31,T"),
        good.replace("TRUE", "yes"),
        good.replace("12.345", "12345678"),
        good.replace("aGk=", "a?"),
        good.replace("-128", "-129"),
        good.replace("0.1", "1e39"),
        epoch.replace("1795370400000", "99999999999999999"),
        epoch.replace("1795370400000", "1.5"),
    ];
    let mut values = vec![good, epoch];
    values.extend(bad.iter().map(String::as_str));
    let staged = decode(CsvOptions::default(), &columns, &values);
    use RejectCode::BadTimestamp;
    assert_eq!(
        codes(&staged),
        [BadTimestamp, BadTimestamp, WrongType, OutOfRange, WrongType, OutOfRange, OutOfRange, OutOfRange, WrongType]
    );
    let instants = staged.kept.column(0).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(instants.values(), &[1_795_370_400_000_000; 2]);
    assert_eq!(staged.kept.column(4).as_binary::<i32>().value(0), b"hi");
}

#[test]
fn a_header_line_inside_the_value_is_passed_over() {
    let options = CsvOptions { header: true, ..CsvOptions::default() };
    let columns = [("a", DataType::Int32), ("b", DataType::Int32)];
    let staged = decode(options, &columns, &["a,b\n1,2", "a,b", "a,b\r\n3,4\r\n", "a,b\n1,2\n3,4", "1,2,3\n5,6"]);
    assert_eq!(codes(&staged), [RejectCode::EmptyValue, RejectCode::Malformed]);
    assert_eq!(staged.kept.column(1).as_primitive::<Int32Type>().values(), &[2, 4, 6]);
}

#[test]
fn empty_values_marks_and_bad_text_are_treated_as_in_json() {
    let options = DecodeOptions { format: Format::Csv, max_record_bytes: 12, ..DecodeOptions::default() };
    let values: BinaryArray = vec![
        None,
        Some(b"".as_slice()),
        Some(b" \r\n"),
        Some(b"\xEF\xBB\xBF1,a"),
        Some(b"1,\xFF"),
        Some(b"1,abcdefghijklmnop"),
        Some(b"2,b"),
    ]
    .into_iter()
    .collect();
    let columns = schema(&[("id", DataType::Int64), ("name", DataType::Utf8)]);
    let staged = Decoder::try_new(&options, &columns).unwrap().process(&values).unwrap();
    use RejectCode::{EmptyValue, InvalidUtf8, Tombstone, TooLarge};
    assert_eq!(codes(&staged), [Tombstone, EmptyValue, EmptyValue, InvalidUtf8, TooLarge]);
    assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().values(), &[1, 2]);
}

#[test]
fn options_that_cannot_work_are_refused() {
    let columns = schema(&[("id", DataType::Int64)]);
    for csv in [
        CsvOptions { delimiter: b'"', ..CsvOptions::default() },
        CsvOptions { delimiter: b'\n', ..CsvOptions::default() },
        CsvOptions { quote: 0xE9, ..CsvOptions::default() },
        CsvOptions { escape: Some(b','), ..CsvOptions::default() },
    ] {
        let options = DecodeOptions { format: Format::Csv, csv, ..DecodeOptions::default() };
        assert_eq!(Decoder::try_new(&options, &columns).unwrap_err().condition, "BAD_OPTION");
    }
    let twice = schema(&[("id", DataType::Int64), ("id", DataType::Utf8)]);
    let options = DecodeOptions { format: Format::Csv, ..DecodeOptions::default() };
    assert_eq!(Decoder::try_new(&options, &twice).unwrap_err().condition, "BAD_COLUMN_NAME");
}
