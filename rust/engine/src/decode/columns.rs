//! The columns of a batch while its records are read.
//!
//! A record fills its columns one by one. If it turns out bad, [`Columns::roll_back`] cuts every column to the rows
//! kept so far; if it ends well, [`Columns::end_row`] gives null to the columns it did not name.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::Field;
use arrow::error::ArrowError;

use super::fault::{Fault, Parsed};
use super::store::Store;
use super::text::type_name;
use crate::stage::RejectCode;

/// One column: its values and what the record being read did with it.
#[derive(Debug)]
pub(super) struct Column {
    /// The values.
    pub(super) store: Store,
    /// Number of the last record that named this column; numbers never repeat in a decoder.
    named_in: u64,
    nullable: bool,
    type_name: String,
}

/// All columns of a batch being read.
#[derive(Debug)]
pub(super) struct Columns {
    columns: Vec<Column>,
    record: u64,
    named: usize,
    rows: usize,
}

impl Columns {
    /// Empty columns; fails with the number of the first whose type the decoder cannot make.
    pub(super) fn of(fields: &[Arc<Field>]) -> Result<Self, usize> {
        let mut columns = Vec::with_capacity(fields.len());
        for (index, field) in fields.iter().enumerate() {
            columns.push(Column {
                store: Store::of(field.data_type()).ok_or(index)?,
                named_in: 0,
                nullable: field.is_nullable(),
                type_name: type_name(field.data_type()),
            });
        }
        Ok(Self { columns, record: 0, named: 0, rows: 0 })
    }

    /// Number of columns.
    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// Complete rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// A number that no other record of this decoder has, never 0.
    pub(super) fn record(&self) -> u64 {
        self.record
    }

    /// The SQL name of a column's type.
    pub(super) fn type_name(&self, column: usize) -> &str {
        self.columns.get(column).map_or("", |column| &column.type_name)
    }

    /// Makes room for `rows` more rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        for column in &mut self.columns {
            column.store.reserve(rows);
        }
    }

    /// A new record begins.
    #[inline]
    pub(super) fn begin_row(&mut self) {
        self.record += 1;
        self.named = 0;
    }

    /// The column's store, to push exactly one value to; `None` if this record named the column before.
    #[inline(always)]
    pub(super) fn name(&mut self, column: usize) -> Option<&mut Store> {
        let column = self.columns.get_mut(column)?;
        if column.named_in == self.record {
            return None;
        }
        column.named_in = self.record;
        self.named += 1;
        Some(&mut column.store)
    }

    /// The column's store, to push exactly one value to, whether or not this record named the column before: what it
    /// put there is forgotten. For formats in which the last value wins.
    #[inline(always)]
    pub(super) fn name_anew(&mut self, column: usize) -> Option<&mut Store> {
        if self.is_named(column) {
            self.unname(column);
        }
        self.name(column)
    }

    /// Whether this record named the column.
    #[inline(always)]
    pub(super) fn is_named(&self, column: usize) -> bool {
        self.columns.get(column).is_some_and(|column| column.named_in == self.record)
    }

    /// Forgets what this record put into the column.
    #[inline(never)]
    pub(super) fn unname(&mut self, column: usize) {
        let (record, rows) = (self.record, self.rows);
        if let Some(found) = self.columns.get_mut(column).filter(|column| column.named_in == record) {
            found.store.truncate(rows);
            found.named_in = 0;
            self.named -= 1;
        }
    }

    /// Null for a column that was just named; `at` is where the null stands.
    pub(super) fn push_null(&mut self, column: usize, at: usize) -> Parsed<()> {
        match self.columns.get_mut(column) {
            Some(found) if found.nullable => {
                found.store.push_null();
                Ok(())
            }
            _ => {
                Err(Fault::new(RejectCode::RequiredMissing, at, "null where the schema says NOT NULL")
                    .in_column(column))
            }
        }
    }

    /// The record ended well: its row is kept.
    #[inline]
    pub(super) fn end_row(&mut self) -> Parsed<()> {
        if self.named < self.columns.len() {
            self.fill_missing()?;
        }
        self.rows += 1;
        Ok(())
    }

    #[inline(never)]
    fn fill_missing(&mut self) -> Parsed<()> {
        for (index, column) in self.columns.iter_mut().enumerate() {
            if column.named_in != self.record {
                if !column.nullable {
                    let fault = Fault::whole(RejectCode::RequiredMissing, "missing where the schema says NOT NULL");
                    return Err(fault.in_column(index));
                }
                column.store.push_null();
            }
        }
        Ok(())
    }

    /// The record failed: forget what it wrote.
    #[cold]
    pub(super) fn roll_back(&mut self) {
        for column in &mut self.columns {
            column.store.truncate(self.rows);
        }
    }

    /// Forgets all rows, as after a batch that could not be finished.
    pub(super) fn clear(&mut self) {
        self.rows = 0;
        self.roll_back();
    }

    /// Hands the columns over and starts afresh.
    pub(super) fn take(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        self.rows = 0;
        self.columns.iter_mut().map(|column| column.store.take()).collect()
    }
}
