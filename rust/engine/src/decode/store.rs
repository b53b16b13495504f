//! Column vectors that can be cut back: values of one width, values of many widths, and their Arrow types.
//!
//! Null rows are kept as a list of row numbers, so a value that is there costs one push and nothing else.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, ListArray, PrimitiveArray, StringArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, FieldRef, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::fault::Parsed;

/// Values of one width, with the numbers of the rows that are null.
#[derive(Debug, Default)]
pub(super) struct Fixed<T> {
    values: Vec<T>,
    nulls: Vec<u32>,
}

impl<T: Copy + Default> Fixed<T> {
    /// Appends one row.
    #[inline(always)]
    pub(super) fn push(&mut self, value: T) {
        self.values.push(value);
    }

    fn push_null(&mut self) {
        self.nulls.push(self.values.len() as u32);
        self.values.push(T::default());
    }

    fn truncate(&mut self, rows: usize) {
        self.values.truncate(rows);
        cut_nulls(&mut self.nulls, rows);
    }

    fn take(&mut self) -> (Vec<T>, Option<NullBuffer>) {
        let values = std::mem::take(&mut self.values);
        let nulls = take_nulls(&mut self.nulls, values.len());
        (values, nulls)
    }
}

/// Values of many widths, end to end. Rows of text formats never hold more bytes than the records they came from, and
/// those have 32-bit offsets; names of enum values and defaults can be longer, so [`Store::take`] checks.
#[derive(Debug)]
pub(super) struct Bytes {
    data: Vec<u8>,
    offsets: Vec<i32>,
    nulls: Vec<u32>,
}

impl Default for Bytes {
    fn default() -> Self {
        Self { data: Vec::new(), offsets: vec![0], nulls: Vec::new() }
    }
}

impl Bytes {
    /// Appends one row.
    #[inline]
    pub(super) fn push(&mut self, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.end_value();
    }

    /// Appends one row that `fill` writes at the end of the bytes it is given; nothing is appended if it fails.
    pub(super) fn push_with<R>(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> Parsed<R>) -> Parsed<R> {
        let result = fill(&mut self.data)?;
        self.end_value();
        Ok(result)
    }

    #[inline(always)]
    fn end_value(&mut self) {
        self.offsets.push(self.data.len() as i32);
    }

    fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    fn push_null(&mut self) {
        self.nulls.push(self.rows() as u32);
        self.end_value();
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.data.truncate(self.offsets.last().map_or(0, |&end| end as usize));
        cut_nulls(&mut self.nulls, rows);
    }

    fn take(&mut self) -> Result<(OffsetBuffer<i32>, Buffer, Option<NullBuffer>), ArrowError> {
        let rows = self.rows();
        if i32::try_from(self.data.len()).is_err() {
            return Err(ArrowError::OffsetOverflowError(self.data.len()));
        }
        let bytes = std::mem::take(self);
        // The next batch is likely to be as long as this one.
        self.data.reserve(bytes.data.len());
        let mut nulls = bytes.nulls;
        let nulls = take_nulls(&mut nulls, rows);
        Ok((OffsetBuffer::new(ScalarBuffer::from(bytes.offsets)), Buffer::from_vec(bytes.data), nulls))
    }
}

fn cut_nulls(nulls: &mut Vec<u32>, rows: usize) {
    while nulls.last().is_some_and(|&row| row as usize >= rows) {
        nulls.pop();
    }
}

fn take_nulls(nulls: &mut Vec<u32>, rows: usize) -> Option<NullBuffer> {
    if nulls.is_empty() {
        return None;
    }
    let mut valid = BooleanBufferBuilder::new(rows);
    valid.append_n(rows, true);
    for row in nulls.drain(..) {
        valid.set_bit(row as usize, false);
    }
    Some(NullBuffer::new(valid.finish()))
}

