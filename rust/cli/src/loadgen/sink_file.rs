//! One record per line of a file.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use super::output::{Record, Sink};
use crate::error::CliError;

/// A file of lines. A record without a value cannot be written; an empty one is an empty line.
pub(crate) struct FileSink {
    path: PathBuf,
    file: BufWriter<File>,
}

impl FileSink {
    /// Creates the file, or empties it.
    pub(crate) fn create(path: &Path, header: Option<&str>) -> Result<Self, CliError> {
        let file = File::create(path).map_err(CliError::file(path))?;
        let mut sink = Self { path: path.to_owned(), file: BufWriter::with_capacity(1 << 20, file) };
        if let Some(header) = header {
            sink.line(header.as_bytes())?;
        }
        Ok(sink)
    }

    fn line(&mut self, text: &[u8]) -> Result<(), CliError> {
        let written = self.file.write_all(text).and_then(|()| self.file.write_all(b"\n"));
        written.map_err(CliError::file(&self.path))
    }
}

impl Sink for FileSink {
    fn write(&mut self, record: Record<'_>) -> Result<(), CliError> {
        match record.value {
            Some(value) => self.line(value),
            None => Err(CliError::Usage("a file has no place for a record without a value".to_owned())),
        }
    }

    fn finish(&mut self) -> Result<(), CliError> {
        self.file.flush().map_err(CliError::file(&self.path))
    }
}
