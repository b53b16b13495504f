//! The forms in a table; `JsonSuite` in the plugin compares them with Spark's own.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float64Array, Int32Array, RecordBatch, StringArray};

use super::{Member, RowEncoder, number, text, time};

fn written(push: impl Fn(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    push(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn doubles_and_floats_have_javas_form() {
    let cases = [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (0.001, "0.001"),
        (9_999_999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (0.00099, "9.9E-4"),
        (-1.5e-7, "-1.5E-7"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (4.9e-324, "4.9E-324"),
        (f64::NAN, "\"NaN\""),
        (f64::INFINITY, "\"Infinity\""),
        (f64::NEG_INFINITY, "\"-Infinity\""),
    ];
    for (value, expected) in cases {
        assert_eq!(written(|out| number::push_double(out, value)), expected);
    }
    for (value, expected) in [(0.1_f32, "0.1"), (1e10, "1.0E10"), (1.4e-45, "1.4E-45"), (1.234_567_9e7, "1.2345679E7")]
    {
        assert_eq!(written(|out| number::push_float(out, value)), expected);
    }
}

#[test]
fn decimals_have_the_form_of_a_big_decimal() {
    let cases = [
        (0, 0, "0"),
        (0, 2, "0.00"),
        (0, 18, "0E-18"),
        (1, 6, "0.000001"),
        (1, 7, "1E-7"),
        (-123, 10, "-1.23E-8"),
        (-12345, 2, "-123.45"),
        (5, 2, "0.05"),
        (99_999_999_999_999_999_999_999_999_999_999_999_999, 0, "99999999999999999999999999999999999999"),
    ];
    for (unscaled, scale, expected) in cases {
        assert_eq!(written(|out| number::push_decimal(out, unscaled, scale)), expected);
    }
}

#[test]
fn times_before_1970_and_beyond_9999() {
    let cases = [
        (0, "1970-01-01"),
        (-1, "1969-12-31"),
        (19_782, "2024-02-29"),
        (2_932_897, "+10000-01-01"),
        (-719_529, "-0001-12-31"),
    ];
    for (days, expected) in cases {
        assert_eq!(written(|out| time::push_date(out, days)), expected);
    }
    assert_eq!(written(|out| time::push_timestamp(out, -1)), "1969-12-31T23:59:59.999");
    assert_eq!(written(|out| time::push_timestamp(out, 1_999)), "1970-01-01T00:00:00.001");
}

#[test]
fn text_is_escaped_where_it_must_be() {
    assert_eq!(
        written(|out| text::push(out, "a\"b\\c\n\u{1}\u{1f}/é\u{7f}")),
        "\"a\\\"b\\\\c\\n\\u0001\\u001F/é\u{7f}\""
    );
}

#[test]
fn rows_skip_or_say_their_nulls_and_take_finished_members() {
    let batch = RecordBatch::try_from_iter([
        ("a", Arc::new(Int32Array::from(vec![Some(1), None])) as ArrayRef),
        ("b", Arc::new(StringArray::from(vec![Some("{\"b\":[1,2]}"), Some("{}")]))),
        ("c", Arc::new(BinaryArray::from(vec![Some(&b"\xff\x00"[..]), None]))),
        ("d", Arc::new(Float64Array::from(vec![0.5, f64::NAN]))),
    ])
    .unwrap();
    let members = || {
        ["a", "b", "c", "d"]
            .iter()
            .enumerate()
            .map(|(column, name)| Member { column, name: (*name).to_owned(), finished: column == 1 })
            .collect::<Vec<_>>()
    };
    let encoded = |skip: bool| {
        let (mut out, mut ends) = (Vec::new(), Vec::new());
        RowEncoder::new(members(), skip).encode(&batch, &mut out, &mut ends).unwrap();
        let text = String::from_utf8(out).unwrap();
        (text[..ends[0]].to_owned(), text[ends[0]..].to_owned())
    };
    let first = "{\"a\":1,\"b\":[1,2],\"c\":\"/wA=\",\"d\":0.5}".to_owned();
    assert_eq!(encoded(true), (first.clone(), "{\"d\":\"NaN\"}".to_owned()));
    assert_eq!(encoded(false), (first, "{\"a\":null,\"c\":null,\"d\":\"NaN\"}".to_owned()));
}
