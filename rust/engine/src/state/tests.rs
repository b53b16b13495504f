//! The stage against the definition, event by event; and against itself, cut and restarted anywhere.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef, TimeUnit};
use arrow::record_batch::RecordBatch;
use proptest::prelude::*;

#[path = "tests/bound.rs"]
mod bound;

use super::stage::{WindowState, Windows};
use crate::spec::WindowSpec;
use crate::stage::RejectCode;

#[derive(Debug, Clone, PartialEq)]
struct Event {
    key: Option<i64>,
    /// Seconds.
    time: Option<i64>,
    x: Option<f64>,
    n: Option<i64>,
    s: Option<&'static str>,
    b: Option<bool>,
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("ts", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new("x", DataType::Float64, true),
        Field::new("n", DataType::Int64, true),
        Field::new("s", DataType::Utf8, true),
        Field::new("b", DataType::Boolean, true),
    ]))
}

fn batch(events: &[Event]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter(events.iter().map(|e| e.key))),
        Arc::new(TimestampMicrosecondArray::from_iter(events.iter().map(|e| e.time.map(|t| t * 1_000_000)))),
        Arc::new(Float64Array::from_iter(events.iter().map(|e| e.x))),
        Arc::new(Int64Array::from_iter(events.iter().map(|e| e.n))),
        Arc::new(StringArray::from_iter(events.iter().map(|e| e.s))),
        Arc::new(BooleanArray::from_iter(events.iter().map(|e| e.b))),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn spec(json: &str) -> WindowSpec {
    serde_json::from_str(json).unwrap()
}

/// Everything there is, over all kinds of windows.
const ALL: &str = r#"{"key": "k", "time": "ts", "over": ["10 s", "1 m", "last 5", "session 7 s"], "keep": "10 h",
  "late": {"allow": "20 s"}, "prefix": "", "compute": {
  "events": "count(*)", "there": "count(x)", "total": "sum(x)", "whole": "sum(n)", "mean": "avg(x)", "dev": "stddev(x)",
  "spread": "var_pop(n)", "low": "min(x)", "high": "max(n)", "kinds": "distinct(s)", "mid": "median(x)",
  "q": "quantile(n, 0.9)", "a": "first(s)", "z": "last(x)", "often": "mode(s)", "part": "share(b)", "score": "zscore(x)",
  "trend": "slope(x)", "some": "avg(x) FILTER (WHERE b)", "text": "max(s)",
  "back": "lag(n, 2)", "step": "delta(x)", "pause": "since_last(*)", "smooth": "ewma(x, '30 s')"}}"#;

fn run(windows: &mut Windows, events: &[Event]) -> (RecordBatch, Vec<(u32, RejectCode)>) {
    let staged = windows.process(batch(events)).unwrap();
    (staged.kept, staged.rejected.into_iter().map(|r| (r.row, r.code)).collect())
}

fn fresh(json: &str) -> Windows {
    Windows::try_new(&[spec(json)], &schema()).unwrap()
}

fn event(key: i64, time: i64, x: f64) -> Event {
    Event { key: Some(key), time: Some(time), x: Some(x), n: Some(time), s: Some("a"), b: Some(true) }
}

fn doubles(batch: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().iter().collect()
}

fn whole(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    batch.column_by_name(name).unwrap().as_primitive::<Int64Type>().iter().collect()
}

#[test]
fn the_window_is_open_at_its_old_end_and_closed_at_its_new_one() {
    let mut windows =
        fresh(r#"{"key": "k", "time": "ts", "over": ["10 s"], "compute": {"nb": "count(*)", "m": "avg(x)"}}"#);
    let events = [event(1, 0, 1.0), event(1, 9, 3.0), event(1, 10, 5.0), event(1, 10, 7.0), event(2, 10, 9.0)];
    let (kept, _) = run(&mut windows, &events);
    assert_eq!(whole(&kept, "k_nb_10s"), [Some(1), Some(2), Some(2), Some(3), Some(1)]);
    assert_eq!(doubles(&kept, "k_m_10s"), [Some(1.0), Some(2.0), Some(4.0), Some(5.0), Some(9.0)]);
}

#[test]
fn a_delayed_window_ends_before_the_event() {
    let mut windows = fresh(
        r#"{"key": "k", "time": "ts", "over": ["10 s"], "delay": "5 s", "default": {"m": 0},
            "compute": {"nb": "count(*)", "m": "avg(x)", "top": "max(x)"}}"#,
    );
    let times = [0, 4, 5, 9, 14, 15, 30];
    let (kept, _) = run(&mut windows, &times.map(|t| event(1, t, t as f64)));
    assert_eq!(whole(&kept, "k_nb_10s"), [0, 0, 1, 2, 4, 3, 0].map(Some));
    assert_eq!(doubles(&kept, "k_m_10s"), [0.0, 0.0, 0.0, 2.0, 4.5, 6.0, 0.0].map(Some));
    assert_eq!(doubles(&kept, "k_top_10s")[..3], [None, None, Some(0.0)]);
}

