//! From the YAML tree to where and how a model runs.

use super::node::Value;
use super::read::{Entry, Reader};
use super::running::{BatchBounds, DeviceChoice, MAX_ROWS, MAX_THREADS};

pub(super) const BATCH_KEYS: [&str; 2] = ["min", "max"];

const DEVICES: [(&str, DeviceChoice); 3] =
    [("cpu", DeviceChoice::Cpu), ("cuda", DeviceChoice::Cuda), ("auto", DeviceChoice::Auto)];

impl Reader<'_> {
    /// `cpu`, `cuda` or `auto`.
    pub(super) fn device(&mut self, entry: &Entry<'_>) -> Option<DeviceChoice> {
        self.word(entry, &DEVICES)
    }

    /// A number of threads.
    pub(super) fn threads(&mut self, entry: &Entry<'_>) -> Option<usize> {
        self.count(entry, MAX_THREADS, "threads")
    }

    /// `auto`, a number of rows, or `{min: 64, max: 4096}`.
    pub(super) fn batch_size(&mut self, entry: &Entry<'_>) -> Option<BatchBounds> {
        let (path, node) = entry;
        match &node.value {
            Value::Integer(_) => self.count(entry, MAX_ROWS, "rows").map(|rows| BatchBounds { min: rows, max: rows }),
            Value::Map(_) => {
                let [min, max] = self.record(path, node, BATCH_KEYS)?;
                let defaults = BatchBounds::default();
                let max = match max {
                    Some(entry) => self.count(&entry, MAX_ROWS, "rows")?,
                    None => defaults.max,
                };
                let min = match min {
                    Some(entry) => self.count(&entry, MAX_ROWS, "rows")?,
                    None => defaults.min.min(max),
                };
                if min > max {
                    let what = format!("min is {min}, and max is {max}");
                    self.fault("BAD_VALUE", path, node.place, what, Some("min: 64, max: 4096".to_owned()));
                    return None;
                }
                Some(BatchBounds { min, max })
            }
            _ => self.word(entry, &[("auto", BatchBounds::default())]),
        }
    }
}
