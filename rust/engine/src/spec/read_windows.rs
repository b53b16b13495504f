//! From the YAML tree to window blocks.

use super::node::Value;
use super::read::{Entry, Reader};
use super::windows::{BoundSpec, Current, Duration, Late, LateSpec, OrderSpec, Span, WindowSpec};

pub(super) const WINDOW_KEYS: [&str; 12] =
    ["key", "time", "order", "over", "compute", "default", "delay", "current", "late", "keep", "prefix", "bound"];
pub(super) const BOUND_KEYS: [&str; 2] = ["events", "step"];
/// More than one by one are kept without a bound.
const MOST_EVENTS: i64 = 100_000_000;
pub(super) const ORDER_KEYS: [&str; 2] = ["by", "partitions"];
/// More than any topic has.
const MOST_PARTITIONS: i64 = 1_000_000;
pub(super) const LATE_KEYS: [&str; 2] = ["allow", "then"];

impl Reader<'_> {
    pub(super) fn windows(&mut self, (path, node): &Entry<'_>) -> Vec<WindowSpec> {
        self.list(path, node, "a list of window blocks").iter().filter_map(|item| self.window(item)).collect()
    }

    pub(super) fn order(&mut self, (path, node): &Entry<'_>) -> Option<OrderSpec> {
        let [by, partitions] = self.record(path, node, ORDER_KEYS)?;
        for (entry, name, example) in [(&by, "by", "ts"), (&partitions, "partitions", "8")] {
            if entry.is_none() {
                self.missing(&format!("{path}.{name}"), node, name, example);
            }
        }
        let by = by.and_then(|entry| self.text(&entry, "a column"));
        let partitions = partitions.and_then(|entry| self.count(&entry, MOST_PARTITIONS, "partitions"));
        Some(OrderSpec { by: by?, partitions: u32::try_from(partitions?).unwrap_or(u32::MAX) })
    }

    fn window(&mut self, (path, node): &Entry<'_>) -> Option<WindowSpec> {
        let [key, time, order, over, compute, default, delay, current, late, keep, prefix, bound] =
            self.record(path, node, WINDOW_KEYS)?;
        for (entry, name, example) in [
            (&key, "key", "customer_id"),
            (&time, "time", "ts"),
            (&compute, "compute", "{nb: count(*), avg_amount: avg(amount)}"),
        ] {
            if entry.is_none() {
                self.missing(&format!("{path}.{name}"), node, name, example);
            }
        }
        let key = key.map(|entry| match entry.1.value {
            Value::List(_) => self.texts(&entry.0, entry.1, "a list of columns"),
            _ => self.text(&entry, "a column or a list of columns").into_iter().collect(),
        });
        let time = time.and_then(|entry| self.text(&entry, "a column"));
        let order = order.and_then(|entry| self.text(&entry, "a column"));
        let over = over.map(|entry| self.spans(&entry)).unwrap_or_default();
        let compute = compute
            .map(|(path, node)| self.expressions(&path, node, "a map from name to aggregate"))
            .filter(|compute| !compute.is_empty());
        let default = default.and_then(|(path, node)| self.literals(&path, node, "a map from name to value"));
        let delay = delay.and_then(|entry| self.duration(&entry)).unwrap_or_default();
        let current = current
            .and_then(|entry| self.word(&entry, &[("include", Current::Include), ("exclude", Current::Exclude)]))
            .unwrap_or_default();
        let late = late.and_then(|entry| self.late(&entry)).unwrap_or_default();
        let keep = keep.and_then(|entry| self.duration(&entry));
        let prefix = prefix.and_then(|entry| self.text(&entry, "a name or an empty text"));
        let bound = bound.and_then(|entry| self.bound(&entry));
        Some(WindowSpec {
            key: key?,
            time: time?,
            order,
            over,
            compute: compute?,
            default: default.unwrap_or_default(),
            delay,
            current,
            late,
            keep,
            prefix,
            bound,
        })
    }

    fn bound(&mut self, (path, node): &Entry<'_>) -> Option<BoundSpec> {
        let [events, step] = self.record(path, node, BOUND_KEYS)?;
        for (entry, name, example) in [(&events, "events", "10000"), (&step, "step", "1 hour")] {
            if entry.is_none() {
                self.missing(&format!("{path}.{name}"), node, name, example);
            }
        }
        let events = events.and_then(|entry| self.count(&entry, MOST_EVENTS, "events"));
        let step = step.and_then(|entry| self.duration(&entry));
        Some(BoundSpec { events: u32::try_from(events?).unwrap_or(u32::MAX), step: step? })
    }

    fn spans(&mut self, (path, node): &Entry<'_>) -> Vec<Span> {
        let entries = match node.value {
            Value::List(_) => self.list(path, node, "a list of windows"),
            _ => vec![(path.clone(), *node)],
        };
        entries.iter().filter_map(|entry| self.parsed(entry, "a window, such as 7 days", Span::parse)).collect()
    }

    fn duration(&mut self, entry: &Entry<'_>) -> Option<Duration> {
        self.parsed(entry, "a duration, such as 7 days", Duration::parse)
    }

    fn parsed<T>(
        &mut self,
        entry: &Entry<'_>,
        wanted: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(entry, wanted)?;
        parse(&text).map_err(|message| self.fault("BAD_VALUE", &entry.0, entry.1.place, message, None)).ok()
    }

    fn late(&mut self, (path, node): &Entry<'_>) -> Option<LateSpec> {
        let [allow, then] = self.record(path, node, LATE_KEYS)?;
        let plain = LateSpec::default();
        let allow = allow.and_then(|entry| self.duration(&entry)).unwrap_or(plain.allow);
        let then = then
            .and_then(|entry| self.word(&entry, &[("reject", Late::Reject), ("use", Late::Use)]))
            .unwrap_or(plain.then);
        Some(LateSpec { allow, then })
    }
}
