//! JSON: keys, nesting, well-formedness.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use firesteel_engine::decode::{DecodeOptions, Decoder};
use firesteel_engine::stage::RejectCode::{DuplicateKey, InvalidUtf8, Malformed, RequiredMissing, WrongType};
use std::sync::Arc;

use crate::support::{codes, json, json_bytes, schema};

const AB: [(&str, DataType); 2] = [("a", DataType::Int64), ("b", DataType::Utf8)];

#[test]
fn missing_and_null_fields_are_null() {
    let staged = json(&AB, &[r#"{"a":1,"b":"x"}"#, r#"{"a":null,"b":null}"#, "{}", r#"{"b":"y"}"#, r#"{"a":2}"#]);
    assert_eq!(codes(&staged), []);
    let a: Vec<_> = staged.kept.column(0).as_primitive::<Int64Type>().iter().collect();
    let b: Vec<_> = staged.kept.column(1).as_string::<i32>().iter().collect();
    assert_eq!(a, [Some(1), None, None, None, Some(2)]);
    assert_eq!(b, [Some("x"), None, None, Some("y"), None]);
}

#[test]
fn missing_and_null_reject_where_the_schema_says_not_null() {
    let fields = vec![Field::new("a", DataType::Int64, false), Field::new("b", DataType::Utf8, true)];
    let values = [r#"{"a":1}"#, r#"{"a":null}"#, r#"{"b":"x"}"#].map(str::as_bytes);
    let staged = json_bytes(&Arc::new(Schema::new(fields)), &values);
    assert_eq!(codes(&staged), [RequiredMissing, RequiredMissing]);
    assert_eq!(staged.rejected[0].message, "column a: null where the schema says NOT NULL, at byte 5");
    assert_eq!(staged.rejected[1].message, "column a: missing where the schema says NOT NULL");
}

#[test]
fn extra_fields_are_passed_over_but_must_be_well_formed() {
    let staged = json(
        &AB,
        &[
            r#"{"x":[1,{"y":"\u00e9"}],"a":1,"b":"x","z":{"a":"not ours"}}"#,
            r#"{"a":1,"x":[1,]}"#,
            r#"{"a":1,"x":"\q"}"#,
            r#"{"a":1,"x":01}"#,
            r#"{"a":1,"x":{"y":tru}}"#,
            r#"{"a":1,"x":"\ud800"}"#,
            r#"{"x":1,"x":2,"a":3}"#,
        ],
    );
    assert_eq!(codes(&staged), [Malformed; 5]);
    assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().values(), &[1, 3]);
}

#[test]
fn keys_may_come_in_any_order() {
    let orders =
        [r#"{"a":1,"b":"x"}"#, r#"{"b":"x","a":1}"#, r#"{"z":0,"b":"x","y":0,"a":1}"#, r#"{ "a" : 1 , "b" : "x" }"#];
    let mut values = Vec::new();
    for first in orders {
        for second in orders {
            values.extend([first, second]);
        }
    }
    let staged = json(&AB, &values);
    assert_eq!(codes(&staged), []);
    assert!(staged.kept.column(0).as_primitive::<Int64Type>().iter().all(|value| value == Some(1)));
    assert!(staged.kept.column(1).as_string::<i32>().iter().all(|value| value == Some("x")));
}

#[test]
fn a_key_of_the_schema_that_stands_twice_rejects() {
    let columns = [("a", DataType::Int64), ("m.x", DataType::Int64)];
    let staged = json(
        &columns,
        &[
            r#"{"a":1,"a":1}"#,
            r#"{"a":null,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"m":{"x":1},"m":{}}"#,
            r#"{"m":null,"m":{"x":1}}"#,
            r#"{"m":{"x":1,"x":1}}"#,
            r#"{"a":1,"m":{"x":2,"a":3,"m":4}}"#,
        ],
    );
    assert_eq!(codes(&staged), [DuplicateKey; 6]);
    assert_eq!(staged.kept.num_rows(), 1);
    assert_eq!(staged.rejected[0].message, "column a: the key stands twice in its object, at byte 7");
    assert_eq!(staged.rejected[3].message, "column m: the key stands twice in its object, at byte 13");
}

#[test]
fn dotted_names_reach_into_nested_objects() {
    let columns = [("merchant.geo.lat", DataType::Float64), ("id", DataType::Int64), ("merchant.name", DataType::Utf8)];
    let staged = json(
        &columns,
        &[
            r#"{"id":1,"merchant":{"name":"m","geo":{"lat":1.5,"lon":2}}}"#,
            r#"{"id":2,"merchant":{"geo":null,"name":"n"}}"#,
            r#"{"id":3,"merchant":null}"#,
            r#"{"id":4}"#,
            r#"{"id":5,"merchant":{},"lat":9,"geo":{"lat":9}}"#,
            r#"{"id":6,"merchant.geo.lat":9}"#,
            r#"{"id":7,"merchant":[]}"#,
            r#"{"id":8,"merchant":{"geo":"x"}}"#,
            r#"{"id":9,"merchant":{"geo":{"lat":{}}}}"#,
            r#"{"id":10,"merchant":[}"#,
            r#"{"id":11,"merchant":{"geo":{"lat":1}}"#,
        ],
    );
    assert_eq!(codes(&staged), [WrongType, WrongType, WrongType, Malformed, Malformed]);
    let lat: Vec<_> = staged.kept.column(0).as_primitive::<Float64Type>().iter().collect();
    assert_eq!(lat, [Some(1.5), None, None, None, None, None]);
    let name: Vec<_> = staged.kept.column(2).as_string::<i32>().iter().collect();
    assert_eq!(name[..3], [Some("m"), Some("n"), None]);
    assert_eq!(staged.rejected[0].message, "column merchant: expected an object, found an array, at byte 19");
    assert_eq!(staged.rejected[1].message, "column merchant.geo: expected an object, found a string, at byte 26");
    assert_eq!(staged.rejected[2].message, "column merchant.geo.lat: expected DOUBLE, found an object, at byte 33");
}

#[test]
fn names_that_cannot_all_be_columns_are_refused() {
    for names in [["a", "a"], ["a", "a.b"], ["a.b", "a"], ["a..b", "c"], [".a", "b"], ["a.", "b"], ["", "b"]] {
        let schema = schema(&names.map(|name| (name, DataType::Int64)));
        let error = Decoder::try_new(&DecodeOptions::default(), &schema).unwrap_err();
        assert_eq!(error.condition, "BAD_COLUMN_NAME", "{names:?}");
    }
    let deep = vec!["k"; 65].join(".");
    let error = Decoder::try_new(&DecodeOptions::default(), &schema(&[(&deep, DataType::Int64)])).unwrap_err();
    assert_eq!(error.condition, "BAD_COLUMN_NAME");
    let error = Decoder::try_new(&DecodeOptions::default(), &schema(&[("a", DataType::UInt8)])).unwrap_err();
    assert_eq!(error.condition, "UNSUPPORTED_TYPE");
}

#[test]
fn escaped_keys_mean_what_they_spell() {
    let columns = [("é\"k", DataType::Int64), ("tab\t", DataType::Int64)];
    let staged = json(
        &columns,
        &[
            "{\"é\\\"k\":1,\"tab\\t\":2}",
            r#"{"\u00e9\u0022k":1,"\u0074ab\u0009":2}"#,
            "{\"é\\\"k\":1,\"tab\\t\":2}",
            "{\"tab\t\":2}",
            r#"{"\ud800":2}"#,
        ],
    );
    assert_eq!(codes(&staged), [Malformed, Malformed]);
    assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().values(), &[1, 1, 1]);
    assert_eq!(staged.kept.column(1).as_primitive::<Int64Type>().values(), &[2, 2, 2]);
}

#[test]
fn what_is_not_json_is_malformed() {
    let values = [
        r#"{"a":1,}"#,
        r#"{,"a":1}"#,
        r#"{"a":1 "b":"x"}"#,
        r#"{"a" 1}"#,
        r#"{"a"}"#,
        r#"{a:1}"#,
        r#"{'a':1}"#,
        r#"{"b":'x'}"#,
        r#"{"a":1}{"a":2}"#,
        r#"{"a":1} x"#,
        r#"{"a":1},"#,
        r#"{"a":1/*c*/}"#,
        "{\"a\":1}//c",
        "#{}",
        r#"{"a":+1}"#,
        r#"{"a":01}"#,
        r#"{"a":-}"#,
        r#"{"a":1.}"#,
        r#"{"a":1e}"#,
        r#"{"a":.5}"#,
        r#"{"a":0x10}"#,
        r#"{"a":1_000}"#,
        r#"{"a":nul}"#,
        r#"{"a":NULL}"#,
        r#"{"a":nan}"#,
        r#"{"a":-Inf}"#,
        r#"{"a":}"#,
        r#"{"a":]}"#,
        "{",
        "}",
        "{\"",
        "x",
        r#"{"a":1"#,
        r#"{"a":"#,
        r#"{"a"#,
        r#"{"b":"x"#,
        r#"{"b":"\"#,
        r#"{"b":"\u12"#,
        "{\"b\":\"x\0\"}",
        "{\"a\":1}\0",
        "\0",
        "\0\0\0",
        "{\"a\":\u{0}1}",
        "{\"b\":\"line\nend\"}",
        "{\"a\":1\u{a0}}",
        "{\u{feff}\"a\":1}",
        r#"{"a":1;"b":2}"#,
        r#"{"a":1]"#,
        r#"{"a":nullx}"#,
        r#"{"b":"x"y}"#,
        r#"{"b":"\x41"}"#,
        r#"{"b":"\ud83d"}"#,
        r#"{"b":"\ude00\ud83d"}"#,
        "[1,2",
        "tru",
    ];
    let staged = json(&AB, &values);
    for row in &staged.rejected {
        assert_eq!(row.code, Malformed, "{:?}: {}", values[row.row as usize], row.message);
    }
    assert_eq!(staged.rejected.len(), values.len());
}

#[test]
fn another_top_level_value_is_of_the_wrong_type() {
    let staged = json(&AB, &["[]", r#"[{"a":1}]"#, "1", "\"x\"", "true", "null", " 1.5e3 ", "NaN"]);
    assert_eq!(codes(&staged), [WrongType; 8]);
    assert_eq!(staged.rejected[0].message, "expected an object, found an array, at byte 0");
    assert_eq!(staged.rejected[6].message, "expected an object, found a number, at byte 1");
}

#[test]
fn white_space_may_stand_between_all_tokens() {
    let staged = json(&AB, &[" \t\r\n{ \"a\" \n:\t1 ,\r\"b\": \"x\" } \n\n", "{\"a\":1,\"x\":[ ],\"y\":{ }}\n"]);
    assert_eq!(codes(&staged), []);
}

#[test]
fn a_byte_order_mark_at_the_front_is_passed_over() {
    let staged = json(&AB, &["\u{feff}{\"a\":1}", "\u{feff} {\"a\":2}", "\u{feff}\u{feff}{\"a\":3}"]);
    assert_eq!(codes(&staged), [Malformed]);
    assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().values(), &[1, 2]);
}

#[test]
fn bytes_that_are_not_utf8_reject_wherever_they_stand() {
    let values: [&[u8]; 8] = [
        b"{\"b\":\"\xFF\"}",
        b"{\"x\":\"\xC3\x28\"}",
        b"{\"\xED\xA0\x80\":1}",
        b"{\"a\":1}\xC0\xAF",
        b"\xEF\xBB",
        b"{\"a\":\xF0\x9F\x98}",
        b"{\"a\":oops, \xFF",
        b"{\"a\":7}",
    ];
    let staged = json_bytes(&schema(&AB), &values);
    assert_eq!(codes(&staged), [InvalidUtf8; 7]);
    assert_eq!(staged.rejected[0].message, "bytes that are not UTF-8, at byte 6");
    assert_eq!(staged.kept.num_rows(), 1);
}

#[test]
fn a_character_cut_in_two_by_a_record_s_end_is_seen() {
    // Side by side in one buffer the two values are valid UTF-8; each alone is not.
    let staged = json_bytes(&schema(&AB), &[b"{\"b\":\"\xC3", b"\xA9\"}"]);
    assert_eq!(codes(&staged), [InvalidUtf8, InvalidUtf8]);
}

#[test]
fn a_fault_leaves_its_neighbours_alone() {
    let columns = [("a", DataType::Int64), ("b", DataType::Utf8), ("c", DataType::Float64)];
    let good = |i: i64| format!(r#"{{"a":{i},"b":"text {i}","c":{i}.5}}"#);
    let bad = [
        r#"{"a":1,"b":"lost","c":"x"}"#,
        r#"{"a":1,"b":"lost \n","c":1"#,
        r#"{"c":1,"b":"lost","a":1.5}"#,
        r#"{"b":"\ud800"}"#,
        "",
    ];
    let mut values = Vec::new();
    for (i, bad) in bad.iter().enumerate() {
        values.extend([good(i as i64), (*bad).to_owned()]);
    }
    let staged = json(&columns, &values.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(staged.rejected.iter().map(|row| row.row).collect::<Vec<_>>(), [1, 3, 5, 7, 9]);
    for i in 0..5 {
        assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().value(i), i as i64);
        assert_eq!(staged.kept.column(1).as_string::<i32>().value(i), format!("text {i}"));
        assert_eq!(staged.kept.column(2).as_primitive::<Float64Type>().value(i), i as f64 + 0.5);
        assert_eq!(staged.kept.column(1).null_count(), 0);
    }
}

#[test]
fn messages_never_show_the_payload() {
    let columns =
        [("n", DataType::Int64), ("t", crate::support::utc()), ("s", DataType::Utf8), ("d", DataType::Date32)];
    let secret = "4111111111111111";
    let values = [
        format!(r#"{{"n":"{secret}"}}"#),
        format!(r#"{{"n":{secret}999999}}"#),
        format!(r#"{{"t":"{secret}"}}"#),
        format!(r#"{{"s":{secret}}}"#),
        format!(r#"{{"d":"{secret}"}}"#),
        format!(r#"{{"{secret}":"#),
        format!(r#"{{"{secret}"#),
        secret.to_owned(),
        format!(r#""{secret}""#),
        format!(r#"{{"s":"\q{secret}"}}"#),
    ];
    let staged = json(&columns, &values.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(staged.rejected.len(), values.len());
    for row in &staged.rejected {
        assert!(!row.message.contains("4111"), "{}", row.message);
    }
}
