//! Values of a row in words, for the message of a row that was rejected.
//!
//! Long values are cut and control characters escaped: a message is one line.

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::bind::Plan;
use super::tensor::ElementType;

/// Characters of one value.
const MAX_CHARS: usize = 60;
/// Columns of one row.
const MAX_COLUMNS: usize = 8;

/// One value.
pub(super) fn value(column: &ArrayRef, row: usize) -> String {
    let options = FormatOptions::new().with_null("null");
    let Ok(formatter) = ArrayFormatter::try_new(column, &options) else { return "?".to_owned() };
    // A long array need not be written out to be cut.
    let text = formatter.value(row).try_to_string().unwrap_or_else(|_| "?".to_owned());
    let escaped: String = text.chars().take(MAX_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_CHARS).is_some() { format!("{escaped}...") } else { escaped }
}

/// `age = 31, country = FR`: the model's inputs in a row.
pub(super) fn inputs(plan: &Plan, batch: &RecordBatch, row: usize) -> String {
    let mut columns: Vec<usize> = Vec::new();
    for &column in plan.bindings.iter().flat_map(|binding| &binding.columns) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    let mut shown: Vec<String> = columns
        .iter()
        .take(MAX_COLUMNS)
        .map(|&column| format!("{} = {}", batch.schema_ref().field(column).name(), value(batch.column(column), row)))
        .collect();
    if columns.len() > MAX_COLUMNS {
        shown.push(format!("and {} more", columns.len() - MAX_COLUMNS));
    }
    shown.join(", ")
}

/// What to say of a whole number that an input can't hold.
pub(super) fn misfit(name: &str, column: &ArrayRef, row: usize, input: &str, element: ElementType) -> String {
    let (value, kind) = (value(column, row), element.name());
    if element.is_float() {
        format!(
            "column `{name}` is {value}, which input {input} ({kind}) can't hold without rounding; allow_lossy: true rounds it"
        )
    } else {
        format!("column `{name}` is {value}, which is out of the range of input {input} ({kind})")
    }
}
