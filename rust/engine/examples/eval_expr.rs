//! Evaluates SQL expressions as the engine does, for comparison with Spark.
//!
//! Each line of standard input is a JSON object `{schema, rows, expressions}`: Spark DDL, rows as lists in column
//! order, SQL texts. Each output line is a list with one entry per expression: `{"type", "values"}`, where a value
//! is `{"ok": value}` or `{"failed": reason}`, or `{"refused": message}`. Doubles travel as hexadecimal bits, dates
//! and timestamps as whole numbers (days, microseconds). `--list` prints the functions instead.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::{BufRead, Write};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow::record_batch::RecordBatch;
use firesteel_engine::features::{CompiledExpr, functions};
use firesteel_engine::spec::{TableSchema, spark_type_name};
use serde_json::{Value, json};

fn main() {
    if std::env::args().nth(1).as_deref() == Some("--list") {
        let list: Vec<Value> = functions::ALL
            .iter()
            .map(|f| json!({"name": f.name, "signature": f.signature, "example": f.example}))
            .collect();
        println!("{}", Value::from(list));
        return;
    }
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line.expect("stdin")).expect("a JSON object");
        let schema = TableSchema::parse(request["schema"].as_str().expect("schema")).expect("DDL");
        let rows = request["rows"].as_array().expect("rows");
        let columns = schema.leaves().fields().iter().enumerate();
        let columns = columns.map(|(i, field)| column(field.data_type(), rows, i)).collect();
        let batch = RecordBatch::try_new(Arc::clone(schema.leaves()), columns).expect("columns as declared");
        let expressions = request["expressions"].as_array().expect("expressions");
        let results: Vec<Value> = expressions.iter().map(|sql| evaluate(sql.as_str().expect("SQL"), &batch)).collect();
        writeln!(out, "{}", Value::from(results)).expect("stdout");
    }
}

fn evaluate(sql: &str, batch: &RecordBatch) -> Value {
    let expr = match CompiledExpr::compile(sql, &batch.schema(), "expression") {
        Ok(expr) => expr,
        Err(error) => return json!({"refused": error.to_string()}),
    };
    let evaluated = expr.evaluate(batch).expect("no fault of the engine");
    let mut values: Vec<Value> = (0..batch.num_rows()).map(|row| json!({"ok": cell(&evaluated.values, row)})).collect();
    for (row, reason) in evaluated.failed {
        values[row as usize] = json!({"failed": reason});
    }
    json!({"type": spark_type_name(expr.data_type()), "values": values})
}

fn bits(cell: &Value) -> Option<u64> {
    cell.as_str().map(|hex| u64::from_str_radix(hex, 16).expect("hexadecimal bits"))
}

fn column(data_type: &DataType, rows: &[Value], i: usize) -> ArrayRef {
    let cells = rows.iter().map(|row| &row[i]);
    match data_type {
        DataType::Boolean => Arc::new(cells.map(Value::as_bool).collect::<BooleanArray>()),
        DataType::Int8 => Arc::new(cells.map(|c| c.as_i64().map(|n| n as i8)).collect::<Int8Array>()),
        DataType::Int16 => Arc::new(cells.map(|c| c.as_i64().map(|n| n as i16)).collect::<Int16Array>()),
        DataType::Int32 => Arc::new(cells.map(|c| c.as_i64().map(|n| n as i32)).collect::<Int32Array>()),
        DataType::Int64 => Arc::new(cells.map(Value::as_i64).collect::<Int64Array>()),
        DataType::Float32 => {
            Arc::new(cells.map(|c| bits(c).map(|b| f64::from_bits(b) as f32)).collect::<Float32Array>())
        }
        DataType::Float64 => Arc::new(cells.map(|c| bits(c).map(f64::from_bits)).collect::<Float64Array>()),
        DataType::Date32 => Arc::new(cells.map(|c| c.as_i64().map(|n| n as i32)).collect::<Date32Array>()),
        DataType::Timestamp(_, zone) => {
            let micros: TimestampMicrosecondArray = cells.map(Value::as_i64).collect();
            Arc::new(micros.with_timezone_opt(zone.clone()))
        }
        DataType::Utf8 => Arc::new(cells.map(Value::as_str).collect::<StringArray>()),
        other => unimplemented!("a column of type {other}"),
    }
}

fn cell(values: &ArrayRef, row: usize) -> Value {
    if values.is_null(row) {
        return Value::Null;
    }
    match values.data_type() {
        DataType::Boolean => values.as_boolean().value(row).into(),
        DataType::Int8 => values.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => values.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => values.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => values.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float32 => hex(values.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => hex(values.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => values.as_primitive::<Date32Type>().value(row).into(),
        DataType::Timestamp(_, _) => values.as_primitive::<TimestampMicrosecondType>().value(row).into(),
        DataType::Utf8 => values.as_string::<i32>().value(row).into(),
        other => unimplemented!("a value of type {other}"),
    }
}

fn hex(value: f64) -> Value {
    format!("{:016x}", value.to_bits()).into()
}
