//! A log: a file of records, one per line, as the batches that the engine takes.

use std::{
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{
    array::{Array, BinaryArray, BinaryBuilder, Int32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use firesteel_engine::error::StageError;

use crate::error::CliError;

/// Records that go through the engine together, unless something else is asked for.
pub(crate) const BATCH_ROWS: usize = 8192;

/// Which file, and what its lines are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Log<'a> {
    /// The file.
    pub(crate) path: &'a Path,
    /// Each line is a record in base64.
    pub(crate) is_base64: bool,
}

/// A place between two lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Lines before it.
    pub(crate) rows: u64,
    /// Bytes before it.
    pub(crate) bytes: u64,
}

/// Lines of a file as records: the file's name for the topic, the line number from 0 for the offset.
pub(crate) struct Records {
    path: PathBuf,
    name: String,
    file: BufReader<File>,
    line: Vec<u8>,
    is_base64: bool,
    place: Place,
    schema: SchemaRef,
}

impl Records {
    /// Opens a log at its beginning.
    pub(crate) fn open(log: Log<'_>) -> Result<Self, CliError> {
        let Log { path, is_base64 } = log;
        let file = File::open(path).map_err(CliError::file(path))?;
        let schema = Schema::new(vec![
            Field::new("value", DataType::Binary, true),
            Field::new("topic", DataType::Utf8, true),
            Field::new("partition", DataType::Int32, true),
            Field::new("offset", DataType::Int64, true),
        ]);
        Ok(Self {
            path: path.to_owned(),
            name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            file: BufReader::with_capacity(1 << 20, file),
            line: Vec::new(),
            is_base64,
            place: Place::default(),
            schema: Arc::new(schema),
        })
    }

    /// What has been read so far.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Goes back, or on, to a place where it has been.
    pub(crate) fn seek(&mut self, place: Place) -> Result<(), CliError> {
        self.file.seek(SeekFrom::Start(place.bytes)).map_err(CliError::file(&self.path))?;
        self.place = place;
        Ok(())
    }

    /// The next records, at most `most` of them; none at the end of the file.
    pub(crate) fn next_batch(&mut self, most: usize) -> Result<Option<RecordBatch>, CliError> {
        let mut values = BinaryBuilder::new();
        let first = self.place.rows as i64;
        for _ in 0..most {
            self.line.clear();
            let read = self.file.read_until(b'\n', &mut self.line).map_err(CliError::file(&self.path))?;
            if read == 0 {
                break;
            }
            self.place.bytes += read as u64;
            self.place.rows += 1;
            let text = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if self.is_base64 {
                let value = STANDARD.decode(text).map_err(|error| {
                    CliError::Usage(format!("{}: line {} is no base64: {error}", self.path.display(), self.place.rows))
                })?;
                values.append_value(value);
            } else {
                values.append_value(text);
            }
        }
        let values: BinaryArray = values.finish();
        if values.is_empty() {
            return Ok(None);
        }
        let count = values.len();
        let topic = StringArray::from_iter_values(std::iter::repeat_n(&self.name, count));
        let partition = Int32Array::from(vec![0; count]);
        let offset = Int64Array::from_iter_values(first..first + count as i64);
        let columns =
            vec![Arc::new(values) as _, Arc::new(topic) as _, Arc::new(partition) as _, Arc::new(offset) as _];
        Ok(Some(RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(StageError::from)?))
    }
}
