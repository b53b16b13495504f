//! Every state that was ever written is taken up again, under its own pipeline and under changed ones.
//!
//! `tests/data/state` has them, with the rows that must come out behind them; its README says how they were made.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::Int64Type;
use arrow_ipc::reader::StreamReader;
use firesteel_engine::pipeline::{Compiled, InputMode, REJECTED, RunnerLease, prepare_pipeline};
use firesteel_engine::state::RestoreError;
use serde_json::Value;

/// A state of an older day.
struct Old {
    folder: PathBuf,
    name: String,
    yaml: String,
    state: Vec<u8>,
    expected: RecordBatch,
}

impl Old {
    fn open(folder: &Path, name: &str) -> Self {
        let file = |end: &str| folder.join(format!("{name}.{end}"));
        let reader = StreamReader::try_new(std::fs::File::open(file("expected.arrow")).unwrap(), None).unwrap();
        let schema = reader.schema();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            yaml: std::fs::read_to_string(file("yaml")).unwrap(),
            state: std::fs::read(file("state.arrow")).unwrap(),
            expected: concat_batches(&schema, &batches).unwrap(),
        }
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join(file)).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The state's own events, and those behind it.
    fn before(&self) -> RecordBatch {
        records(&self.lines("before.jsonl"), 0)
    }

    fn next(&self) -> RecordBatch {
        records(&self.lines("next.jsonl"), self.lines("before.jsonl").len() as i64)
    }

    /// The pipeline's text with something else in it.
    fn changed(&self, changes: &[(&str, &str)]) -> String {
        changes.iter().fold(self.yaml.clone(), |text, (from, to)| {
            assert!(text.contains(from), "{}: there is no {from:?}", self.name);
            text.replacen(from, to, 1)
        })
    }

    /// What the next events give behind this state under another pipeline.
    fn behind(&self, yaml: &str) -> RecordBatch {
        let mut runner = restored(yaml, &self.state).unwrap();
        process(&mut runner, &self.next())
    }

    /// What they give under a pipeline that has seen all events.
    fn as_if_always(&self, yaml: &str) -> RecordBatch {
        let mut runner = runner(yaml);
        process(&mut runner, &self.before());
        process(&mut runner, &self.next())
    }
}

/// All of them, of every format there ever was.
fn old_states() -> Vec<Old> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/state");
    let mut found = Vec::new();
    for version in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for file in std::fs::read_dir(&version).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.file_name().unwrap().to_str().unwrap();
            if let Some(name) = name.strip_suffix(".state.arrow") {
                assert!(file.metadata().unwrap().len() < 20_000, "{}", file.display());
                found.push(Old::open(&version, name));
            }
        }
    }
    found.sort_by(|a, b| (&a.folder, &a.name).cmp(&(&b.folder, &b.name)));
    found
}

fn old(name: &str) -> Vec<Old> {
    let found: Vec<Old> = old_states().into_iter().filter(|old| old.name == name).collect();
    assert!(!found.is_empty(), "no state is called {name}");
    found
}