#[test]
fn the_current_event_can_stay_out() {
    let mut windows = fresh(
        r#"{"key": "k", "time": "ts", "over": ["10 s", "last 2", "session 4 s"], "keep": "1 m", "current": "exclude",
            "compute": {"nb": "count(*)"}}"#,
    );
    let (kept, _) = run(&mut windows, &[0, 1, 2, 3, 7, 20].map(|t| event(1, t, 0.0)));
    assert_eq!(whole(&kept, "k_nb_10s"), [0, 1, 2, 3, 4, 0].map(Some));
    assert_eq!(whole(&kept, "k_nb_last2"), [0, 1, 2, 2, 2, 2].map(Some));
    assert_eq!(whole(&kept, "k_nb_session4s"), [0, 1, 2, 3, 0, 0].map(Some));
}

#[test]
fn rows_without_a_place_are_rejected_and_the_late_too() {
    let mut windows = fresh(
        r#"{"key": "k", "time": "ts", "over": ["10 s"], "late": {"allow": "3 s"}, "compute": {"nb": "count(*)"}}"#,
    );
    let mut events = vec![event(1, 10, 0.0), event(1, 7, 0.0), event(1, 6, 0.0), event(2, 6, 0.0), event(1, 10, 0.0)];
    events.push(Event { key: None, ..event(1, 10, 0.0) });
    events.push(Event { time: None, ..event(1, 10, 0.0) });
    events.push(event(1, i64::MIN / 1_000_000, 0.0));
    let (kept, rejected) = run(&mut windows, &events);
    assert_eq!(whole(&kept, "k_nb_10s"), [1, 1, 1, 3].map(Some));
    use RejectCode::{BadEventTime, LateEvent, NullKey};
    assert_eq!(rejected, [(2, LateEvent), (5, NullKey), (6, BadEventTime), (7, BadEventTime)]);
}

#[test]
fn a_late_event_can_be_used_and_forgotten() {
    let mut windows = fresh(
        r#"{"key": "k", "time": "ts", "over": ["10 s"], "late": {"allow": "1 s", "then": "use"},
            "compute": {"nb": "count(*)"}}"#,
    );
    let (kept, rejected) = run(&mut windows, &[event(1, 3, 0.0), event(1, 9, 0.0), event(1, 4, 0.0), event(1, 9, 0.0)]);
    assert_eq!(whole(&kept, "k_nb_10s"), [1, 2, 2, 3].map(Some));
    assert!(rejected.is_empty());
}

#[test]
fn idle_keys_are_forgotten() {
    let mut windows = fresh(
        r#"{"key": "k", "time": "ts", "over": ["10 s"], "late": {"allow": "0 s"}, "compute": {"nb": "count(*)"}}"#,
    );
    for hour in 0..20_i64 {
        let events: Vec<Event> =
            (0..8_192).map(|i| event(hour * 1_000 + i % 1_000, hour * 3_600 + i / 1_000, 0.0)).collect();
        run(&mut windows, &events);
    }
    assert!(windows.state().keys() < 10_000, "{} keys", windows.state().keys());
}

fn any_events(far: i64) -> impl Strategy<Value = Vec<Event>> {
    let one = (
        0..3_i64,
        prop_oneof![8 => 0..6_i64, 1 => 0..60_i64, 1 => -far..=0],
        prop::option::weighted(
            0.9,
            prop_oneof![8 => (-500..500_i64).prop_map(|v| v as f64 / 4.0), 1 => Just(0.1), 1 => Just(1e9)],
        ),
        prop::option::weighted(0.9, -20..20_i64),
        prop::option::weighted(0.9, prop_oneof![Just("a"), Just("b"), Just("cc")]),
        prop::option::weighted(0.9, any::<bool>()),
    );
    prop::collection::vec(one, 1..150).prop_map(|steps| {
        let mut time = 1_000;
        let mut events = Vec::new();
        for (key, step, x, n, s, b) in steps {
            let at = time + step;
            time = time.max(at);
            events.push(Event { key: Some(key), time: Some(at), x, n, s, b });
        }
        events
    })
}

