//! One model of every ordinary kind (`tests/models/zoo`): from JSON records to scores, with the bits of Python's onnxruntime
//! at every batch size.
#![allow(clippy::unwrap_used, clippy::panic)]

mod model_support;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow::record_batch::RecordBatch;
use firesteel_engine::decode::{DecodeOptions, Decoder};
use firesteel_engine::model::{Scorer, ScorerOptions, registry, runtime};
use firesteel_engine::spec::TableSchema;
use model_support::{names, root, start};
use serde_json::{Map, Value, json};

const BATCH_SIZES: [usize; 5] = [1, 2, 3, 7, 23];

fn goldens() -> Vec<(String, Value)> {
    let mut found: Vec<(String, Value)> = std::fs::read_dir(root().join("tests/models/zoo"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.len() >= 25, "{}", found.len());
    found
}

/// The rows as JSON records, decoded as a pipeline decodes them.
fn decoded(golden: &Value) -> RecordBatch {
    let columns: Vec<(&str, &str)> = golden["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| (column["name"].as_str().unwrap(), column["type"].as_str().unwrap()))
        .collect();
    let ddl: Vec<String> = columns.iter().map(|(name, kind)| format!("{name} {kind}")).collect();
    let schema = TableSchema::parse(&ddl.join(", ")).unwrap();
    let records: Vec<String> = golden["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let fields = columns.iter().zip(row.as_array().unwrap());
            Value::Object(fields.map(|((name, _), value)| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>())
                .to_string()
        })
        .collect();
    let mut decoder = Decoder::try_new(&DecodeOptions::default(), schema.leaves()).unwrap();
    let staged = decoder.process(&BinaryArray::from_iter_values(records)).unwrap();
    assert!(staged.rejected.is_empty(), "{:?}", staged.rejected);
    staged.kept
}

fn scorer(name: &str, golden: &Value, batch: &RecordBatch) -> Scorer {
    let bytes = std::fs::read(root().join(format!("tests/models/zoo/{name}.onnx"))).unwrap();
    let inputs: Vec<(String, Vec<String>)> = golden["inputs"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(input, columns)| {
            let columns = columns.as_array().unwrap().iter().map(|column| column.as_str().unwrap().to_owned());
            (input.clone(), columns.collect())
        })
        .collect();
    let options = ScorerOptions {
        path: "models[0]",
        inputs: &inputs,
        default_columns: &names(batch),
        ..ScorerOptions::new(name)
    };
    Scorer::try_new(&options, registry::load(&bytes).unwrap(), &batch.schema())
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A value as the zoo stores it: floats as bits.
fn shown(array: &ArrayRef, row: usize) -> Value {
    assert!(array.is_valid(row));
    match array.data_type() {
        DataType::List(_) => {
            let inside = array.as_list::<i32>().value(row);
            (0..inside.len()).map(|at| shown(&inside, at)).collect()
        }
        DataType::Float32 => match array.as_primitive::<Float32Type>().value(row) {
            value if value.is_nan() => json!("nan"),
            value => json!(format!("{:08x}", value.to_bits())),
        },
        DataType::Float64 => json!(format!("{:016x}", array.as_primitive::<Float64Type>().value(row).to_bits())),
        DataType::Int8 => json!(array.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => json!(array.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => json!(array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => json!(array.as_primitive::<Int64Type>().value(row)),
        DataType::Decimal128(20, 0) => {
            json!(u64::try_from(array.as_primitive::<Decimal128Type>().value(row)).unwrap())
        }
        DataType::Boolean => json!(array.as_boolean().value(row)),
        DataType::Utf8 => json!(array.as_string::<i32>().value(row)),
        other => panic!("no stored form for {other}"),
    }
}

#[test]
fn every_kind_of_model_gives_the_bits_of_python_at_every_batch_size() {
    start();
    for (name, golden) in goldens() {
        assert_eq!(golden["onnxruntime"], runtime::EXPECTED_VERSION, "{name}: make the zoo anew");
        let batch = decoded(&golden);
        let mut scorer = scorer(&name, &golden, &batch);
        for size in BATCH_SIZES {
            let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); scorer.added_fields().len()];
            for start in (0..batch.num_rows()).step_by(size) {
                let part = batch.slice(start, size.min(batch.num_rows() - start));
                let staged = scorer.process(part).unwrap();
                assert!(staged.rejected.is_empty(), "{name}: {:?}", staged.rejected);
                for (part, column) in parts.iter_mut().zip(&staged.kept.columns()[batch.num_columns()..]) {
                    part.push(Arc::clone(column));
                }
            }
            let outputs = golden["outputs"].as_object().unwrap();
            assert_eq!(scorer.added_fields().len(), outputs.len(), "{name}");
            for (field, parts) in scorer.added_fields().iter().zip(&parts) {
                let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                let column = concat(&parts).unwrap();
                let wanted = outputs[field.name()].as_array().unwrap();
                assert_eq!(column.len(), wanted.len(), "{name}.{}", field.name());
                for (row, wanted) in wanted.iter().enumerate() {
                    let got = shown(&column, row);
                    assert_eq!(got, *wanted, "{name}.{} row {row} at batch size {size}", field.name());
                }
            }
        }
    }
}
