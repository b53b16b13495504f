//! Rows as the text of records: one JSON object or one CSV line each.

use std::{io::Write as _, sync::Arc};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, FieldRef, SchemaRef},
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};
use arrow_json::writer::{Encoder, EncoderFactory, EncoderOptions, LineDelimited, NullableEncoder, WriterBuilder};
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{error::CliError, loadgen::output::Format};

/// Name of the field that `--send-time` adds.
pub(super) const SEND_TIME: &str = "sent_us";
/// Times are in UTC, whether a column has a zone or not; a fraction is written if there is one.
const TIMESTAMP: &str = "%Y-%m-%dT%H:%M:%S%.fZ";

/// Fails where a column's type has no form in the format.
pub(super) fn check(schema: &SchemaRef, format: Format) -> Result<(), CliError> {
    let nested = schema.fields().iter().find(|field| field.data_type().is_nested());
    match (nested, format) {
        (Some(field), Format::Csv) => {
            Err(CliError::Usage(format!("--format csv has no form for the nested column {}: write json", field.name())))
        }
        _ => Ok(()),
    }
}

/// First line of a CSV file.
pub(super) fn csv_header(schema: &SchemaRef, send_time: bool) -> String {
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let mut line = String::new();
    for (position, name) in names.chain(send_time.then_some(SEND_TIME)).enumerate() {
        if position > 0 {
            line.push(',');
        }
        push_csv(&mut line, name);
    }
    line
}

/// The rows of a batch, each without a line end.
pub(super) fn rows(batch: &RecordBatch, format: Format) -> Result<Vec<Vec<u8>>, ArrowError> {
    match format {
        Format::Json => json(batch),
        Format::Csv => csv(batch),
    }
}

/// Adds the send time as last field of a row.
pub(super) fn add_send_time(row: &mut Vec<u8>, format: Format, sent_us: i64) {
    // Writing into memory cannot fail.
    let _ = match format {
        Format::Json => {
            row.pop();
            let comma = if row.last() == Some(&b'{') { "" } else { "," };
            write!(row, r#"{comma}"{SEND_TIME}":{sent_us}}}"#)
        }
        Format::Csv => write!(row, ",{sent_us}"),
    };
}

/// The values of a column as the text of Kafka keys; none for a null.
pub(super) fn keys(column: &dyn Array) -> Result<Vec<Option<String>>, ArrowError> {
    let options = options();
    let text = ArrayFormatter::try_new(column, &options)?;
    let key = |row| -> Result<Option<String>, ArrowError> {
        if column.is_null(row) { Ok(None) } else { text.value(row).try_to_string().map(Some) }
    };
    (0..column.len()).map(key).collect()
}

fn options<'a>() -> FormatOptions<'a> {
    FormatOptions::new().with_timestamp_format(Some(TIMESTAMP)).with_timestamp_tz_format(Some(TIMESTAMP))
}

fn json(batch: &RecordBatch) -> Result<Vec<Vec<u8>>, ArrowError> {
    let mut text = Vec::with_capacity(batch.num_rows() * 128);
    let builder = WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(BytesAsBase64))
        .with_timestamp_format(TIMESTAMP.to_owned())
        .with_timestamp_tz_format(TIMESTAMP.to_owned());
    let mut writer = builder.build::<_, LineDelimited>(&mut text);
    writer.write(batch)?;
    writer.finish()?;
    // A line end inside of a string is escaped.
    Ok(text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect())
}

fn csv(batch: &RecordBatch) -> Result<Vec<Vec<u8>>, ArrowError> {
    let options = options();
    let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
    let columns: Vec<_> = columns.collect::<Result<_, _>>()?;
    let line = |row| -> Result<Vec<u8>, ArrowError> {
        let mut line = String::with_capacity(128);
        for (position, column) in columns.iter().enumerate() {
            if position > 0 {
                line.push(',');
            }
            push_csv(&mut line, &column.value(row).try_to_string()?);
        }
        Ok(line.into_bytes())
    };
    (0..batch.num_rows()).map(line).collect()
}

/// Quotes where a reader would else see an end of the cell.
fn push_csv(line: &mut String, cell: &str) {
    if cell.contains(['"', ',', '\n', '\r']) {
        line.push('"');
        line.push_str(&cell.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(cell);
    }
}

/// Bytes in JSON as Spark writes and our decoder reads them; Arrow's writer would write hexadecimal digits.
#[derive(Debug)]
struct BytesAsBase64;

impl EncoderFactory for BytesAsBase64 {
    fn make_default_encoder<'a>(
        &self,
        _field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let value: Box<dyn Fn(usize) -> &'a [u8] + 'a> = match array.data_type() {
            DataType::Binary => Box::new(|row| array.as_binary::<i32>().value(row)),
            DataType::LargeBinary => Box::new(|row| array.as_binary::<i64>().value(row)),
            DataType::BinaryView => Box::new(|row| array.as_binary_view().value(row)),
            DataType::FixedSizeBinary(_) => Box::new(|row| array.as_fixed_size_binary().value(row)),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(Box::new(Bytes(value)), array.nulls().cloned())))
    }
}

