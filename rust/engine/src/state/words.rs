//! Values as words of 64 bits: how Arrow columns enter the state and leave it again.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanBufferBuilder, Float64Array, Int64Array, StringBuilder};
use arrow::buffer::NullBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};

use super::map::Map;
use crate::error::StageError;

/// How a column's values are written in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whole numbers, booleans (0 and 1), dates and timestamps: two's complement.
    Int,
    /// FLOAT and DOUBLE: the bits of a double; one NaN, one zero.
    Float,
    /// Text: a number of [`Texts`].
    Text,
}

impl Kind {
    /// The kind of a type, if windows can hold it.
    pub(crate) fn of(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Timestamp(TimeUnit::Microsecond, _) => Some(Self::Int),
            DataType::Float32 | DataType::Float64 => Some(Self::Float),
            DataType::Utf8 => Some(Self::Text),
            _ => None,
        }
    }
}

/// A double as a word.
pub(crate) fn float_word(value: f64) -> u64 {
    if value == 0.0 {
        0
    } else if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        value.to_bits()
    }
}

/// Texts by number. Numbers are valid in one process and never leave it.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    numbers: Map<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

impl Texts {
    /// The number of a text.
    pub(crate) fn number(&mut self, text: &str) -> u64 {
        if let Some(number) = self.numbers.get(text) {
            return u64::from(*number);
        }
        let text: Arc<str> = Arc::from(text);
        let number = self.texts.len() as u32;
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        u64::from(number)
    }

    /// The text of a number.
    pub(crate) fn text(&self, word: u64) -> &str {
        self.texts.get(word as usize).map_or("", |text| text)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }
}

/// Orders two values as Spark does: NaN is larger than every number.
pub(crate) fn compare(kind: Kind, a: u64, b: u64, texts: &Texts) -> Ordering {
    match kind {
        Kind::Int => (a as i64).cmp(&(b as i64)),
        Kind::Float => {
            let (a, b) = (f64::from_bits(a), f64::from_bits(b));
            a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
        }
        Kind::Text => texts.text(a).as_bytes().cmp(texts.text(b).as_bytes()),
    }
}

/// One column's words for a batch.
#[derive(Debug)]
pub(crate) struct Words {
    column: ArrayRef,
    kind: Kind,
}

impl Words {
    /// The words of a column whose type has a [`Kind`].
    ///
    /// # Errors
    /// [`StageError::Internal`] for other types, which compiling the block has refused.
    pub(crate) fn new(column: &ArrayRef) -> Result<Self, StageError> {
        let kind = Kind::of(column.data_type())
            .ok_or_else(|| StageError::internal("windows", format!("a column of type {}", column.data_type())))?;
        let target = match kind {
            Kind::Int => DataType::Int64,
            Kind::Float => DataType::Float64,
            Kind::Text => DataType::Utf8,
        };
        let column = match column.data_type() {
            // The cast kernel knows no way from a date to 64 bits but through 32.
            DataType::Date32 => cast(&cast(column, &DataType::Int32)?, &target)?,
            from if *from == target => Arc::clone(column),
            _ => cast(column, &target)?,
        };
        Ok(Self { column, kind })
    }

    /// The column itself: whole numbers of 64 bits, doubles or texts.
    pub(crate) fn into_column(self) -> ArrayRef {
        self.column
    }

    /// The word in a row; `None` for null.
    #[inline]
    pub(crate) fn get(&self, row: usize, texts: &mut Texts) -> Option<u64> {
        if self.column.is_null(row) {
            return None;
        }
        Some(match self.kind {
            Kind::Int => self.column.as_primitive::<Int64Type>().value(row) as u64,
            Kind::Float => float_word(self.column.as_primitive::<Float64Type>().value(row)),
            Kind::Text => texts.number(self.column.as_string::<i32>().value(row)),
        })
    }
}

fn cast(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, StageError> {
    Ok(cast_with_options(column, to, &CastOptions { safe: false, ..CastOptions::default() })?)
}

/// A result column while it is filled.
#[derive(Debug)]
pub(crate) struct WordsBuilder {
    words: Vec<u64>,
    valid: BooleanBufferBuilder,
}

impl WordsBuilder {
    /// `rows` values, all null.
    pub(crate) fn new(rows: usize) -> Self {
        let mut valid = BooleanBufferBuilder::new(rows);
        valid.append_n(rows, false);
        Self { words: vec![0; rows], valid }
    }

    /// The value of a row; null unless it is set.
    #[inline]
    pub(crate) fn set(&mut self, row: usize, word: Option<u64>) {
        if let Some(word) = word {
            self.words[row] = word;
            self.valid.set_bit(row, true);
        }
    }

    /// The same values with row `i` where row `places[i]` is now.
    #[must_use]
    pub(crate) fn ordered(self, places: &[u32]) -> Self {
        let words = places.iter().map(|place| self.words[*place as usize]).collect();
        let set = self.valid.as_slice();
        // What lies behind the last row is not set.
        let all = (0..places.len()).step_by(8).zip(set).all(|(from, byte)| {
            let rows = (places.len() - from).min(8);
            *byte == (u16::MAX >> (16 - rows)) as u8
        });
        if all {
            return Self { words, valid: self.valid };
        }
        let mut valid = BooleanBufferBuilder::new(places.len());
        places.iter().for_each(|place| valid.append(self.valid.get_bit(*place as usize)));
        Self { words, valid }
    }

    /// The column, of a type that `kind` can hold.
    ///
    /// # Errors
    /// [`StageError::Arrow`] if a value does not fit, which no aggregate makes.
    pub(crate) fn finish(mut self, data_type: &DataType, texts: &Texts) -> Result<ArrayRef, StageError> {
        let nulls = Some(NullBuffer::new(self.valid.finish())).filter(|nulls| nulls.null_count() > 0);
        let array: ArrayRef = match Kind::of(data_type) {
            Some(Kind::Float) => {
                let values: Vec<f64> = self.words.into_iter().map(f64::from_bits).collect();
                Arc::new(Float64Array::new(values.into(), nulls))
            }
            Some(Kind::Text) => {
                let mut builder = StringBuilder::new();
                for (row, word) in self.words.into_iter().enumerate() {
                    match nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                        true => builder.append_value(texts.text(word)),
                        false => builder.append_null(),
                    }
                }
                Arc::new(builder.finish())
            }
            Some(Kind::Int) if *data_type == DataType::Boolean => {
                let mut bits = BooleanBufferBuilder::new(self.words.len());
                self.words.iter().for_each(|word| bits.append(*word != 0));
                Arc::new(arrow::array::BooleanArray::new(bits.finish(), nulls))
            }
            _ => {
                let values: Vec<i64> = self.words.into_iter().map(|word| word as i64).collect();
                Arc::new(Int64Array::new(values.into(), nulls))
            }
        };
        match data_type {
            same if same == array.data_type() => Ok(array),
            DataType::Date32 => cast(&cast(&array, &DataType::Int32)?, data_type),
            other => cast(&array, other),
        }
    }
}