/// One column's values, by the type they are stored as.
#[derive(Debug)]
pub(super) enum Store {
    /// `BOOLEAN`
    Boolean(Fixed<bool>),
    /// `TINYINT`
    Int8(Fixed<i8>),
    /// `SMALLINT`
    Int16(Fixed<i16>),
    /// `INT`
    Int32(Fixed<i32>),
    /// `BIGINT`
    Int64(Fixed<i64>),
    /// `FLOAT`
    Float32(Fixed<f32>),
    /// `DOUBLE`
    Float64(Fixed<f64>),
    /// `STRING`
    Text(Bytes),
    /// `BINARY`
    Binary(Bytes),
    /// `DATE`, days since 1970-01-01
    Date(Fixed<i32>),
    /// `TIMESTAMP`, microseconds since 1970-01-01T00:00:00Z
    Instant(Fixed<i64>),
    /// `TIMESTAMP_NTZ`, microseconds since 1970-01-01 00:00:00 on the wall
    Wall(Fixed<i64>),
    /// `DECIMAL(precision, scale)`, scaled
    Decimal(Fixed<i128>, u8, i8),
    /// `ARRAY<...>`
    List(Box<List>),
}

/// Arrays: their elements end to end.
#[derive(Debug)]
pub(super) struct List {
    element: FieldRef,
    elements: Store,
    count: usize,
    offsets: Vec<i32>,
    nulls: Vec<u32>,
}

impl List {
    fn of(element: &FieldRef) -> Option<Self> {
        let elements = Store::of(element.data_type())?;
        Some(Self { element: Arc::clone(element), elements, count: 0, offsets: vec![0], nulls: Vec::new() })
    }

    /// The store of the elements, to push exactly one to.
    pub(super) fn element(&mut self) -> &mut Store {
        self.count += 1;
        &mut self.elements
    }

    /// Ends an array with the elements pushed since the last one. (A record is shorter than 2^31 bytes, and so a batch
    /// of them has fewer elements.)
    pub(super) fn end_value(&mut self) {
        self.offsets.push(self.count as i32);
    }

    fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    fn push_null(&mut self) {
        self.nulls.push(self.rows() as u32);
        self.end_value();
    }

    fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.count = self.offsets.last().map_or(0, |&end| end as usize);
        // Also what a record that failed inside an array left behind.
        self.elements.truncate(self.count);
        cut_nulls(&mut self.nulls, rows);
    }

    fn take(&mut self) -> Result<ListArray, ArrowError> {
        let rows = self.rows();
        let elements = self.elements.take()?;
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        self.count = 0;
        let nulls = take_nulls(&mut self.nulls, rows);
        ListArray::try_new(Arc::clone(&self.element), OffsetBuffer::new(ScalarBuffer::from(offsets)), elements, nulls)
    }
}

