//! The one pass's rows as bytes, in a file, and other rows held against them.
//!
//! A row's bytes are Arrow's row format: a function of its values' bits alone, so that neither batches nor buffers show.
//! They lie in a file without a name, because a log's results need not fit into memory.

use std::{
    fmt,
    fs::File,
    io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch},
    datatypes::{DataType, Float32Type, Float64Type, SchemaRef},
    error::ArrowError,
    row::{RowConverter, SortField},
    util::display::{ArrayFormatter, FormatOptions},
};
use arrow_ipc::writer::StreamWriter;
use firesteel_engine::error::StageError;
use sha2::{Digest, Sha256};

use super::way::Rows;
use crate::error::CliError;

const BUFFER: usize = 1 << 20;

/// Rows as bytes: `length u32, bytes` each.
pub(super) struct Tape {
    schema: SchemaRef,
    converter: RowConverter,
    file: BufWriter<File>,
    /// For messages.
    path: PathBuf,
    rows: u64,
    digest: Sha256,
    out: Option<(PathBuf, StreamWriter<BufWriter<File>>)>,
}

impl Tape {
    /// An empty tape in the system's folder for temporary files; rows also go to `out`, if it is named.
    pub(super) fn create(schema: &SchemaRef, out: Option<&Path>) -> Result<Self, CliError> {
        let fields = schema.fields().iter().map(|field| SortField::new(field.data_type().clone())).collect();
        let (file, path) = nameless()?;
        let out = match out {
            None => None,
            Some(path) => {
                let file = File::create(path).map_err(CliError::file(path))?;
                let writer = StreamWriter::try_new(BufWriter::with_capacity(BUFFER, file), schema);
                Some((path.to_owned(), writer.map_err(failed(path))?))
            }
        };
        Ok(Self {
            schema: SchemaRef::clone(schema),
            converter: RowConverter::new(fields).map_err(StageError::from)?,
            file: BufWriter::with_capacity(BUFFER, file),
            path,
            rows: 0,
            digest: Sha256::new(),
            out,
        })
    }

    /// All rows are there.
    pub(super) fn finish(&mut self) -> Result<(), CliError> {
        if let Some((path, mut writer)) = self.out.take() {
            writer.finish().map_err(failed(&path))?;
            writer.get_mut().flush().map_err(CliError::file(&path))?;
        }
        self.file.flush().map_err(CliError::file(&self.path))
    }

    /// Another way's rows against these, from the first on. One at a time: they share the file's place.
    pub(super) fn check(&self) -> Result<Check<'_>, CliError> {
        let file = self.file.get_ref().try_clone().map_err(CliError::file(&self.path))?;
        let mut file = BufReader::with_capacity(BUFFER, file);
        file.seek(SeekFrom::Start(0)).map_err(CliError::file(&self.path))?;
        Ok(Check { tape: self, file, row: 0, hashed: 0, digest: Sha256::new(), expected: Vec::new(), different: None })
    }
}

impl Rows for Tape {
    fn take(&mut self, batch: &RecordBatch) -> Result<(), CliError> {
        let rows = self.converter.convert_columns(batch.columns()).map_err(StageError::from)?;
        for row in &rows {
            let length = (row.data().len() as u32).to_le_bytes();
            for bytes in [&length, row.data()] {
                self.digest.update(bytes);
                self.file.write_all(bytes).map_err(CliError::file(&self.path))?;
            }
        }
        self.rows += batch.num_rows() as u64;
        if let Some((path, writer)) = &mut self.out {
            writer.write(batch).map_err(failed(path))?;
        }
        Ok(())
    }

    fn digest(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }
}

/// A way's rows, held against a tape.
pub(super) struct Check<'a> {
    tape: &'a Tape,
    file: BufReader<File>,
    /// The row that comes next.
    row: u64,
    /// Rows before this one are in the digest; those that come again are only compared.
    hashed: u64,
    digest: Sha256,
    expected: Vec<u8>,
    different: Option<Different>,
}

/// A place on a tape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    row: u64,
    bytes: u64,
}

/// The first row that is another one, and how many are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Different {
    rows: u64,
    row: u64,
    column: String,
    found: String,
    expected: String,
}

impl fmt::Display for Different {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rows, row, column, found, expected } = self;
        let line = row + 1;
        write!(f, "{rows} rows differ; the first is row {row} (line {line}), column {column}: ")?;
        write!(f, "{found}, but one pass gives {expected}")
    }
}

impl Check<'_> {
    /// Where it is.
    pub(super) fn mark(&mut self) -> Result<Mark, CliError> {
        let bytes = self.file.stream_position().map_err(CliError::file(&self.tape.path))?;
        Ok(Mark { row: self.row, bytes })
    }

    /// Rows come once more from there on.
    pub(super) fn rewind(&mut self, to: Mark) -> Result<(), CliError> {
        self.file.seek(SeekFrom::Start(to.bytes)).map_err(CliError::file(&self.tape.path))?;
        self.row = to.row;
        Ok(())
    }

    /// What was found.
    pub(super) fn different(self) -> Option<Different> {
        self.different
    }

    /// The next row of the tape; empty behind its end.
    fn next(&mut self) -> Result<(), CliError> {
        self.expected.clear();
        if self.row < self.tape.rows {
            let mut length = [0; 4];
            self.file.read_exact(&mut length).map_err(CliError::file(&self.tape.path))?;
            self.expected.resize(u32::from_le_bytes(length) as usize, 0);
            self.file.read_exact(&mut self.expected).map_err(CliError::file(&self.tape.path))?;
        }
        Ok(())
    }

    fn differs(&mut self, batch: &RecordBatch, at: usize) -> Result<(), CliError> {
        if let Some(different) = &mut self.different {
            different.rows += 1;
            return Ok(());
        }
        let mut different = Different {
            rows: 1,
            row: self.row,
            column: "-".to_owned(),
            found: "a row".to_owned(),
            expected: "none".to_owned(),
        };
        if !self.expected.is_empty() {
            let parser = self.tape.converter.parser();
            let row = parser.parse(&self.expected);
            let expected = self.tape.converter.convert_rows([row]).map_err(StageError::from)?;
            let columns = self.tape.schema.fields().iter().zip(batch.columns()).zip(&expected);
            for ((field, found), expected) in columns {
                let found = found.slice(at, 1);
                if !same_bits(&found, expected)? {
                    different.column = field.name().clone();
                    different.found = shown(&found)?;
                    different.expected = shown(expected)?;
                    break;
                }
            }
        }
        self.different = Some(different);
        Ok(())
    }
}

