//! The books of one batch: which input row each kept row came from, and why the others left.
//!
//! Every stage's result is entered here and checked: rows in = rows kept + rows rejected, each rejected once,
//! in ascending order. The check costs a few additions per batch and runs in release builds too, so a stage
//! that loses or doubles a row fails its task instead of corrupting somebody's data.

use arrow::array::UInt32Array;

use crate::error::StageError;
use crate::stage::{RejectCode, RejectedRow, Staged};

/// One rejected row, in terms of the batch that entered the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Row number in the input batch.
    pub row: u32,
    /// Stage that rejected it.
    pub stage: &'static str,
    /// Why.
    pub code: RejectCode,
    /// What exactly.
    pub message: String,
}

/// Where each input row went, so far.
#[derive(Debug)]
pub struct Ledger {
    rows_in: usize,
    /// Input row of each kept row; `None` while no row was rejected (then kept row i is input row i).
    kept: Option<Vec<u32>>,
    rejections: Vec<Rejection>,
}

impl Ledger {
    /// Opens the books for a batch of `rows_in` rows.
    pub fn new(rows_in: usize) -> Self {
        Self { rows_in, kept: None, rejections: Vec::new() }
    }

    /// Rows that are still in.
    pub fn rows_kept(&self) -> usize {
        self.kept.as_ref().map_or(self.rows_in, Vec::len)
    }

    /// All rejections so far, in the order they happened.
    pub fn rejections(&self) -> &[Rejection] {
        &self.rejections
    }

    /// Enters one stage's result and gives back its kept batch.
    ///
    /// # Errors
    /// [`StageError::Internal`] if the stage lost, doubled or misnumbered a row.
    pub fn enter(
        &mut self,
        stage: &'static str,
        staged: Staged,
    ) -> Result<arrow::record_batch::RecordBatch, StageError> {
        let before = self.rows_kept();
        check_conservation(stage, before, &staged)?;
        if !staged.rejected.is_empty() {
            self.remove(stage, staged.rejected, before);
        }
        Ok(staged.kept)
    }

    fn remove(&mut self, stage: &'static str, rejected: Vec<RejectedRow>, before: usize) {
        let mut still = Vec::with_capacity(before - rejected.len());
        let mut next = rejected.into_iter().peekable();
        for position in 0..before {
            let origin = self.kept.as_ref().map_or(position as u32, |kept| kept[position]);
            match next.next_if(|r| r.row as usize == position) {
                Some(r) => {
                    self.rejections.push(Rejection { row: origin, stage, code: r.code, message: r.message });
                }
                None => still.push(origin),
            }
        }
        self.kept = Some(still);
    }

    /// For each input row its row in the kept batch, null where it was rejected; `None` if nothing was rejected.
    /// Taking a kept column by these indices lines it up with the input again.
    pub fn scatter(&self) -> Option<UInt32Array> {
        let kept = self.kept.as_ref()?;
        let mut indices: Vec<Option<u32>> = vec![None; self.rows_in];
        for (position, &origin) in kept.iter().enumerate() {
            indices[origin as usize] = Some(position as u32);
        }
        Some(UInt32Array::from(indices))
    }

    /// Final entry: every input row is accounted for exactly once.
    ///
    /// # Errors
    /// [`StageError::Internal`] if the sums do not agree.
    pub fn close(&mut self) -> Result<(), StageError> {
        if self.rows_kept() + self.rejections.len() != self.rows_in {
            return Err(StageError::internal(
                "pipeline",
                format!(
                    "{} rows in, but {} kept and {} rejected",
                    self.rows_in,
                    self.rows_kept(),
                    self.rejections.len()
                ),
            ));
        }
        self.rejections.sort_by_key(|r| r.row);
        Ok(())
    }
}

fn check_conservation(stage: &'static str, rows_in: usize, staged: &Staged) -> Result<(), StageError> {
    let (kept, rejected) = (staged.kept.num_rows(), staged.rejected.len());
    if kept + rejected != rows_in {
        return Err(StageError::internal(stage, format!("{rows_in} rows in, but {kept} kept and {rejected} rejected")));
    }
    let ascending = staged.rejected.windows(2).all(|pair| pair[0].row < pair[1].row);
    let inside = staged.rejected.last().is_none_or(|last| (last.row as usize) < rows_in);
    if !ascending || !inside {
        return Err(StageError::internal(stage, "rejected rows are not in ascending order inside the batch"));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, Int32Array, RecordBatch};

    use super::*;

    fn batch(values: Vec<i32>) -> RecordBatch {
        RecordBatch::try_from_iter([("v", Arc::new(Int32Array::from(values)) as _)]).unwrap()
    }

    fn reject(row: u32) -> RejectedRow {
        RejectedRow { row, code: RejectCode::CheckFailed, message: format!("row {row}") }
    }

    #[test]
    fn composes_the_row_numbers_of_stages() {
        let mut ledger = Ledger::new(5);
        ledger.enter("decode", Staged { kept: batch(vec![0, 2, 4]), rejected: vec![reject(1), reject(3)] }).unwrap();
        // Row 1 of what is left is input row 2.
        ledger.enter("clean", Staged { kept: batch(vec![0, 4]), rejected: vec![reject(1)] }).unwrap();
        ledger.close().unwrap();
        let rows: Vec<_> = ledger.rejections().iter().map(|r| (r.row, r.stage)).collect();
        assert_eq!(rows, [(1, "decode"), (2, "clean"), (3, "decode")]);
        let scatter = ledger.scatter().unwrap();
        let indices: Vec<_> = (0..5).map(|i| scatter.is_valid(i).then(|| scatter.value(i))).collect();
        assert_eq!(indices, [Some(0), None, None, None, Some(1)]);
    }

    #[test]
    fn catches_a_stage_that_lies() {
        for staged in [
            Staged { kept: batch(vec![1, 2]), rejected: vec![] },
            Staged { kept: batch(vec![1, 2, 3]), rejected: vec![reject(0)] },
            Staged { kept: batch(vec![1]), rejected: vec![reject(1), reject(1)] },
            Staged { kept: batch(vec![1]), rejected: vec![reject(2), reject(1)] },
            Staged { kept: batch(vec![1, 2]), rejected: vec![reject(3)] },
        ] {
            let error = Ledger::new(3).enter("liar", staged).unwrap_err();
            assert!(matches!(error, StageError::Internal { stage: "liar", .. }), "{error}");
        }
    }
}