impl Store {
    /// An empty store, or `None` for a type that the decoder cannot make.
    pub(super) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean(Fixed::default()),
            DataType::Int8 => Self::Int8(Fixed::default()),
            DataType::Int16 => Self::Int16(Fixed::default()),
            DataType::Int32 => Self::Int32(Fixed::default()),
            DataType::Int64 => Self::Int64(Fixed::default()),
            DataType::Float32 => Self::Float32(Fixed::default()),
            DataType::Float64 => Self::Float64(Fixed::default()),
            DataType::Utf8 => Self::Text(Bytes::default()),
            DataType::Binary => Self::Binary(Bytes::default()),
            DataType::Date32 => Self::Date(Fixed::default()),
            DataType::Timestamp(TimeUnit::Microsecond, None) => Self::Wall(Fixed::default()),
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => {
                Self::Instant(Fixed::default())
            }
            DataType::Decimal128(precision, scale) if (0..=*precision as i8).contains(scale) && *precision <= 38 => {
                Self::Decimal(Fixed::default(), *precision, *scale)
            }
            DataType::List(element) => Self::List(Box::new(List::of(element)?)),
            _ => return None,
        })
    }

    /// Appends a null row.
    pub(super) fn push_null(&mut self) {
        match self {
            Self::Boolean(column) => column.push_null(),
            Self::Int8(column) => column.push_null(),
            Self::Int16(column) => column.push_null(),
            Self::Int32(column) | Self::Date(column) => column.push_null(),
            Self::Int64(column) | Self::Instant(column) | Self::Wall(column) => column.push_null(),
            Self::Float32(column) => column.push_null(),
            Self::Float64(column) => column.push_null(),
            Self::Text(column) | Self::Binary(column) => column.push_null(),
            Self::Decimal(column, _, _) => column.push_null(),
            Self::List(column) => column.push_null(),
        }
    }

    /// Cuts back to the first `rows` rows.
    pub(super) fn truncate(&mut self, rows: usize) {
        match self {
            Self::Boolean(column) => column.truncate(rows),
            Self::Int8(column) => column.truncate(rows),
            Self::Int16(column) => column.truncate(rows),
            Self::Int32(column) | Self::Date(column) => column.truncate(rows),
            Self::Int64(column) | Self::Instant(column) | Self::Wall(column) => column.truncate(rows),
            Self::Float32(column) => column.truncate(rows),
            Self::Float64(column) => column.truncate(rows),
            Self::Text(column) | Self::Binary(column) => column.truncate(rows),
            Self::Decimal(column, _, _) => column.truncate(rows),
            Self::List(column) => column.truncate(rows),
        }
    }

    /// Makes room for `rows` more rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        match self {
            Self::Boolean(column) => column.values.reserve(rows),
            Self::Int8(column) => column.values.reserve(rows),
            Self::Int16(column) => column.values.reserve(rows),
            Self::Int32(column) | Self::Date(column) => column.values.reserve(rows),
            Self::Int64(column) | Self::Instant(column) | Self::Wall(column) => column.values.reserve(rows),
            Self::Float32(column) => column.values.reserve(rows),
            Self::Float64(column) => column.values.reserve(rows),
            Self::Text(column) | Self::Binary(column) => column.offsets.reserve(rows),
            Self::Decimal(column, _, _) => column.values.reserve(rows),
            Self::List(column) => column.offsets.reserve(rows),
        }
    }

    /// Hands the rows over as an Arrow array and starts afresh.
    pub(super) fn take(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Boolean(column) => {
                let (values, nulls) = column.take();
                Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls))
            }
            Self::Int8(column) => Arc::new(primitive::<Int8Type>(column)?),
            Self::Int16(column) => Arc::new(primitive::<Int16Type>(column)?),
            Self::Int32(column) => Arc::new(primitive::<Int32Type>(column)?),
            Self::Int64(column) => Arc::new(primitive::<Int64Type>(column)?),
            Self::Float32(column) => Arc::new(primitive::<Float32Type>(column)?),
            Self::Float64(column) => Arc::new(primitive::<Float64Type>(column)?),
            Self::Text(column) => {
                let (offsets, data, nulls) = column.take()?;
                Arc::new(StringArray::try_new(offsets, data, nulls)?)
            }
            Self::Binary(column) => {
                let (offsets, data, nulls) = column.take()?;
                Arc::new(BinaryArray::try_new(offsets, data, nulls)?)
            }
            Self::Date(column) => Arc::new(primitive::<Date32Type>(column)?),
            Self::Instant(column) => Arc::new(primitive::<TimestampMicrosecondType>(column)?.with_timezone("UTC")),
            Self::Wall(column) => Arc::new(primitive::<TimestampMicrosecondType>(column)?),
            Self::Decimal(column, precision, scale) => {
                Arc::new(primitive::<Decimal128Type>(column)?.with_precision_and_scale(*precision, *scale)?)
            }
            Self::List(column) => Arc::new(column.take()?),
        })
    }
}

fn primitive<T: ArrowPrimitiveType>(column: &mut Fixed<T::Native>) -> Result<PrimitiveArray<T>, ArrowError>
where
    T::Native: Copy + Default,
{
    let (values, nulls) = column.take();
    PrimitiveArray::try_new(ScalarBuffer::from(values), nulls)
}
