//! Rows of floats as the kernel wants them: row after row for walking, feature after feature for comparing many at once.

use super::forest::LANES;

/// Widths that rows are padded to, ascending; the last is [`super::forest::MAX_FEATURES`].
const WIDTHS: [usize; 6] = [8, 16, 32, 64, 128, 256];
/// Rows that a feature's numbers are padded to a multiple of: the largest block of [`super::avx2`].
pub(super) const BLOCK: usize = 128;

/// Which forms of the rows are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forms {
    /// Row after row.
    pub(super) wide: bool,
    /// Feature after feature.
    pub(super) tall: bool,
}

/// The rows of one call. Reused from call to call.
#[derive(Debug, Default)]
pub(in crate::model) struct Rows {
    pub(super) rows: usize,
    /// Floats from one row to the next.
    pub(super) width: usize,
    /// Floats from one feature to the next, and rows with padding.
    pub(super) stride: usize,
    pub(super) wide: Vec<f32>,
    pub(super) tall: Vec<f32>,
}

impl Rows {
    /// Room for `rows` rows of `features` floats. `None` for more features than the kernel takes.
    pub(super) fn reset(&mut self, rows: usize, features: usize, forms: Forms) -> Option<()> {
        self.width = WIDTHS.into_iter().find(|&width| features <= width)?;
        self.rows = rows;
        self.stride = rows.next_multiple_of(BLOCK);
        self.wide.clear();
        self.tall.clear();
        if forms.wide {
            self.wide.resize(rows.next_multiple_of(LANES) * self.width, 0.0);
        }
        if forms.tall {
            self.tall.resize(self.stride * features, 0.0);
        }
        Some(())
    }

    /// The slots of the rows one after the other, and the distance from one row to the next; no slots if this form is not
    /// asked for.
    pub(in crate::model) fn wide(&mut self) -> (&mut [f32], usize) {
        let used = self.wide.len().min(self.rows * self.width);
        (&mut self.wide[..used], self.width)
    }

    /// The slots of each feature; nothing if this form is not asked for.
    pub(in crate::model) fn tall(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let rows = self.rows;
        self.tall.chunks_mut(self.stride.max(1)).map(move |column| &mut column[..rows])
    }
}
