//! The rows of a batch that are still in the race, and those that are out.

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;

use crate::error::StageError;
use crate::stage::{RejectCode, RejectedRow, Staged};

/// A batch on its way through the steps of one stage. Row numbers in the result count in the batch it began with.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) batch: RecordBatch,
    /// Original number of each row; `None` while no row is out.
    numbers: Option<Vec<u32>>,
    rejected: Vec<RejectedRow>,
}

impl Rows {
    pub(crate) fn new(batch: RecordBatch) -> Self {
        Self { batch, numbers: None, rejected: Vec::new() }
    }

    /// Take rows out; `failed` has ascending row numbers of the current batch.
    pub(crate) fn reject(&mut self, code: RejectCode, failed: Vec<(u32, String)>) -> Result<(), StageError> {
        if failed.is_empty() {
            return Ok(());
        }
        let rows = self.batch.num_rows();
        let numbers = self.numbers.take().unwrap_or_else(|| (0..rows as u32).collect());
        let mut keep = vec![true; rows];
        for (row, message) in failed {
            keep[row as usize] = false;
            self.rejected.push(RejectedRow { row: numbers[row as usize], code, message });
        }
        self.numbers =
            Some(numbers.into_iter().zip(&keep).filter_map(|(number, keep)| keep.then_some(number)).collect());
        self.batch = filter_record_batch(&self.batch, &BooleanArray::from(keep))?;
        Ok(())
    }

    pub(crate) fn staged(mut self) -> Staged {
        self.rejected.sort_by_key(|rejected| rejected.row);
        Staged { kept: self.batch, rejected: self.rejected }
    }
}
