//! Arrow columns to JSON text, one object per row, byte for byte as Spark's `to_json` writes it in UTC.
//!
//! In: a batch and which of its columns become members. Out: the rows' texts, end to end in one buffer. Dates and
//! timestamps, decimals, binary and numbers that are no numbers follow `to_json` (see [`number`], [`time`], [`text`]);
//! floats have the shortest digits that read back to the same bits, as Java prints them since version 19. It cannot
//! fail on a value. Start at [`RowEncoder`].

mod member;
mod number;
mod text;
mod time;

use arrow::array::RecordBatch;
use serde::Deserialize;

use member::Values;

/// One member of the object.
#[derive(Debug, Clone, Deserialize)]
pub struct Member {
    /// Its column in the batch.
    pub column: usize,
    /// Its name.
    pub name: String,
    /// The column's text is a finished object, `{"name":…}` or `{}`, whose inside is taken as it is: for types that
    /// do not come as plain columns.
    #[serde(default)]
    pub finished: bool,
}

/// A column whose type has no form in JSON here.
#[derive(Debug, thiserror::Error)]
#[error("INTERNAL: column {name} of type {data_type} has no form in JSON")]
pub struct NoForm {
    /// The member's name.
    pub name: String,
    /// Arrow's name of the type.
    pub data_type: String,
}

/// Writes rows as objects. One per writer; keeps nothing of a batch.
#[derive(Debug)]
pub struct RowEncoder {
    members: Vec<(Member, Vec<u8>)>,
    skip_nulls: bool,
}

impl RowEncoder {
    /// For these members, in their order; `skip_nulls` leaves a null's member out, otherwise it says `null`.
    pub fn new(members: Vec<Member>, skip_nulls: bool) -> Self {
        let members = members
            .into_iter()
            .map(|member| {
                let mut lead = Vec::with_capacity(member.name.len() + 3);
                text::push(&mut lead, &member.name);
                lead.push(b':');
                (member, lead)
            })
            .collect();
        Self { members, skip_nulls }
    }

    /// Appends every row of `batch` to `out`; `ends` gets where each one ends.
    pub fn encode(&self, batch: &RecordBatch, out: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<(), NoForm> {
        let columns = self
            .members
            .iter()
            .map(|(member, lead)| Values::of(member, batch).map(|values| (values, lead.as_slice(), member.finished)))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let start = out.len();
            out.push(b'{');
            for (values, lead, finished) in &columns {
                let is_first = out.len() == start + 1;
                if *finished {
                    values.push_inside(out, row, is_first);
                } else if values.is_valid(row) || !self.skip_nulls {
                    if !is_first {
                        out.push(b',');
                    }
                    out.extend_from_slice(lead);
                    values.push(out, row);
                }
            }
            out.push(b'}');
            ends.push(out.len());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