/// The events that are in a window, oldest first, of those that came before and the event itself.
fn inside<'a>(past: &'a [Event], now: &Event, over: &str) -> Vec<&'a Event> {
    let mut mine: Vec<&Event> = past.iter().filter(|e| e.key == now.key && e.time <= now.time).collect();
    mine.sort_by_key(|e| e.time);
    let t = now.time.unwrap();
    match over {
        "10s" => mine.retain(|e| e.time.unwrap() > t - 10),
        "1m" => mine.retain(|e| e.time.unwrap() > t - 60),
        "last5" => {
            mine.drain(..mine.len().saturating_sub(5));
        }
        _ => {
            let mut starts = (1..mine.len()).filter(|i| mine[*i].time.unwrap() - mine[*i - 1].time.unwrap() >= 7);
            let first = starts.next_back().unwrap_or(0);
            mine.drain(..first);
        }
    }
    mine
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0),
        _ => false,
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn spread(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    Some(values.iter().map(|v| (v - mean) * (v - mean)).sum())
}

fn quantile(mut values: Vec<f64>, part: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = part * values.len().checked_sub(1)? as f64;
    let (low, high) = (rank.floor() as usize, rank.ceil() as usize);
    Some(values[low] + (values[high] - values[low]) * rank.fract())
}

/// The larger of the two values between which a quantile lies, without its sign.
fn largest_neighbour(values: &[f64], part: f64) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let rank = part * (values.len() - 1) as f64;
    values[rank.floor() as usize].abs().max(values[rank.ceil() as usize].abs())
}

/// One event's results by the definition.
fn check(result: &RecordBatch, row: usize, past: &[Event], now: &Event) {
    for over in ["10s", "1m", "last5", "session7s"] {
        check_window(result, row, over, &inside(past, now, over), now, 1e-9);
    }
    let mut mine: Vec<&Event> = past.iter().filter(|e| e.key == now.key && e.time <= now.time).collect();
    mine.sort_by_key(|e| e.time);
    mine.pop();
    assert_eq!(number(result, row, "back"), mine.iter().rev().nth(1).and_then(|e| e.n).map(|n| n as f64));
    let pause = mine.last().map(|e| (now.time.unwrap() - e.time.unwrap()) as f64);
    assert_eq!(number(result, row, "pause"), pause);
    let step = mine.last().and_then(|e| Some(now.x? - e.x?));
    let found = number(result, row, "step");
    assert!(close(found, step), "step: {found:?}, expected {step:?}");
}

fn number(result: &RecordBatch, row: usize, name: &str) -> Option<f64> {
    let column = result.column_by_name(name).unwrap();
    column.is_valid(row).then(|| match column.data_type() {
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row) as f64,
        _ => column.as_primitive::<Float64Type>().value(row),
    })
}

