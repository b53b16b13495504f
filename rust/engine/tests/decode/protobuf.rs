//! Protobuf: what each kind of field gives, presence and defaults, and that one bad message is one bad row.

use arrow::array::{Array, AsArray, BinaryArray};
use arrow::datatypes::{DataType, Int64Type};
use firesteel_engine::decode::{DecodeOptions, Decoder, Format, Framing, ProtobufOptions};
use firesteel_engine::stage::{RejectCode, Staged};
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, OneofDescriptorProto,
};

use crate::support::{codes, schema, shown, utc};

fn field(name: &str, number: i32, of: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional as i32),
        r#type: Some(of as i32),
        ..FieldDescriptorProto::default()
    }
}

fn typed(name: &str, number: i32, of: Type, type_name: &str) -> FieldDescriptorProto {
    FieldDescriptorProto { type_name: Some(type_name.to_owned()), ..field(name, number, of) }
}

fn message(name: &str, fields: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto { name: Some(name.to_owned()), field: fields, ..DescriptorProto::default() }
}

/// What `protoc --include_imports` would write for one proto3 file and the two of Google's that it imports.
fn descriptor() -> Vec<u8> {
    let file = |name: &str, package: &str, messages: Vec<DescriptorProto>| FileDescriptorProto {
        name: Some(name.to_owned()),
        package: Some(package.to_owned()),
        message_type: messages,
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    let timestamp = message("Timestamp", vec![field("seconds", 1, Type::Int64), field("nanos", 2, Type::Int32)]);
    let wrapper = message("Int64Value", vec![field("value", 1, Type::Int64)]);
    let kinds = [
        Type::Double,
        Type::Float,
        Type::Int32,
        Type::Int64,
        Type::Uint32,
        Type::Uint64,
        Type::Sint32,
        Type::Sint64,
        Type::Fixed32,
        Type::Fixed64,
        Type::Sfixed32,
        Type::Sfixed64,
        Type::Bool,
        Type::String,
        Type::Bytes,
    ];
    let mut fields: Vec<FieldDescriptorProto> =
        kinds.into_iter().zip(1..).map(|(of, n)| field(&format!("f{n}"), n, of)).collect();
    fields.push(typed("colour", 16, Type::Enum, ".t.Colour"));
    fields.push(typed("ts", 17, Type::Message, ".google.protobuf.Timestamp"));
    fields.push(typed("wrapped", 18, Type::Message, ".google.protobuf.Int64Value"));
    fields.push(typed("m", 19, Type::Message, ".t.M"));
    fields.push(FieldDescriptorProto { label: Some(Label::Repeated as i32), ..field("list", 20, Type::Int64) });
    let mut maybe = field("maybe", 21, Type::Int64);
    (maybe.proto3_optional, maybe.oneof_index) = (Some(true), Some(1));
    fields.push(maybe);
    for (name, number, of) in [("one", 22, Type::Int64), ("two", 23, Type::String), ("three", 24, Type::Bool)] {
        fields.push(FieldDescriptorProto { oneof_index: Some(0), ..field(name, number, of) });
    }
    fields.push(FieldDescriptorProto { oneof_index: Some(0), ..typed("four", 25, Type::Message, ".t.M") });
    fields.push(field("far", 5_000, Type::Int64));
    let mut record = message("R", fields);
    record.oneof_decl = ["choice", "_maybe"]
        .map(|name| OneofDescriptorProto { name: Some(name.to_owned()), ..OneofDescriptorProto::default() })
        .to_vec();
    let inner = message(
        "M",
        vec![field("x", 1, Type::Int64), field("y", 2, Type::String), typed("again", 3, Type::Message, ".t.M")],
    );
    let mut own = file("r.proto", "t", vec![inner, record]);
    own.dependency = vec!["google/protobuf/timestamp.proto".to_owned(), "google/protobuf/wrappers.proto".to_owned()];
    let value = |name: &str, number| EnumValueDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        ..EnumValueDescriptorProto::default()
    };
    own.enum_type = vec![EnumDescriptorProto {
        name: Some("Colour".to_owned()),
        value: vec![value("NONE", 0), value("RED", 1), value("BACK", -1)],
        ..EnumDescriptorProto::default()
    }];
    let files = vec![
        file("google/protobuf/timestamp.proto", "google.protobuf", vec![timestamp]),
        file("google/protobuf/wrappers.proto", "google.protobuf", vec![wrapper]),
        own,
    ];
    FileDescriptorSet { file: files }.encode_to_vec()
}

