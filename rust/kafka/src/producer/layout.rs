//! Which columns of a batch are what in a record.

use serde::Deserialize;

use crate::json::Member;

/// Written as JSON by the one who makes the batches; numbers are columns of the batch.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// The topic of all rows; wins over the column.
    #[serde(default)]
    pub topic: Option<String>,
    /// Text: the topic of a row.
    #[serde(default)]
    pub topic_column: Option<usize>,
    /// 32-bit integers: the partition of a row; null leaves it to the partitioner.
    #[serde(default)]
    pub partition: Option<usize>,
    /// Text or binary.
    #[serde(default)]
    pub key: Option<usize>,
    /// Binary, in the form of [`super::headers`].
    #[serde(default)]
    pub headers: Option<usize>,
    /// Text or binary: the value as it is. Else the members make it.
    #[serde(default)]
    pub value: Option<usize>,
    /// The members of a JSON object that is the value.
    #[serde(default)]
    pub members: Vec<Member>,
    /// Whether a null leaves its member out.
    #[serde(default)]
    pub skip_nulls: bool,
}
