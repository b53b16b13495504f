//! From the YAML tree to what makes a model a challenger.

use super::node::Value;
use super::read::{Entry, Reader};
use super::types::SampleSpec;

pub(super) const SAMPLE_KEYS: [&str; 2] = ["share", "by"];

impl Reader<'_> {
    /// `{share: 0.1, by: customer_id}`.
    pub(super) fn sample(&mut self, (path, node): &Entry<'_>) -> Option<SampleSpec> {
        let [share, by] = self.record(path, node, SAMPLE_KEYS)?;
        for (entry, name, example) in [(&share, "share", "0.1"), (&by, "by", "customer_id")] {
            if entry.is_none() {
                self.missing(&format!("{path}.{name}"), node, name, example);
            }
        }
        let share = share.and_then(|(path, node)| match node.value {
            Value::Float(share) => Some(share),
            Value::Integer(share) => Some(share as f64),
            _ => {
                self.wrong_type(&path, node, "a number, such as 0.1");
                None
            }
        });
        let by = by.map(|entry| match entry.1.value {
            Value::List(_) => self.texts(&entry.0, entry.1, "a list of columns"),
            _ => self.text(&entry, "a column or a list of columns").into_iter().collect(),
        });
        Some(SampleSpec { share: share?, by: by? })
    }
}
