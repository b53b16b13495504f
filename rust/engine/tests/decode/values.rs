//! JSON: values into typed columns.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use firesteel_engine::stage::RejectCode::{self, BadTimestamp, Malformed, OutOfRange, WrongType};

use crate::support::{codes, json, ntz, utc};

/// Decodes each text as the value of a column `v`; gives the kept rows and the codes of the others.
fn values(data_type: DataType, texts: &[&str]) -> (arrow::array::ArrayRef, Vec<RejectCode>) {
    let records: Vec<String> = texts.iter().map(|text| format!(r#"{{"v":{text}}}"#)).collect();
    let staged = json(&[("v", data_type)], &records.iter().map(String::as_str).collect::<Vec<_>>());
    (staged.kept.column(0).clone(), codes(&staged))
}

#[test]
fn integers_are_exact_to_the_ends_of_their_types() {
    let (kept, rejected) = values(
        DataType::Int64,
        &[
            "9223372036854775807",
            "-9223372036854775808",
            "9007199254740993",
            "0",
            "-0",
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999999",
        ],
    );
    assert_eq!(kept.as_primitive::<Int64Type>().values(), &[i64::MAX, i64::MIN, 9_007_199_254_740_993, 0, 0]);
    assert_eq!(rejected, [OutOfRange; 3]);
    let (kept, rejected) = values(DataType::Int32, &["2147483647", "-2147483648", "2147483648", "-2147483649"]);
    assert_eq!(kept.as_primitive::<Int32Type>().values(), &[i32::MAX, i32::MIN]);
    assert_eq!(rejected, [OutOfRange; 2]);
    let (kept, rejected) = values(DataType::Int16, &["32767", "-32768", "32768", "-32769"]);
    assert_eq!(kept.as_primitive::<Int16Type>().values(), &[i16::MAX, i16::MIN]);
    assert_eq!(rejected, [OutOfRange; 2]);
    let (kept, rejected) = values(DataType::Int8, &["127", "-128", "128", "-129"]);
    assert_eq!(kept.as_primitive::<Int8Type>().values(), &[i8::MAX, i8::MIN]);
    assert_eq!(rejected, [OutOfRange; 2]);
}

#[test]
fn integer_columns_take_nothing_but_integers() {
    let others = ["1.0", "1e3", "1E0", "-0.0", "\"1\"", "true", "{}", "[1]", "NaN", "\"\"", "Infinity", "-Infinity"];
    for data_type in [DataType::Int8, DataType::Int16, DataType::Int32, DataType::Int64] {
        assert_eq!(values(data_type, &others).1, [WrongType; 12]);
    }
    let staged = json(&[("v", DataType::Int64)], &[r#"{"v": 1.0}"#]);
    assert_eq!(
        staged.rejected[0].message,
        "column v: expected BIGINT, found a number with a fraction or an exponent, at byte 6"
    );
}

#[test]
fn doubles_are_the_nearest_ones_and_overflow_rejects() {
    let texts = [
        "1",
        "-0",
        "0.1",
        "1e22",
        "1E+2",
        "25e-2",
        "9007199254740993",
        "5e-324",
        "1e-400",
        "1.7976931348623157e308",
        "0.1234567890123456789",
        "-12345678.87654321",
    ];
    let (kept, rejected) = values(DataType::Float64, &texts);
    assert_eq!(rejected, []);
    for (text, value) in texts.iter().zip(kept.as_primitive::<Float64Type>().values()) {
        assert_eq!(value.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
    }
    assert_eq!(values(DataType::Float64, &["1e309", "-1e309", "1e99999999999"]).1, [OutOfRange; 3]);
    assert_eq!(values(DataType::Float64, &["\"1\"", "true", "{}", "[]", "\"\"", "\"nan\""]).1, [WrongType; 6]);
}

#[test]
fn floats_are_rounded_once() {
    let texts = ["0.1", "16777217", "-0", "1e-45", "3.4028235e38", "1.00000005960464477540"];
    let (kept, rejected) = values(DataType::Float32, &texts);
    assert_eq!(rejected, []);
    for (text, value) in texts.iter().zip(kept.as_primitive::<Float32Type>().values()) {
        assert_eq!(value.to_bits(), text.parse::<f32>().unwrap().to_bits(), "{text}");
    }
    assert_eq!(values(DataType::Float32, &["3.5e38", "1e300", "1e400"]).1, [OutOfRange; 3]);
}

#[test]
fn nan_and_the_infinities_are_taken_in_three_spellings() {
    for data_type in [DataType::Float32, DataType::Float64] {
        let texts = ["NaN", "Infinity", "-Infinity", "\"NaN\"", "\"Infinity\"", "\"-Infinity\"", "\"Na\\u004e\""];
        let (kept, rejected) = values(data_type.clone(), &texts);
        assert_eq!(rejected, []);
        let kept = arrow::compute::cast(&kept, &DataType::Float64).unwrap();
        let kept = kept.as_primitive::<Float64Type>().values();
        assert!(kept[0].is_nan() && kept[3].is_nan() && kept[6].is_nan());
        assert_eq!(kept[1..3], [f64::INFINITY, f64::NEG_INFINITY]);
        assert_eq!(kept[4..6], [f64::INFINITY, f64::NEG_INFINITY]);
        assert_eq!(values(data_type.clone(), &["\"inf\"", "\"+Infinity\"", "\"NaN \"", "\"\""]).1, [WrongType; 4]);
        assert_eq!(values(data_type, &["nan", "INF", "-NaN", "+Infinity", "NaNs", "Infinit", "-I"]).1, [Malformed; 7]);
    }
    let staged = json(&[("v", DataType::Int64)], &[r#"{"v":1,"x":NaN,"y":[-Infinity]}"#]);
    assert_eq!(staged.kept.num_rows(), 1);
}

#[test]
fn decimals_are_exact_and_round_half_up() {
    let texts = ["12.34", "12.345", "-12.345", "1e2", "0.004", "1234567.89", "0", "-0.001"];
    let (kept, rejected) = values(DataType::Decimal128(9, 2), &texts);
    assert_eq!(rejected, []);
    let scaled = kept.as_primitive::<Decimal128Type>();
    assert_eq!(scaled.values(), &[1234, 1235, -1235, 10_000, 0, 123_456_789, 0, 0]);
    assert_eq!(scaled.data_type(), &DataType::Decimal128(9, 2));
    assert_eq!(values(DataType::Decimal128(9, 2), &["12345678", "9999999.995", "1e99"]).1, [OutOfRange; 3]);
    assert_eq!(values(DataType::Decimal128(9, 2), &["\"1\"", "NaN", "true", "{}"]).1, [WrongType; 4]);
}

#[test]
fn booleans_are_true_and_false() {
    let (kept, rejected) = values(DataType::Boolean, &["true", "false", "null", "true"]);
    assert_eq!(rejected, []);
    assert_eq!(kept.as_boolean().iter().collect::<Vec<_>>(), [Some(true), Some(false), None, Some(true)]);
    assert_eq!(values(DataType::Boolean, &["1", "\"true\"", "0", "{}"]).1, [WrongType; 4]);
    assert_eq!(values(DataType::Boolean, &["True", "truth", "fals", "t"]).1, [Malformed; 4]);
}

#[test]
fn strings_are_taken_with_all_escapes_and_nothing_else_is_a_string() {
    let (kept, rejected) = values(
        DataType::Utf8,
        &[
            r#""""#,
            r#""plain""#,
            r#""a\"\\\/\b\f\n\r\tz""#,
            r#""\u0041\u00e9\u4e2d""#,
            r#""\ud83d\ude00""#,
            "\"é中😀\"",
            r#""\u0000""#,
            "null",
        ],
    );
    assert_eq!(rejected, []);
    let texts: Vec<_> = kept.as_string::<i32>().iter().collect();
    let expected = ["", "plain", "a\"\\/\u{8}\u{c}\n\r\tz", "Aé中", "😀", "é中😀", "\0"].map(Some);
    assert_eq!((&texts[..7], texts[7]), (&expected[..], None));
    assert_eq!(values(DataType::Utf8, &["1", "true", "{}", "[]", "NaN"]).1, [WrongType; 5]);
    assert_eq!(
        values(DataType::Utf8, &[r#""\ud83d""#, r#""\ude00x""#, r#""\ud83d\n""#, r#""\u00g0""#]).1,
        [Malformed; 4]
    );
}

#[test]
fn binary_is_base64() {
    let (kept, rejected) =
        values(DataType::Binary, &[r#""aGk=""#, r#""""#, r#""\u0061Gk=""#, "null", r#""AP8=""#, r#""a\/8=""#]);
    assert_eq!(rejected, []);
    let bytes: Vec<_> = kept.as_binary::<i32>().iter().collect();
    assert_eq!(bytes, [Some(b"hi".as_slice()), Some(b""), Some(b"hi"), None, Some(b"\0\xFF"), Some(b"k\xFF")]);
    assert_eq!(
        values(DataType::Binary, &[r#""aGk""#, r#""a_-=""#, r#""aG k=""#, r#""a===""#, "1", "{}"]).1,
        [WrongType; 6]
    );
}

#[test]
fn timestamps_are_epoch_milliseconds_or_text() {
    let expected = 1_795_370_400_123_000;
    let (kept, rejected) = values(
        utc(),
        &[
            "1795370400123",
            r#""2026-11-22T18:00:00.123Z""#,
            r#""2026-11-22T19:00:00.123+01:00""#,
            r#""2026-11-22 18:00:00.123""#,
            r#""2026-11-22T18:00:00.123""#,
            r#""2026-11-22T18:00:00.123000999Z""#,
            r#""2026\u002d11-22 18:00:00.123""#,
        ],
    );
    assert_eq!(rejected, []);
    assert_eq!(kept.as_primitive::<TimestampMicrosecondType>().values(), &[expected; 7]);
    assert_eq!(kept.data_type(), &utc());
    let (kept, rejected) =
        values(utc(), &["0", "-1", "253402300799999", "-62135596800000", r#""2024-02-29T23:59:59Z""#]);
    assert_eq!(rejected, []);
    assert_eq!(kept.as_primitive::<TimestampMicrosecondType>().values()[..2], [0, -1000]);
    assert_eq!(
        values(utc(), &["253402300800000", "-62135596800001", "9223372036854775807", "99999999999999999999"]).1,
        [OutOfRange; 4]
    );
    assert_eq!(values(utc(), &["1.5", "1e12", "true", "{}", "[]"]).1, [WrongType; 5]);
    assert_eq!(
        values(
            utc(),
            &[
                r#""""#,
                r#""yesterday""#,
                r#""2026-11-22""#,
                r#""2026-02-29T00:00:00Z""#,
                r#""2026-11-22T23:59:60Z""#,
                r#""1795370400123""#,
                r#""2026-11-22T18:00:00+0100""#,
                r#""0000-01-01T00:00:00Z""#,
            ]
        )
        .1,
        [BadTimestamp; 8]
    );
    assert_eq!(values(utc(), &[r#""9999-12-31T23:59:59-00:01""#]).1, [OutOfRange]);
    let staged = json(&[("v", utc())], &[r#"{"v":"soon"}"#]);
    assert_eq!(
        staged.rejected[0].message,
        "column v: expected TIMESTAMP, found a string that is no timestamp, at byte 5"
    );
}

#[test]
fn timestamps_without_zone_are_text_without_zone() {
    let (kept, rejected) = values(ntz(), &[r#""2026-11-22T18:00:00.123456""#, r#""2026-11-22 18:00:00.1234569""#]);
    assert_eq!(rejected, []);
    assert_eq!(kept.as_primitive::<TimestampMicrosecondType>().values(), &[1_795_370_400_123_456; 2]);
    assert_eq!(kept.data_type(), &ntz());
    assert_eq!(
        values(ntz(), &[r#""2026-11-22T18:00:00Z""#, r#""2026-11-22T18:00:00+01:00""#, r#""x""#]).1,
        [BadTimestamp; 3]
    );
    assert_eq!(values(ntz(), &["1795370400123", "true"]).1, [WrongType; 2]);
}

#[test]
fn dates_are_text() {
    let (kept, rejected) =
        values(DataType::Date32, &[r#""1970-01-01""#, r#""2024-02-29""#, r#""0001-01-01""#, r#""9999-12-31""#]);
    assert_eq!(rejected, []);
    assert_eq!(kept.as_primitive::<Date32Type>().values(), &[0, 19_782, -719_162, 2_932_896]);
    assert_eq!(
        values(
            DataType::Date32,
            &[r#""2023-02-29""#, r#""2023-1-1""#, r#""20230101""#, r#""2023-01-01T00:00:00""#, r#""""#]
        )
        .1,
        [BadTimestamp; 5]
    );
    assert_eq!(values(DataType::Date32, &["19782", "null", "true"]).1, [WrongType; 2]);
}