struct Bytes<'a>(Box<dyn Fn(usize) -> &'a [u8] + 'a>);

impl Encoder for Bytes<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(BASE64_STANDARD.encode((self.0)(row)).as_bytes());
        out.push(b'"');
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::{
        array::{
            ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
            TimestampMicrosecondArray, TimestampSecondArray,
        },
        datatypes::Schema,
    };

    use super::*;

    fn column(values: impl Array + 'static) -> ArrayRef {
        Arc::new(values)
    }

    fn batch() -> RecordBatch {
        let times = vec![Some(1_525_132_831_250_000), Some(0)];
        let price = Decimal128Array::from(vec![1_050, -7]).with_precision_and_scale(10, 2).unwrap();
        let columns = vec![
            ("id", column(Int64Array::from(vec![9_007_199_254_740_993, -1]))),
            ("zoned", column(TimestampMicrosecondArray::from(times).with_timezone("UTC"))),
            ("plain", column(TimestampSecondArray::from(vec![Some(1_525_132_831), None]))),
            ("day", column(Date32Array::from(vec![17_652, 0]))),
            ("price", column(price)),
            ("score", column(Float64Array::from(vec![0.1, f64::NAN]))),
            ("ok", column(BooleanArray::from(vec![Some(true), None]))),
            ("name", column(StringArray::from(vec!["a \"b\",\nc", ""]))),
            ("raw", column(BinaryArray::from_vec(vec![&b"\x00\xff"[..], &b""[..]]))),
        ];
        let columns = columns.into_iter().map(|(name, values)| (name, values, true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    fn text(format: Format) -> Vec<String> {
        rows(&batch(), format).unwrap().into_iter().map(|row| String::from_utf8(row).unwrap()).collect()
    }

    #[test]
    fn json_has_every_type_exactly() {
        let lines = text(Format::Json);
        assert_eq!(
            lines[0],
            r#"{"id":9007199254740993,"zoned":"2018-05-01T00:00:31.250Z","plain":"2018-05-01T00:00:31Z","day":"2018-05-01","price":10.50,"score":0.1,"ok":true,"name":"a \"b\",\nc","raw":"AP8="}"#
        );
        assert_eq!(
            lines[1],
            r#"{"id":-1,"zoned":"1970-01-01T00:00:00Z","plain":null,"day":"1970-01-01","price":-0.07,"score":null,"ok":null,"name":"","raw":""}"#
        );
    }

    #[test]
    fn csv_quotes_what_would_end_a_cell() {
        let lines = text(Format::Csv);
        assert_eq!(
            lines[0],
            "9007199254740993,2018-05-01T00:00:31.250Z,2018-05-01T00:00:31Z,2018-05-01,10.50,0.1,true,\"a \"\"b\"\",\nc\",00ff"
        );
        assert!(lines[1].starts_with("-1,1970-01-01T00:00:00Z,,1970-01-01,-0.07,NaN,,,"), "{}", lines[1]);
        assert_eq!(csv_header(&batch().schema(), true), "id,zoned,plain,day,price,score,ok,name,raw,sent_us");
    }

    #[test]
    fn the_send_time_comes_last() {
        for (row, format, wanted) in [
            (r#"{"a":1}"#, Format::Json, r#"{"a":1,"sent_us":5}"#),
            ("{}", Format::Json, r#"{"sent_us":5}"#),
            ("1,2", Format::Csv, "1,2,5"),
        ] {
            let mut row = row.as_bytes().to_vec();
            add_send_time(&mut row, format, 5);
            assert_eq!(String::from_utf8(row).unwrap(), wanted);
        }
    }

    #[test]
    fn keys_are_plain_text() {
        let batch = batch();
        assert_eq!(keys(batch.column(0)).unwrap()[1].as_deref(), Some("-1"));
        assert_eq!(keys(batch.column(2)).unwrap(), [Some("2018-05-01T00:00:31Z".to_owned()), None]);
        assert_eq!(keys(batch.column(7)).unwrap()[0].as_deref(), Some("a \"b\",\nc"));
    }

    #[test]
    fn nested_columns_are_for_json_only() {
        let list = DataType::new_list(DataType::Int32, true);
        let schema: SchemaRef = Arc::new(Schema::new(vec![arrow::datatypes::Field::new("many", list, true)]));
        assert!(check(&schema, Format::Json).is_ok());
        assert!(check(&schema, Format::Csv).unwrap_err().to_string().contains("many"));
    }
}