fn records(lines: &[String], first: i64) -> RecordBatch {
    let count = lines.len();
    let columns: [(&str, ArrayRef); 4] = [
        ("value", Arc::new(BinaryArray::from_iter_values(lines))),
        ("topic", Arc::new(StringArray::from(vec!["events.jsonl"; count]))),
        ("partition", Arc::new(Int32Array::from(vec![0; count]))),
        ("offset", Arc::new(Int64Array::from_iter_values(first..first + count as i64))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn runner(yaml: &str) -> RunnerLease {
    let prepared = prepare_pipeline(yaml, "old.yaml", &[], InputMode::Bytes).expect(yaml);
    Compiled::new(&serde_json::from_str(&prepared.call).unwrap()).unwrap().runner().unwrap()
}

fn restored(yaml: &str, state: &[u8]) -> Result<RunnerLease, RestoreError> {
    let mut runner = runner(yaml);
    let windows = runner.windows_mut().unwrap();
    let state = windows.restored(state)?;
    windows.replace_state(state);
    Ok(runner)
}

fn process(runner: &mut RunnerLease, records: &RecordBatch) -> RecordBatch {
    runner.process(records, &AtomicBool::new(false)).unwrap()
}

/// Equal to the bit: NaN is NaN, and −0 is not 0.
fn assert_same(found: &RecordBatch, wanted: &RecordBatch, what: &str) {
    assert_eq!(found.num_rows(), wanted.num_rows(), "{what}");
    for field in wanted.schema().fields() {
        let (ours, theirs) = (column(found, field.name()), column(wanted, field.name()));
        for row in 0..wanted.num_rows() {
            assert_eq!(
                ours.slice(row, 1).to_data(),
                theirs.slice(row, 1).to_data(),
                "{what}: {}, row {row}",
                field.name()
            );
        }
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    batch.column_by_name(name).unwrap_or_else(|| panic!("there is no {name}"))
}

/// The rows that both have taken.
fn taken(one: &RecordBatch, other: &RecordBatch) -> (RecordBatch, RecordBatch, Vec<usize>) {
    let (a, b) = (column(one, REJECTED), column(other, REJECTED));
    let rows: Vec<usize> = (0..one.num_rows()).filter(|row| a.is_null(*row) && b.is_null(*row)).collect();
    let indices = UInt32Array::from_iter_values(rows.iter().map(|row| *row as u32));
    (take_record_batch(one, &indices).unwrap(), take_record_batch(other, &indices).unwrap(), rows)
}

#[test]
fn every_old_state_goes_on() {
    let all = old_states();
    assert!(all.len() >= 5, "{} states", all.len());
    for old in all {
        let what = format!("{}/{}", old.folder.display(), old.name);
        let accepted = column(&old.expected, REJECTED).null_count();
        assert!(accepted > old.expected.num_rows() / 2, "{what}: {accepted} rows are taken");
        assert_same(&old.behind(&old.yaml), &old.expected, &what);
        assert_same(&old.as_if_always(&old.yaml), &old.expected, &what);
        // Written anew by today's code, and taken up once more.
        let mut runner = restored(&old.yaml, &old.state).unwrap();
        let saved = runner.windows_mut().unwrap().state().save().unwrap();
        let mut again = restored(&old.yaml, &saved).unwrap();
        assert_same(&process(&mut again, &old.next()), &old.expected, &what);
    }
}

#[test]
fn a_feature_more_finds_its_history() {
    for old in old("numbers") {
        let yaml = old.changed(&[
            ("over: [1 hour, 1 day, last 7]", "over: [1 hour, 1 day, last 7, 3 hours, last 12]"),
            (
                "      nb: count(*)\n",
                "      nb: count(*)\n      deep: quantile(x, 0.9)\n      least: min(f)\n      far: lag(x, 5)\n",
            ),
            ("output: [id", "output: [id, k_deep_1h, k_deep_last12, k_least_3h, k_least_1d, k_far, k_mean_3h"),
        ]);
        let found = old.behind(&yaml);
        assert_same(&found, &old.as_if_always(&yaml), "with the feature");
        assert!(column(&found, "k_far").null_count() < found.num_rows() / 2, "there is history");
        assert_same(&found, &old.expected, "what was there");
    }
}

#[test]
fn an_expression_more_is_null_in_old_events() {
    for old in old("numbers") {
        let yaml = old.changed(&[
            ("b BOOLEAN", "b BOOLEAN, extra DOUBLE"),
            (
                "      nb: count(*)\n",
                "      nb: count(*)\n      sum: sum(extra)\n      some: count(extra)\n      past: lag(extra)\n      \
                 high: count(*) FILTER (WHERE extra > 4)\n      calm: ewma(extra, '1 hour')\n",
            ),
            ("output: [id", "output: [id, k_sum_1d, k_some_1d, k_past, k_high_1d, k_calm"),
        ]);
        let found = old.behind(&yaml);
        // Old records do not have the field, so a pipeline that always had the feature knows as little.
        assert_same(&found, &old.as_if_always(&yaml), "with the expression");
        assert_same(&found, &old.expected, "what was there");
        let some = column(&found, "k_some_1d").as_primitive::<Int64Type>();
        assert!(some.iter().flatten().max() > Some(3), "there are values");
    }
}

#[test]
fn a_block_more_knows_nothing_and_one_less_is_forgotten() {
    for old in old("several") {
        let yaml = old.changed(&[
            ("  - key: k\n", "  - {key: s, time: ts, over: 1000 days, late: {allow: 900 days}, compute: {nb: count(*)}}\n  - key: k\n"),
            ("output: [id", "output: [s, ts, s_nb_1000d, id"),
        ]);
        let (found, expected, rows) = taken(&old.behind(&yaml), &old.expected);
        assert!(rows.len() > 20);
        assert_same(&found, &expected, "the old blocks");
        // All events that the new block has seen: those with its key and a time, before it in the log and in time.
        let events: Vec<Value> =
            old.lines("next.jsonl").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let counts = column(&found, "s_nb_1000d").as_primitive::<Int64Type>();
        for (at, row) in rows.iter().enumerate() {
            let (s, ts) = (&events[*row]["s"], events[*row]["ts"].as_str().unwrap());
            let earlier = |event: &&Value| event["s"] == *s && event["ts"].as_str().is_some_and(|time| time <= ts);
            assert_eq!(counts.value(at), events[..=*row].iter().filter(earlier).count() as i64, "row {row}");
        }

        let (cut, end) = (old.yaml.find("  - key: b\n").unwrap(), old.yaml.find("output:").unwrap());
        let one = format!("{}output: [id, k_nb_2h, k_mean_2h, k_high_2h]\n", &old.yaml[..cut]);
        assert!(cut < end);
        let (found, expected, rows) = taken(&old.behind(&one), &old.expected);
        assert!(rows.len() > 20);
        for name in ["id", "k_nb_2h", "k_mean_2h", "k_high_2h"] {
            assert_eq!(column(&found, name).to_data(), column(&expected, name).to_data(), "{name}");
        }
    }
}

#[test]
fn another_key_or_time_is_refused() {
    for (name, changes) in [
        ("numbers", vec![("key: k\n", "key: n\n"), ("prefix", "prefix")]),
        ("numbers", vec![("time: ts\n", "time: seen\n")]),
        ("numbers", vec![("k BIGINT", "k INT")]),
        ("filters", vec![("key: [k, s]", "key: [s, k]")]),
        ("bare", vec![("key: day", "key: [day, k]")]),
        ("several", vec![("  - key: b\n", "  - key: n\n")]),
    ] {
        for old in old(name) {
            // The columns keep their names, whatever the key is.
            let prefix = match name {
                "numbers" => "k",
                "filters" => "k_s",
                "several" => "b",
                _ => "d",
            };
            let changes: Vec<_> = changes.iter().filter(|(from, to)| from != to).copied().collect();
            let mut yaml = old.changed(&changes);
            if name != "bare" {
                let (at, time) = (yaml.rfind("- key: ").unwrap(), "    time: ");
                let line = at + yaml[at..].find(time).unwrap();
                yaml.insert_str(line, &format!("    prefix: {prefix}\n"));
            }
            let error = restored(&yaml, &old.state).expect_err(&yaml).to_string();
            assert!(error.starts_with("STATE_INCOMPATIBLE: windows["), "{error}");
            assert!(error.contains(" is ") && error.contains("that of the state is"), "{error}");
        }
    }
}

#[test]
fn a_newer_format_is_refused_by_its_number() {
    for old in old("bare") {
        let text = br#"{"version":1,"#;
        let at = old.state.windows(text.len()).position(|window| window == text).unwrap();
        let mut newer = old.state.clone();
        newer[at + text.len() - 2] = b'7';
        let length = newer.len() - 8;
        let sum = twox_hash::XxHash64::oneshot(0, &newer[..length]);
        newer[length..].copy_from_slice(&sum.to_le_bytes());
        let error = restored(&old.yaml, &newer).unwrap_err().to_string();
        assert!(error.starts_with("STATE_INCOMPATIBLE: it has format 7"), "{error}");
    }
}

#[test]
fn a_damaged_state_is_never_taken_for_a_good_one() {
    for old in old_states() {
        let damaged = |bytes: &[u8], what: String| match restored(&old.yaml, bytes) {
            Err(RestoreError::Damaged(_)) => {}
            Err(other) => panic!("{}, {what}: {other}", old.name),
            Ok(mut runner) => assert_same(&process(&mut runner, &old.next()), &old.expected, &what),
        };
        let length = old.state.len();
        for part in 0..50 {
            let at = length * part / 50;
            damaged(&old.state[..at], format!("cut off at {at}"));
            for turned in [1_u8, 0x80, 0xff] {
                let mut bytes = old.state.clone();
                bytes[at] ^= turned;
                damaged(&bytes, format!("byte {at} changed by {turned:#x}"));
            }
            let mut bytes = old.state.clone();
            bytes[at..(at + 64).min(length)].fill(0);
            damaged(&bytes, format!("zeros from {at}"));
            let mut bytes = old.state.clone();
            bytes.insert(at, 0);
            damaged(&bytes, format!("a byte more at {at}"));
        }
        damaged(&[old.state.as_slice(), &[0]].concat(), "a byte more at the end".to_owned());
    }
}