impl Rows for Check<'_> {
    fn take(&mut self, batch: &RecordBatch) -> Result<(), CliError> {
        let rows = self.tape.converter.convert_columns(batch.columns()).map_err(StageError::from)?;
        for (at, row) in rows.iter().enumerate() {
            self.next()?;
            if self.expected != row.data() || self.row >= self.tape.rows {
                self.differs(batch, at)?;
            }
            if self.row >= self.hashed {
                self.digest.update((row.data().len() as u32).to_le_bytes());
                self.digest.update(row.data());
                self.hashed += 1;
            }
            self.row += 1;
        }
        Ok(())
    }

    fn digest(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }
}

fn same_bits(a: &ArrayRef, b: &ArrayRef) -> Result<bool, CliError> {
    let bytes = |array: &ArrayRef| {
        let converter = RowConverter::new(vec![SortField::new(array.data_type().clone())])?;
        let rows = converter.convert_columns(std::slice::from_ref(array))?;
        Ok::<_, ArrowError>(rows.row(0).data().to_vec())
    };
    Ok(bytes(a).map_err(StageError::from)? == bytes(b).map_err(StageError::from)?)
}

/// A value as people read it; of floats the bits too, which digits may not tell apart.
fn shown(array: &ArrayRef) -> Result<String, CliError> {
    let options = FormatOptions::default().with_null("null");
    let text = ArrayFormatter::try_new(array, &options).map_err(StageError::from)?.value(0).to_string();
    Ok(match array.data_type() {
        DataType::Float64 if array.is_valid(0) => {
            format!("{text} (bits {:016x})", array.as_primitive::<Float64Type>().value(0).to_bits())
        }
        DataType::Float32 if array.is_valid(0) => {
            format!("{text} (bits {:08x})", array.as_primitive::<Float32Type>().value(0).to_bits())
        }
        _ => text,
    })
}

/// A file that nobody else sees and that is gone with this process.
fn nameless() -> Result<(File, PathBuf), CliError> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("firesteel-parity-{}-{number}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path).map_err(CliError::file(&path))?;
    std::fs::remove_file(&path).map_err(CliError::file(&path))?;
    Ok((file, path))
}

fn failed(path: &Path) -> impl FnOnce(ArrowError) -> CliError {
    let path = path.to_owned();
    move |error| match error {
        ArrowError::IoError(_, source) => CliError::File { path, source },
        other => StageError::from(other).into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::*;

    fn batch(first: i64, values: &[f64]) -> RecordBatch {
        let ids = Int64Array::from_iter_values(first..first + values.len() as i64);
        let names = StringArray::from_iter((0..values.len()).map(|i| (i % 2 == 0).then_some("a")));
        let values = Float64Array::from(values.to_vec());
        RecordBatch::try_from_iter([
            ("id", Arc::new(ids) as ArrayRef),
            ("name", Arc::new(names)),
            ("value", Arc::new(values)),
        ])
        .unwrap()
    }

    fn tape(values: &[f64]) -> Tape {
        let whole = batch(0, values);
        let mut tape = Tape::create(&whole.schema(), None).unwrap();
        tape.take(&whole).unwrap();
        tape.finish().unwrap();
        tape
    }

    const VALUES: [f64; 5] = [1.0, 2.5, f64::NAN, 0.0, -7.25];

    #[test]
    fn the_same_rows_in_other_batches_are_the_same() {
        let (tape, whole) = (tape(&VALUES), batch(0, &VALUES));
        let mut check = tape.check().unwrap();
        check.take(&whole.slice(0, 3)).unwrap();
        let mark = check.mark().unwrap();
        check.take(&whole.slice(3, 1)).unwrap();
        // As a repeated micro-batch: held against the tape again, but counted once.
        check.rewind(mark).unwrap();
        check.take(&whole.slice(3, 2)).unwrap();
        assert_eq!(check.digest(), tape.digest());
        assert_eq!(check.different(), None);
    }

    #[test]
    fn a_bit_that_differs_is_found_with_its_place() {
        let tape = tape(&VALUES);
        let mut values = VALUES;
        values[3] = -0.0;
        values[4] = 8.0;
        let mut check = tape.check().unwrap();
        check.take(&batch(0, &values)).unwrap();
        assert_ne!(check.digest(), tape.digest());
        let said = check.different().unwrap().to_string();
        assert_eq!(
            said,
            "2 rows differ; the first is row 3 (line 4), column value: -0.0 (bits 8000000000000000), but one pass gives \
             0.0 (bits 0000000000000000)"
        );
    }

    #[test]
    fn a_row_too_many_is_found_too() {
        let tape = tape(&VALUES);
        let mut check = tape.check().unwrap();
        check.take(&batch(0, &[1.0, 2.5, f64::NAN, 0.0, -7.25, 1.0])).unwrap();
        assert_eq!(check.different().map(|different| (different.row, different.rows)), Some((5, 1)));
    }
}
