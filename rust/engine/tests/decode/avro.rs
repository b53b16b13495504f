//! Avro: what each type gives, what is passed over, and that one bad datum is one bad row.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use firesteel_engine::decode::{AvroOptions, DecodeOptions, Decoder, Format};
use firesteel_engine::stage::{RejectCode, Staged};

use crate::support::{codes, ntz, schema, shown, utc};

pub(crate) fn options(schema: &str) -> DecodeOptions {
    let avro = AvroOptions { schema: Some(schema.to_owned()), registry: None };
    DecodeOptions { format: Format::Avro, avro, max_depth: 8, ..DecodeOptions::default() }
}

pub(crate) fn record(fields: &str) -> String {
    format!(r#"{{"type":"record","name":"r","fields":[{fields}]}}"#)
}

fn decode(fields: &str, columns: &[(&str, DataType)], values: &[&[u8]]) -> Staged {
    let values = arrow::array::BinaryArray::from_iter_values(values);
    let staged = Decoder::try_new(&options(&record(fields)), &schema(columns)).unwrap().process(&values).unwrap();
    assert_eq!(staged.kept.num_rows() + staged.rejected.len(), values.len());
    staged
}

/// One field `f` of a type, one column of a type: the value as text, or the code.
fn one(avro: &str, column: DataType, datum: &[u8]) -> String {
    let staged = decode(&format!(r#"{{"name":"f","type":{avro}}}"#), &[("f", column)], &[datum]);
    match staged.rejected.first() {
        Some(rejected) => rejected.code.name().to_owned(),
        None => shown(staged.kept.column(0), 0),
    }
}

pub(crate) fn zigzag(value: i64) -> Vec<u8> {
    let mut rest = (value << 1 ^ value >> 63) as u64;
    let mut bytes = Vec::new();
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

pub(crate) fn text(value: &str) -> Vec<u8> {
    [zigzag(value.len() as i64), value.as_bytes().to_vec()].concat()
}

#[test]
fn numbers_go_where_they_fit() {
    assert_eq!(one(r#""int""#, DataType::Int32, &zigzag(-7)), "-7");
    assert_eq!(one(r#""int""#, DataType::Int64, &zigzag(i64::from(i32::MIN))), "-2147483648");
    assert_eq!(one(r#""int""#, DataType::Int32, &zigzag(1 << 31)), "MALFORMED");
    assert_eq!(one(r#""int""#, DataType::Int8, &zigzag(127)), "127");
    assert_eq!(one(r#""int""#, DataType::Int8, &zigzag(128)), "OUT_OF_RANGE");
    assert_eq!(one(r#""long""#, DataType::Int64, &zigzag(i64::MIN)), i64::MIN.to_string());
    assert_eq!(one(r#""long""#, DataType::Int32, &zigzag(1 << 31)), "OUT_OF_RANGE");
    assert_eq!(one(r#""long""#, DataType::Float64, &zigzag(3)), "3.0");
    assert_eq!(one(r#""long""#, DataType::Float32, &zigzag(3)), "3.0");
    assert_eq!(one(r#""long""#, DataType::Decimal128(6, 2), &zigzag(1234)), "1234.00");
    assert_eq!(one(r#""long""#, DataType::Decimal128(5, 2), &zigzag(1234)), "OUT_OF_RANGE");
    assert_eq!(one(r#""float""#, DataType::Float32, &1.5f32.to_le_bytes()), "1.5");
    assert_eq!(one(r#""float""#, DataType::Float64, &0.1f32.to_le_bytes()), f64::from(0.1f32).to_string());
    assert_eq!(one(r#""double""#, DataType::Float64, &f64::NAN.to_le_bytes()), "NaN");
    assert_eq!(one(r#""boolean""#, DataType::Boolean, &[1]), "true");
    assert_eq!(one(r#""boolean""#, DataType::Boolean, &[2]), "MALFORMED");
}

#[test]
fn text_and_bytes() {
    assert_eq!(one(r#""string""#, DataType::Utf8, &text("né")), "né");
    assert_eq!(one(r#""string""#, DataType::Binary, &text("ab")), "6162");
    assert_eq!(one(r#""bytes""#, DataType::Utf8, &text("ab")), "ab");
    assert_eq!(one(r#""string""#, DataType::Utf8, &[4, 0xC3, 0x28]), "INVALID_UTF8");
    assert_eq!(one(r#""bytes""#, DataType::Binary, &[4, 0xC3, 0x28]), "c328");
    assert_eq!(one(r#""string""#, DataType::Utf8, &zigzag(-1)), "MALFORMED");
    assert_eq!(one(r#""string""#, DataType::Utf8, &zigzag(i64::MAX)), "MALFORMED");
    assert_eq!(one(r#"{"type":"fixed","name":"x","size":2}"#, DataType::Binary, &[1, 255]), "01ff");
    let uuid = r#"{"type":"fixed","name":"x","size":16,"logicalType":"uuid"}"#;
    assert_eq!(one(uuid, DataType::Utf8, &[0xAB; 16]), "abababab-abab-abab-abab-abababababab");
    assert_eq!(one(uuid, DataType::Utf8, &[0xAB; 15]), "MALFORMED");
    let colours = r#"{"type":"enum","name":"x","symbols":["RED","BLUE"]}"#;
    assert_eq!(one(colours, DataType::Utf8, &zigzag(1)), "BLUE");
    assert_eq!(one(colours, DataType::Utf8, &zigzag(2)), "MALFORMED");
    assert_eq!(one(colours, DataType::Utf8, &zigzag(-1)), "MALFORMED");
}

#[test]
fn logical_types() {
    let logical = |of: &str, name: &str| format!(r#"{{"type":"{of}","logicalType":"{name}"}}"#);
    assert_eq!(one(&logical("int", "date"), DataType::Date32, &zigzag(19_000)), "2022-01-08");
    assert_eq!(one(&logical("int", "date"), DataType::Int32, &zigzag(19_000)), "19000");
    assert_eq!(one(&logical("int", "date"), DataType::Date32, &zigzag(3_000_000)), "OUT_OF_RANGE");
    let instant = |unit: &str, ticks| one(&logical("long", &format!("timestamp-{unit}")), utc(), &zigzag(ticks));
    assert_eq!(instant("millis", 1_000), "1970-01-01T00:00:01Z");
    assert_eq!(instant("micros", -1), "1969-12-31T23:59:59.999999Z");
    assert_eq!(instant("nanos", -1), "1969-12-31T23:59:59.999999Z");
    assert_eq!(instant("millis", i64::MAX), "OUT_OF_RANGE");
    let wall = logical("long", "local-timestamp-millis");
    assert_eq!(one(&wall, ntz(), &zigzag(1_000)), "1970-01-01T00:00:01");
    // A plain number is an epoch in milliseconds, as in JSON.
    assert_eq!(one(r#""long""#, utc(), &zigzag(1_000)), "1970-01-01T00:00:01Z");
    let decimal = r#"{"type":"bytes","logicalType":"decimal","precision":6,"scale":3}"#;
    assert_eq!(one(decimal, DataType::Decimal128(6, 3), &[4, 0x30, 0x39]), "12.345");
    assert_eq!(one(decimal, DataType::Decimal128(6, 2), &[4, 0x30, 0x39]), "12.35");
    assert_eq!(one(decimal, DataType::Decimal128(6, 2), &[4, 0xCF, 0xC7]), "-12.35");
    assert_eq!(one(decimal, DataType::Decimal128(3, 2), &[4, 0x30, 0x39]), "OUT_OF_RANGE");
    assert_eq!(one(decimal, DataType::Decimal128(6, 3), &[0]), "MALFORMED");
    let fixed = r#"{"type":"fixed","name":"x","size":3,"logicalType":"decimal","precision":6,"scale":1}"#;
    assert_eq!(one(fixed, DataType::Decimal128(10, 1), &[0xFF, 0xFF, 0xFE]), "-0.2");
}

#[test]
fn unions() {
    for null_first in [true, false] {
        let (avro, null, some) = if null_first { (r#"["null","long"]"#, 0, 2) } else { (r#"["long","null"]"#, 2, 0) };
        assert_eq!(one(avro, DataType::Int64, &[null]), "null");
        assert_eq!(one(avro, DataType::Int64, &[some, 6]), "3");
        assert_eq!(one(avro, DataType::Int64, &[4]), "MALFORMED");
        assert_eq!(one(avro, DataType::Int64, &[3]), "MALFORMED");
    }
    let many = r#"["null","string","int","long"]"#;
    assert_eq!(one(many, DataType::Int64, &[0]), "null");
    assert_eq!(one(many, DataType::Int64, &[4, 2]), "1");
    assert_eq!(one(many, DataType::Int64, &[6, 4]), "2");
    assert_eq!(one(many, DataType::Int64, &[2, 2, b'x']), "WRONG_TYPE");
    assert_eq!(one(r#""null""#, DataType::Int64, b""), "EMPTY_VALUE");
}

#[test]
fn nested_records_and_what_is_passed_over() {
    let fields = r#"{"name":"skipped","type":{"type":"array","items":{"type":"map","values":"double"}}},
        {"name":"m","type":["null",{"type":"record","name":"M","fields":[
            {"name":"bytes","type":"bytes"},
            {"name":"geo","type":{"type":"record","name":"G","fields":[{"name":"lat","type":"double"},{"name":"lon","type":"double"}]}},
            {"name":"name","type":"string"}]}]},
        {"name":"list","type":{"type":"array","items":["null","string"]}},
        {"name":"last","type":"int"}"#;
    let columns = [("last", DataType::Int32), ("m.geo.lon", DataType::Float64), ("m.name", DataType::Utf8)];
    let head = [zigzag(1), zigzag(2), text("k"), vec![0; 8], text("l"), vec![0; 8], vec![0], vec![0]].concat();
    let inner =
        [zigzag(1), text("xyz"), 1.5f64.to_le_bytes().to_vec(), 2.5f64.to_le_bytes().to_vec(), text("n")].concat();
    // A block with its size in bytes, then one without.
    let list = [zigzag(-2), zigzag(3), vec![0], vec![2, 0], zigzag(1), vec![0], vec![0]].concat();
    let full = [head.clone(), inner, list.clone(), zigzag(9)].concat();
    let without = [head, zigzag(0), list, zigzag(8)].concat();
    let staged = decode(fields, &columns, &[&full, &without]);
    assert_eq!(codes(&staged), []);
    assert_eq!(staged.kept.column(0).as_primitive::<arrow::datatypes::Int32Type>().values(), &[9, 8]);
    let lon = staged.kept.column(1).as_primitive::<Float64Type>();
    assert_eq!((lon.value(0), lon.is_null(1)), (2.5, true));
    assert_eq!((staged.kept.column(2).as_string::<i32>().value(0), staged.kept.column(2).is_null(1)), ("n", true));
    // Every way to cut it short, and one byte more.
    for end in 1..full.len() {
        assert_eq!(codes(&decode(fields, &columns, &[&full[..end]])), [RejectCode::Malformed], "{end}");
    }
    assert_eq!(codes(&decode(fields, &columns, &[&[full, vec![0]].concat()])), [RejectCode::Malformed]);
}

#[test]
fn a_bad_record_changes_none_of_its_neighbours() {
    let fields = r#"{"name":"a","type":"long"},{"name":"s","type":"string"},{"name":"b","type":["null","double"]}"#;
    let columns = [("a", DataType::Int64), ("s", DataType::Utf8), ("b", DataType::Float64)];
    let good = |a: i64| [zigzag(a), text("ok"), vec![2], (a as f64).to_le_bytes().to_vec()].concat();
    let cut = [zigzag(7), text("lost"), vec![2, 1, 2]].concat();
    let staged = decode(fields, &columns, &[&good(1), &cut, &good(2), &[9], &good(3)]);
    assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().values(), &[1, 2, 3]);
    assert_eq!(staged.kept.column(1).as_string::<i32>().iter().flatten().collect::<String>(), "okokok");
    assert_eq!(staged.kept.column(2).as_primitive::<Float64Type>().values(), &[1.0, 2.0, 3.0]);
    let places: Vec<(u32, &str)> = staged.rejected.iter().map(|row| (row.row, row.code.name())).collect();
    assert_eq!(places, [(1, "MALFORMED"), (3, "MALFORMED")]);
    assert_eq!(staged.rejected[0].message, "column b: the record ends inside a value, at byte 7");
}

#[test]
fn arrays_of_nothing_and_records_in_themselves_cost_no_time_and_no_stack() {
    let fields = r#"{"name":"nothing","type":{"type":"array","items":"null"}},{"name":"a","type":"int"}"#;
    let huge = [zigzag(1 << 60), vec![0], zigzag(5)].concat();
    assert_eq!(codes(&decode(fields, &[("a", DataType::Int32)], &[&huge])), []);
    let list = r#"{"name":"next","type":["null",{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"]}]}]},
        {"name":"a","type":"int"}"#;
    let chain = |links: usize| [vec![2; links], vec![0], zigzag(5)].concat();
    assert_eq!(codes(&decode(list, &[("a", DataType::Int32)], &[&chain(7)])), []);
    assert_eq!(codes(&decode(list, &[("a", DataType::Int32)], &[&chain(8)])), [RejectCode::TooDeep]);
    let mut deepest = options(&record(list));
    deepest.max_depth = 10_000;
    let values = arrow::array::BinaryArray::from_iter_values([chain(1_000_000)]);
    let small_stack = std::thread::Builder::new().stack_size(512 << 10).spawn(move || {
        let columns = schema(&[("a", DataType::Int32)]);
        codes(&Decoder::try_new(&deepest, &columns).unwrap().process(&values).unwrap())
    });
    assert_eq!(small_stack.unwrap().join().unwrap(), [RejectCode::TooDeep]);
}

#[test]
fn columns_that_the_schema_does_not_have_are_refused_with_a_hint() {
    let fields = r#"{"name":"amount","type":"double"},{"name":"tags","type":{"type":"array","items":"string"}},
        {"name":"m","type":{"type":"record","name":"M","fields":[{"name":"lat","type":"double"}]}}"#;
    for (column, data_type, expected) in [
        (
            "amuont",
            DataType::Float64,
            "UNKNOWN_COLUMN: input.schema: the Avro schema has no field amuont (did you mean amount?)",
        ),
        ("m.lon", DataType::Float64, "UNKNOWN_COLUMN: input.schema: the Avro schema has no field m.lon (known: lat)"),
        (
            "amount",
            DataType::Utf8,
            "TYPE_MISMATCH: input.schema: column amount is STRING, but a double in the Avro schema",
        ),
        (
            "tags",
            DataType::Utf8,
            "but an array in the Avro schema (arrays and maps cannot be columns yet: leave it out)",
        ),
        ("amount.x", DataType::Utf8, "column amount is a STRUCT, but a double in the Avro schema"),
        ("m", DataType::Utf8, "column m is STRING, but a record in the Avro schema"),
    ] {
        let fault =
            Decoder::try_new(&options(&record(fields)), &schema(&[(column, data_type)])).unwrap_err().to_string();
        assert!(fault.contains(expected), "{fault}");
    }
    let fault = Decoder::try_new(&options("{"), &schema(&[("a", DataType::Int32)])).unwrap_err();
    assert_eq!((fault.condition, fault.path.as_str()), ("BAD_AVRO_SCHEMA", "input.avro"));
}

/// arrow-avro writes and reads the same records: a second opinion on every type.
#[test]
fn agrees_with_arrow_avro() {
    use arrow::array::{BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int32Array, Int64Array};
    use arrow::array::{StringArray, TimestampMicrosecondArray};
    use std::sync::Arc;
    let columns = schema(&[
        ("i", DataType::Int32),
        ("l", DataType::Int64),
        ("f", DataType::Float32),
        ("d", DataType::Float64),
        ("b", DataType::Boolean),
        ("s", DataType::Utf8),
        ("x", DataType::Binary),
        ("day", DataType::Date32),
        ("ts", utc()),
        ("ntz", ntz()),
    ]);
    let every_third = |i: i64| i % 3 != 0;
    let rows = -50..50i64;
    let some = |i: i64| every_third(i).then_some(i);
    let batch = RecordBatch::try_new(
        columns.clone(),
        vec![
            Arc::new(rows.clone().map(|i| some(i).map(|i| i as i32 * 40_000_000)).collect::<Int32Array>()),
            Arc::new(rows.clone().map(|i| some(i).map(|i| i << 56)).collect::<Int64Array>()),
            Arc::new(rows.clone().map(|i| some(i).map(|i| i as f32 / 3.0)).collect::<Float32Array>()),
            Arc::new(rows.clone().map(|i| some(i).map(|i| i as f64 / 3.0)).collect::<Float64Array>()),
            Arc::new(rows.clone().map(|i| some(i).map(|i| i % 2 == 0)).collect::<BooleanArray>()),
            Arc::new(
                rows.clone().map(|i| some(i).map(|i| "é".repeat(i.unsigned_abs() as usize))).collect::<StringArray>(),
            ),
            Arc::new(rows.clone().map(|i| some(i).map(|i| i.to_le_bytes())).collect::<BinaryArray>()),
            Arc::new(rows.clone().map(|i| some(i).map(|i| i as i32 * 10_000)).collect::<Date32Array>()),
            Arc::new(rows.clone().map(some).collect::<TimestampMicrosecondArray>().with_timezone("UTC")),
            Arc::new(rows.clone().map(some).collect::<TimestampMicrosecondArray>()),
        ],
    )
    .unwrap();
    let written = arrow_avro::schema::AvroSchema::try_from(columns.as_ref()).unwrap();
    let with_schema = columns
        .as_ref()
        .clone()
        .with_metadata([(arrow_avro::schema::SCHEMA_METADATA_KEY.to_owned(), written.json_string.clone())].into());
    let mut encoder = arrow_avro::writer::WriterBuilder::new(with_schema)
        .with_fingerprint_strategy(arrow_avro::schema::FingerprintStrategy::Id(7))
        .build_encoder::<arrow_avro::writer::format::AvroSoeFormat>()
        .unwrap();
    encoder.encode(&batch).unwrap();
    let encoded = encoder.flush();
    // Behind Confluent's header stands the bare datum.
    let datums: Vec<Vec<u8>> = (0..encoded.len()).map(|row| encoded.row(row).unwrap()[5..].to_vec()).collect();
    let values = arrow::array::BinaryArray::from_iter_values(&datums);
    let staged = Decoder::try_new(&options(&written.json_string), &columns).unwrap().process(&values).unwrap();
    assert_eq!(codes(&staged), []);
    assert_eq!(staged.kept, batch);
    assert!(staged.kept.column(8).as_primitive::<TimestampMicrosecondType>().null_count() > 10);
    let mut shown = String::new();
    write!(shown, "{:?}", staged.kept).unwrap();
    assert!(shown.contains("ééé"));
}