/// One event's results over a window with these rows in it, oldest first; quantiles may be off by `loose` of the value.
fn check_window(result: &RecordBatch, row: usize, over: &str, rows: &[&Event], now: &Event, loose: f64) {
    let number = |name: &str| number(result, row, name);
    let text = |name: &str| -> Option<String> {
        let column = result.column_by_name(name).unwrap().as_string::<i32>();
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let xs: Vec<f64> = rows.iter().filter_map(|e| e.x).collect();
    let ns: Vec<f64> = rows.iter().filter_map(|e| e.n.map(|n| n as f64)).collect();
    let texts: Vec<&str> = rows.iter().filter_map(|e| e.s).collect();
    let some: Vec<f64> = rows.iter().filter(|e| e.b == Some(true)).filter_map(|e| e.x).collect();
    let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
    texts.iter().enumerate().for_each(|(i, s)| {
        let seen = counts.entry(s).or_default();
        *seen = (seen.0 + 1, i);
    });
    let deviation = (xs.len() > 1).then(|| (spread(&xs).unwrap() / (xs.len() - 1) as f64).sqrt());
    let expected = [
        ("events", Some(rows.len() as f64)),
        ("there", Some(xs.len() as f64)),
        ("total", (!xs.is_empty()).then(|| xs.iter().sum())),
        ("whole", (!ns.is_empty()).then(|| ns.iter().sum())),
        ("mean", mean(&xs)),
        ("dev", deviation),
        ("spread", spread(&ns).map(|s| s / ns.len() as f64)),
        ("low", xs.iter().copied().reduce(f64::min)),
        ("high", ns.iter().copied().reduce(f64::max)),
        ("kinds", Some(counts.len() as f64)),
        ("mid", quantile(xs.clone(), 0.5)),
        ("q", quantile(ns.clone(), 0.9)),
        ("z", xs.last().copied()),
        ("part", mean(&rows.iter().map(|e| f64::from(e.b == Some(true))).collect::<Vec<_>>())),
        ("some", mean(&some)),
    ];
    for (name, value) in expected {
        let found = number(&format!("{name}_{over}"));
        let near = |(found, value): (f64, f64)| match name {
            "mid" => (found - value).abs() <= loose * largest_neighbour(&xs, 0.5),
            "q" => (found - value).abs() <= loose * largest_neighbour(&ns, 0.9),
            _ => false,
        };
        let near = found.zip(value).is_some_and(near);
        assert!(near || close(found, value), "{name}_{over}: {found:?}, expected {value:?} of {rows:?}");
    }
    assert_eq!(text(&format!("a_{over}")).as_deref(), texts.first().copied());
    assert_eq!(text(&format!("text_{over}")).as_deref(), texts.iter().copied().max());
    let often = counts.iter().max_by_key(|(_, seen)| **seen).map(|(s, _)| *s);
    assert_eq!(text(&format!("often_{over}")).as_deref(), often);
    let score = now.x.zip(deviation).filter(|(_, d)| *d > 1e-9).map(|(x, d)| (x - mean(&xs).unwrap()) / d);
    if deviation.is_none_or(|d| d == 0.0 || d > 1e-6) {
        let found = number(&format!("score_{over}"));
        assert!(close(found, score) || score.is_none(), "score_{over}: {found:?}, expected {score:?}");
    }
    let pairs: Vec<(f64, f64)> = rows.iter().filter_map(|e| Some((e.time.unwrap() as f64, e.x?))).collect();
    let (ts, vs): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let slope = mean(&ts).zip(mean(&vs)).and_then(|(tm, vm)| {
        let along: f64 = ts.iter().map(|t| (t - tm) * (t - tm)).sum();
        let across: f64 = pairs.iter().map(|(t, v)| (t - tm) * (v - vm)).sum();
        (along > 0.0).then(|| across / along)
    });
    let found = number(&format!("trend_{over}"));
    // Of large values that lie close together the definition as it is written here loses digits.
    let lost = 1e-15 * vs.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    let near = found.zip(slope).is_some_and(|(a, b)| (a - b).abs() <= lost);
    assert!(near || close(found, slope), "trend_{over}: {found:?}, expected {slope:?}");
}

/// Events that a stage has taken, of the first `n` rows.
fn taken(events: &[Event], rejected: &[(u32, RejectCode)]) -> Vec<Event> {
    let out: Vec<u32> = rejected.iter().map(|(row, _)| *row).collect();
    events.iter().enumerate().filter(|(i, _)| !out.contains(&(*i as u32))).map(|(_, e)| e.clone()).collect()
}

/// Where a stream is cut, and whether its state is saved and taken up again there.
type Cut = (prop::sample::Index, bool);

fn any_cuts() -> impl Strategy<Value = Vec<Cut>> {
    prop::collection::vec(any::<Cut>(), 0..6)
}

/// Rows, rejected ones and saved bytes are the same in one piece and cut.
fn assert_no_trace(fresh: &dyn Fn() -> Windows, events: &[Event], cuts: &[Cut]) {
    let (whole, rejected) = run(&mut fresh(), events);
    let mut at: Vec<(usize, bool)> = cuts.iter().map(|(i, save)| (i.index(events.len()), *save)).collect();
    at.sort_unstable();
    at.push((events.len(), false));
    let mut windows = fresh();
    let (mut from, mut parts, mut out) = (0, Vec::new(), Vec::new());
    for (to, save) in at {
        let (kept, rejected) = run(&mut windows, &events[from..to]);
        parts.push(kept);
        out.extend(rejected.into_iter().map(|(row, code)| (row + from as u32, code)));
        from = to;
        if save {
            let saved = windows.state().save().unwrap();
            windows = fresh();
            let state = windows.restored(&saved).unwrap();
            windows.replace_state(state);
            assert_eq!(windows.state().save().unwrap(), saved);
        }
    }
    assert_eq!(concat_batches(whole.schema_ref(), &parts).unwrap(), whole);
    assert_eq!(out, rejected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_result_is_that_of_the_definition(events in any_events(15)) {
        let (kept, rejected) = run(&mut fresh(ALL), &events);
        let taken = taken(&events, &rejected);
        for row in 0..taken.len() {
            // Out of order within the lateness: what came before, wherever it belongs in time.
            check(&kept, row, &taken[..=row], &taken[row]);
        }
    }

    #[test]
    fn cuts_and_restarts_leave_no_trace(events in any_events(40), cuts in any_cuts()) {
        assert_no_trace(&|| fresh(ALL), &events, &cuts);
    }
}

#[test]
fn state_moves() {
    let mut windows = fresh(ALL);
    run(&mut windows, &[event(1, 0, 1.0)]);
    let empty = windows.empty_state();
    let state: WindowState = windows.replace_state(empty);
    assert_eq!(state.keys(), 1);
    let (kept, _) = run(&mut windows, &[event(1, 1, 1.0)]);
    assert_eq!(whole(&kept, "events_10s"), [Some(1)]);
    windows.replace_state(state);
    let (kept, _) = run(&mut windows, &[event(1, 1, 1.0)]);
    assert_eq!(whole(&kept, "events_10s"), [Some(2)]);
    assert!(windows.state().bytes() > 0);
}
