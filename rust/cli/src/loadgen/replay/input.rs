//! A Parquet or CSV file as batches of typed rows, in file order, as often as asked for.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{array::RecordBatch, datatypes::SchemaRef, error::ArrowError};
use arrow_csv::reader::Format;
use firesteel_engine::spec::TableSchema;
use parquet::arrow::{
    ProjectionMask,
    arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
};

use crate::error::CliError;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;
/// What spreadsheets write at the start of a UTF-8 file.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Batches of a file.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Parquet,
    Csv,
}

/// A file that was found readable. Times with a zone are in UTC.
#[derive(Debug)]
pub(super) struct Input {
    path: PathBuf,
    kind: Kind,
    schema: SchemaRef,
    /// Rows, where that is known without reading them once more.
    rows: Option<u64>,
}

impl Input {
    /// Reads the columns and their types: from a Parquet file's footer, from all rows of a CSV file, or from
    /// `schema`, Spark's DDL, which only a CSV file can have.
    pub(super) fn open(path: &Path, schema: Option<&str>) -> Result<Self, CliError> {
        let kind = match path.extension().and_then(|ending| ending.to_str()) {
            Some("parquet") => Kind::Parquet,
            Some("csv") => Kind::Csv,
            _ => {
                return Err(CliError::Usage(format!("{}: the ending must be .parquet or .csv", path.display())));
            }
        };
        let declared = schema.map(TableSchema::parse).transpose();
        let declared = declared.map_err(|error| {
            let hint = error.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
            CliError::Usage(format!("--schema, character {}: {}{hint}", error.offset + 1, error.message))
        })?;
        let (schema, rows) = match (kind, declared) {
            (Kind::Parquet, Some(_)) => {
                return Err(CliError::Usage("--schema is for CSV: a Parquet file has its own".to_owned()));
            }
            (Kind::Parquet, None) => {
                let file = parquet(path)?;
                (Arc::clone(file.schema()), u64::try_from(file.metadata().file_metadata().num_rows()).ok())
            }
            (Kind::Csv, declared) => csv_schema(path, declared.as_ref())?,
        };
        Ok(Self { path: path.to_owned(), kind, schema, rows })
    }

    /// Columns in file order.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Rows of the file, if known.
    pub(super) fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// All rows; of one column only if `column` is given.
    pub(super) fn batches(&self, column: Option<usize>) -> Result<Batches, CliError> {
        match self.kind {
            Kind::Parquet => {
                let builder = parquet(&self.path)?.with_batch_size(BATCH_ROWS);
                let mask = match column {
                    Some(column) => ProjectionMask::roots(builder.parquet_schema(), [column]),
                    None => ProjectionMask::all(),
                };
                let reader = builder.with_projection(mask).build();
                Ok(Box::new(reader.map_err(|error| self.broken(error))?))
            }
            Kind::Csv => {
                let mut builder = arrow_csv::ReaderBuilder::new(Arc::clone(&self.schema));
                builder = builder.with_header(true).with_batch_size(BATCH_ROWS);
                if let Some(column) = column {
                    builder = builder.with_projection(vec![column]);
                }
                let reader = builder.build_buffered(csv_text(&self.path)?);
                Ok(Box::new(reader.map_err(|error| self.broken(error))?))
            }
        }
    }

    /// The error of a file whose content is not what it should be.
    pub(super) fn broken(&self, error: impl std::fmt::Display) -> CliError {
        let advice = match self.kind {
            Kind::Parquet => "",
            Kind::Csv => " (say the types with --schema if they are not what the values look like)",
        };
        CliError::Content { path: self.path.clone(), message: format!("{error}{advice}") }
    }
}

fn parquet(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, CliError> {
    let file = File::open(path).map_err(CliError::file(path))?;
    // Without the writer's Arrow types: what matters is what the values are, not how they lay in memory.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .map_err(|error| CliError::Content { path: path.to_owned(), message: error.to_string() })
}

/// The text after a byte-order mark, which would else belong to the first column's name.
fn csv_text(path: &Path) -> Result<BufReader<File>, CliError> {
    let mut file = File::open(path).map_err(CliError::file(path))?;
    let mut start = Vec::with_capacity(BYTE_ORDER_MARK.len());
    Read::by_ref(&mut file).take(3).read_to_end(&mut start).map_err(CliError::file(path))?;
    let from = if start == BYTE_ORDER_MARK { 3 } else { 0 };
    file.seek(SeekFrom::Start(from)).map_err(CliError::file(path))?;
    Ok(BufReader::with_capacity(1 << 20, file))
}

/// Columns of a CSV file, and how many rows it has if they had to be read for that.
fn csv_schema(path: &Path, declared: Option<&TableSchema>) -> Result<(SchemaRef, Option<u64>), CliError> {
    let content = |message: String| CliError::Content { path: path.to_owned(), message };
    // All rows, since a type guessed from some may not fit the next one. With types given only the header.
    let rows = declared.map(|_| 0);
    let format = Format::default().with_header(true);
    let (found, seen) = format.infer_schema(csv_text(path)?, rows).map_err(|error| content(error.to_string()))?;
    let Some(declared) = declared else {
        return Ok((Arc::new(found), Some(seen as u64)));
    };
    if declared.is_nested() {
        return Err(CliError::Usage("--schema: a CSV file has no nested columns".to_owned()));
    }
    let names = |schema: &arrow::datatypes::Schema| -> Vec<String> {
        schema.fields().iter().map(|field| field.name().clone()).collect()
    };
    let (wanted, header) = (names(declared.leaves()), names(&found));
    if wanted != header {
        return Err(content(format!(
            "the header has the columns {}, --schema has {}: name all of them in this order",
            header.join(", "),
            wanted.join(", ")
        )));
    }
    Ok((Arc::clone(declared.leaves()), None))
}