pub(crate) fn options(framing: Framing) -> DecodeOptions {
    let protobuf = ProtobufOptions { descriptor: descriptor(), message: "t.R".to_owned(), framing };
    DecodeOptions { format: Format::Protobuf, protobuf, max_depth: 8, ..DecodeOptions::default() }
}

fn decode(columns: &[(&str, DataType)], values: &[Vec<u8>]) -> Staged {
    let values = BinaryArray::from_iter_values(values);
    let staged = Decoder::try_new(&options(Framing::Bare), &schema(columns)).unwrap().process(&values).unwrap();
    assert_eq!(staged.kept.num_rows() + staged.rejected.len(), values.len());
    staged
}

/// One column of one message: the value as text, or the code.
fn one(column: &str, of: DataType, bytes: &[u8]) -> String {
    let staged = decode(&[(column, of)], &[bytes.to_vec()]);
    match staged.rejected.first() {
        Some(rejected) => rejected.code.name().to_owned(),
        None => shown(staged.kept.column(0), 0),
    }
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A field of variable length.
fn v(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

/// A field with a length.
fn l(number: u64, value: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

/// A field of fixed width.
fn f(number: u64, value: &[u8]) -> Vec<u8> {
    [varint(number << 3 | if value.len() == 8 { 1 } else { 5 }), value.to_vec()].concat()
}

#[test]
fn every_kind_of_number() {
    assert_eq!(one("f1", DataType::Float64, &f(1, &2.5f64.to_le_bytes())), "2.5");
    assert_eq!(one("f2", DataType::Float32, &f(2, &2.5f32.to_le_bytes())), "2.5");
    assert_eq!(one("f2", DataType::Float64, &f(2, &2.5f32.to_le_bytes())), "2.5");
    assert_eq!(one("f3", DataType::Int32, &v(3, -5i64 as u64)), "-5");
    assert_eq!(one("f3", DataType::Int32, &v(3, 1 << 32 | 7)), "7", "the upper half is dropped");
    assert_eq!(one("f3", DataType::Int8, &v(3, 128)), "OUT_OF_RANGE");
    assert_eq!(one("f4", DataType::Int64, &v(4, i64::MIN as u64)), i64::MIN.to_string());
    assert_eq!(one("f4", utc(), &v(4, 1_000)), "1970-01-01T00:00:01Z");
    assert_eq!(one("f5", DataType::Int64, &v(5, 4_294_967_295)), "4294967295");
    assert_eq!(one("f5", DataType::Int32, &v(5, 4_294_967_295)), "OUT_OF_RANGE");
    assert_eq!(one("f6", DataType::Decimal128(20, 0), &v(6, u64::MAX)), "18446744073709551615");
    assert_eq!(one("f6", DataType::Int64, &v(6, u64::MAX)), "OUT_OF_RANGE");
    assert_eq!(one("f7", DataType::Int32, &v(7, 5)), "-3");
    assert_eq!(one("f8", DataType::Int64, &v(8, u64::MAX)), i64::MIN.to_string());
    assert_eq!(one("f9", DataType::Int64, &f(9, &[255; 4])), "4294967295");
    assert_eq!(one("f10", DataType::Int64, &f(10, &7u64.to_le_bytes())), "7");
    assert_eq!(one("f11", DataType::Int32, &f(11, &[255; 4])), "-1");
    assert_eq!(one("f12", DataType::Int64, &f(12, &[255; 8])), "-1");
    assert_eq!(one("f13", DataType::Boolean, &v(13, 300)), "true");
    assert_eq!(one("far", DataType::Int64, &v(5_000, 3)), "3");
}

#[test]
fn text_bytes_enums_and_times() {
    assert_eq!(one("f14", DataType::Utf8, &l(14, "né".as_bytes())), "né");
    assert_eq!(one("f14", DataType::Utf8, &l(14, &[0xC3, 0x28])), "INVALID_UTF8");
    assert_eq!(one("f15", DataType::Binary, &l(15, &[0xC3, 0x28])), "c328");
    assert_eq!(one("colour", DataType::Utf8, &v(16, 1)), "RED");
    assert_eq!(one("colour", DataType::Utf8, &v(16, -1i64 as u64)), "BACK");
    assert_eq!(one("colour", DataType::Utf8, &v(16, 9)), "OUT_OF_RANGE");
    assert_eq!(one("colour", DataType::Int32, &v(16, 9)), "9");
    let ts = |seconds: i64, nanos: i64| l(17, &[v(1, seconds as u64), v(2, nanos as u64)].concat());
    assert_eq!(one("ts", utc(), &ts(1, 500_000_999)), "1970-01-01T00:00:01.500Z");
    assert_eq!(one("ts", utc(), &ts(-1, 999_999_999)), "1969-12-31T23:59:59.999999Z");
    assert_eq!(one("ts", utc(), &ts(1, -1)), "OUT_OF_RANGE");
    assert_eq!(one("ts", utc(), &ts(i64::MAX, 0)), "OUT_OF_RANGE");
    assert_eq!(one("ts", utc(), &l(17, b"")), "1970-01-01T00:00:00Z");
    assert_eq!(one("ts.seconds", DataType::Int64, &ts(4, 0)), "4");
}

#[test]
fn what_is_not_there() {
    // Without presence: the default. With presence: null. No bytes at all are a message.
    assert_eq!(one("f3", DataType::Int32, b""), "0");
    assert_eq!(one("f14", DataType::Utf8, b""), "");
    assert_eq!(one("colour", DataType::Utf8, b""), "NONE");
    assert_eq!(one("maybe", DataType::Int64, b""), "null");
    assert_eq!(one("maybe", DataType::Int64, &v(21, 0)), "0");
    assert_eq!(one("ts", utc(), b""), "null");
    assert_eq!(one("wrapped", DataType::Int64, b""), "null");
    assert_eq!(one("wrapped", DataType::Int64, &l(18, b"")), "0");
    assert_eq!(one("wrapped", DataType::Int64, &l(18, &v(1, 5))), "5");
    assert_eq!(one("m.x", DataType::Int64, b""), "null");
    assert_eq!(one("m.x", DataType::Int64, &l(19, b"")), "0");
    assert_eq!(one("m.again.x", DataType::Int64, &l(19, b"")), "null");
    assert_eq!(one("m.again.x", DataType::Int64, &l(19, &l(3, &v(1, 6)))), "6");
}

#[test]
fn the_last_value_wins_and_messages_merge() {
    assert_eq!(one("f4", DataType::Int64, &[v(4, 1), l(14, b"x"), v(4, 2)].concat()), "2");
    assert_eq!(one("f14", DataType::Utf8, &[l(14, b"a long text"), l(14, b"b")].concat()), "b");
    let twice = [l(19, &[v(1, 5), l(2, b"y")].concat()), l(19, &v(1, 6))].concat();
    assert_eq!((one("m.x", DataType::Int64, &twice), one("m.y", DataType::Utf8, &twice)), ("6".into(), "y".into()));
}

#[test]
fn of_a_oneof_only_the_last_member_is_there() {
    let columns = [("one", DataType::Int64), ("two", DataType::Utf8), ("four.x", DataType::Int64)];
    let rows = [
        [v(22, 1), l(23, b"b")].concat(),
        [l(23, b"b"), v(22, 2)].concat(),
        [v(22, 3), v(24, 1)].concat(),
        [l(25, &v(1, 4)), v(22, 5)].concat(),
        [v(22, 6), l(25, b"")].concat(),
    ];
    let kept = decode(&columns, &rows).kept;
    let shown: Vec<Vec<String>> = (0..3)
        .map(|column| {
            let column = kept.column(column);
            (0..5).map(|row| shown(column, row).replace("null", "-")).collect()
        })
        .collect();
    assert_eq!(shown, [["-", "2", "-", "5", "-"], ["b", "-", "-", "-", "-"], ["-", "-", "-", "-", "0"]]);
}

#[test]
fn unwanted_fields_are_passed_over_by_their_wire_type() {
    let group = [varint(99 << 3 | 3), v(1, 1), varint(98 << 3 | 3), varint(98 << 3 | 4), varint(99 << 3 | 4)].concat();
    let unknown = [v(77, 1), f(78, &[0; 8]), f(79, &[0; 4]), l(80, b"anything"), group].concat();
    assert_eq!(one("f4", DataType::Int64, &[unknown.clone(), v(4, 3), unknown].concat()), "3");
    let packed = l(20, &[1, 2, 3]);
    assert_eq!(one("f4", DataType::Int64, &[packed, v(4, 3)].concat()), "3");
}

#[test]
fn corrupt_bytes_reject_their_row() {
    let good = [v(4, 3), l(14, b"abc"), f(1, &[0; 8])].concat();
    for (bytes, code) in [
        (good[..good.len() - 1].to_vec(), RejectCode::Malformed),
        (vec![0, 1], RejectCode::Malformed),
        (varint(5 << 3 | 7), RejectCode::Malformed),
        (varint(99 << 3 | 4), RejectCode::Malformed),
        ([varint(99 << 3 | 3), varint(98 << 3 | 4)].concat(), RejectCode::Malformed),
        (varint(u64::MAX), RejectCode::Malformed),
        (vec![0xFF; 11], RejectCode::Malformed),
        (f(4, &[0; 8]), RejectCode::WrongType),
        (v(14, 3), RejectCode::WrongType),
        (v(19, 3), RejectCode::WrongType),
        (varint(99 << 3 | 3).repeat(9), RejectCode::TooDeep),
    ] {
        let columns = [("f4", DataType::Int64), ("f14", DataType::Utf8), ("m.x", DataType::Int64)];
        let staged = decode(&columns, &[good.clone(), bytes.clone(), good.clone()]);
        assert_eq!(codes(&staged), [code], "{bytes:?}: {:?}", staged.rejected);
        assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().values(), &[3, 3]);
    }
    let staged = decode(&[("m.x", DataType::Int64)], &[l(19, &l(1, b"x"))]);
    assert_eq!(
        staged.rejected[0].message,
        "column m.x: expected BIGINT, found text, bytes, a message or packed numbers, at byte 3"
    );
}

#[test]
fn confluents_header_is_passed_over() {
    let columns = schema(&[("f4", DataType::Int64)]);
    let body = v(4, 3);
    let framed = |header: &[u8]| [&[0, 0, 0, 0, 9], header, body.as_slice()].concat();
    // t.R is the second message of its file.
    let rows = [framed(&[2, 2]), framed(&[0]), framed(&[4, 2, 2]), framed(&[2, 0]), body.clone(), vec![0, 0, 0]];
    let values = BinaryArray::from_iter_values(&rows);
    let staged = Decoder::try_new(&options(Framing::Confluent), &columns).unwrap().process(&values).unwrap();
    assert_eq!(staged.kept.column(0).as_primitive::<Int64Type>().values(), &[3]);
    use RejectCode::{Malformed, WrongType};
    assert_eq!(codes(&staged), [WrongType, WrongType, WrongType, Malformed, Malformed]);
}

#[test]
fn what_cannot_work_is_refused_with_a_hint() {
    let refused =
        |column: &str, of| Decoder::try_new(&options(Framing::Bare), &schema(&[(column, of)])).unwrap_err().to_string();
    assert!(refused("colur", DataType::Utf8).contains("t.R has no field colur (did you mean colour?)"));
    assert!(
        refused("list", DataType::Int64)
            .contains("a repeated field in t.R (maps and repeated fields cannot be columns")
    );
    assert!(refused("m", DataType::Utf8).contains("column m is STRING, but a message t.M in t.R"));
    assert!(refused("f1", DataType::Float32).contains("column f1 is FLOAT, but a double in t.R"));
    let mut other = options(Framing::Bare);
    other.protobuf.message = "R".to_owned();
    let fault = Decoder::try_new(&other, &schema(&[("f1", DataType::Float64)])).unwrap_err().to_string();
    assert!(fault.contains("UNKNOWN_MESSAGE") && fault.ends_with("(did you mean t.R?)"), "{fault}");
    other.protobuf.descriptor = b"rubbish".to_vec();
    assert_eq!(
        Decoder::try_new(&other, &schema(&[("f1", DataType::Float64)])).unwrap_err().condition,
        "BAD_DESCRIPTOR"
    );
}
