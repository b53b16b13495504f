//! Keys with a bound: what is older is summed up in steps, and nothing else changes.

use super::*;
use crate::state::Snapshot;

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;
const STEP: i64 = 4;
const EVENTS: usize = 6;

fn bounded(json: &str, events: usize, step: i64) -> Windows {
    let mut spec = spec(json);
    let bound = format!(r#"{{"events": {events}, "step": "{step} s"}}"#);
    spec.bound = Some(serde_json::from_str(&bound).unwrap());
    Windows::try_new(&[spec], &schema()).unwrap()
}

/// A key's events as they are kept: steps, then one by one.
#[derive(Default)]
struct Kept {
    steps: Vec<Vec<Event>>,
    log: Vec<Event>,
}

fn time(event: &Event) -> i64 {
    event.time.unwrap()
}

impl Kept {
    /// By the definition, for events in order, of which none expires.
    fn see(&mut self, event: &Event) {
        if self.log.len() > EVENTS {
            let many = self.log.len() - EVENTS;
            for old in self.log.drain(..many) {
                let belongs = |step: &Vec<Event>| {
                    time(&old).div_euclid(STEP) == time(&step[0]).div_euclid(STEP)
                        && time(&old) - time(step.last().unwrap()) < 7
                };
                if !self.steps.last().is_some_and(belongs) {
                    self.steps.push(Vec::new());
                }
                self.steps.last_mut().unwrap().push(old);
            }
        }
        self.log.push(event.clone());
    }

    /// The events in the windows that end with the newest one.
    fn inside(&self, over: &str) -> Vec<&Event> {
        let now = time(self.log.last().unwrap());
        let all = self.steps.iter().flatten().chain(&self.log);
        match over {
            "last5" => self.log[self.log.len().saturating_sub(5)..].iter().collect(),
            "session7s" => {
                let all: Vec<&Event> = all.collect();
                let first = (1..all.len()).rev().find(|i| time(all[*i]) - time(all[*i - 1]) >= 7);
                all[first.unwrap_or_default()..].to_vec()
            }
            _ => {
                let after = now - if over == "10s" { 10 } else { 60 };
                let steps = self.steps.iter().filter(|step| time(&step[0]) > after).flatten();
                steps.chain(self.log.iter().filter(|event| time(event) > after)).collect()
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_result_is_that_of_whole_steps(mut events in any_events(0)) {
        events.iter_mut().filter(|event| event.time.is_some()).for_each(|event| event.key = Some(1));
        let (kept, rejected) = run(&mut bounded(ALL, EVENTS, STEP), &events);
        prop_assert!(rejected.is_empty());
        let mut known = Kept::default();
        for (row, event) in events.iter().enumerate() {
            known.see(event);
            for over in ["10s", "1m", "last5", "session7s"] {
                check_window(&kept, row, over, &known.inside(over), event, 1.0 / 128.0);
            }
            // The stated error: a window begins up to a step late.
            for (over, length) in [("10s", 10), ("1m", 60)] {
                let in_last = |seconds: i64| {
                    events[..=row].iter().filter(|e| time(e) > time(event) - seconds).count() as f64
                };
                let found = number(&kept, row, &format!("events_{over}")).unwrap();
                prop_assert!((in_last(length - STEP)..=in_last(length)).contains(&found));
            }
        }
    }

    #[test]
    fn cuts_and_restarts_leave_no_trace_in_steps(events in any_events(40), cuts in any_cuts()) {
        let delayed = ALL.replace(r#""last 5", "#, "").replace(r#""keep""#, r#""delay": "5 s", "keep""#);
        for json in [ALL, &delayed] {
            assert_no_trace(&|| bounded(json, EVENTS, STEP), &events, &cuts);
        }
    }

    #[test]
    fn below_the_bound_nothing_differs(events in any_events(15)) {
        let (exact, _) = run(&mut fresh(ALL), &events);
        let (found, _) = run(&mut bounded(ALL, 200, STEP), &events);
        prop_assert_eq!(found, exact);
    }
}

#[test]
fn a_hot_key_takes_no_more_than_its_bound() {
    let json = ALL.replace(r#""1 m""#, r#""30 days""#).replace(r#""keep": "10 h","#, "").replace("session 7 s", "1 h");
    let mut windows = bounded(&json, 500, 3_600);
    let mut most = 0;
    for i in 0..40 {
        let event = |j: i64| event(1, (i * 2_000 + j) * 40, (j % 100) as f64);
        run(&mut windows, &(0..2_000).map(event).collect::<Vec<_>>());
        most = most.max(windows.state().bytes());
    }
    // 720 hours with all that ALL asks for, of three inputs.
    assert!(most < 20 << 20, "{most} bytes");
    let saved = windows.state().save().unwrap();
    let snapshot = Snapshot::open(&saved).unwrap();
    let (layout, _, _) = snapshot.blocks().next().unwrap();
    let mut seen = Vec::new();
    let each = snapshot.each_key(|_, _, bytes| {
        seen.push(layout.history(bytes)?);
        Ok(())
    });
    each.unwrap();
    let (steps, events) = (&seen[0].steps, &seen[0].events);
    assert!(
        (700..=723).contains(&steps.len()) && (500..=563).contains(&events.len()),
        "{} {}",
        steps.len(),
        events.len()
    );
    let total = steps.iter().map(|step| step.events).sum::<u64>() + events.len() as u64;
    assert!((64_000..=65_500).contains(&total), "{total}");
    assert!(steps.windows(2).all(|pair| pair[0].newest < pair[1].oldest));
    assert!(steps.last().unwrap().newest < events[0].time && events[0].time % SECOND == 0);
}

#[test]
fn an_event_that_belongs_into_a_step_is_too_late() {
    let json =
        r#"{"key": "k", "time": "ts", "over": ["100 s"], "late": {"allow": "50 s"}, "compute": {"nb": "count(*)"}}"#;
    let events: Vec<Event> = (0..20).map(|t| event(1, t, 0.0)).chain([event(1, 3, 0.0), event(1, 19, 0.0)]).collect();
    let (kept, rejected) = run(&mut bounded(json, 4, 10), &events);
    assert_eq!(rejected, [(20, RejectCode::LateEvent)]);
    assert_eq!(whole(&kept, "k_nb_100s").last(), Some(&Some(21)));
    let used = json.replace("50 s\"", "50 s\", \"then\": \"use\"");
    let (kept, rejected) = run(&mut bounded(&used, 4, 10), &events);
    assert!(rejected.is_empty());
    // No step is over by then: it sees itself alone; and is forgotten.
    assert_eq!(whole(&kept, "k_nb_100s")[20..], [Some(1), Some(21)]);
}

#[test]
fn a_bound_can_be_widened_and_not_taken_away() {
    let json = r#"{"key": "k", "time": "ts", "over": ["100 s"], "compute": {"m": "avg(x)"}}"#;
    let mut windows = bounded(json, 4, 10);
    run(&mut windows, &(0..30).map(|t| event(1, t, t as f64)).collect::<Vec<_>>());
    let saved = windows.state().save().unwrap();
    let error = fresh(json).restored(&saved).unwrap_err().to_string();
    assert!(error.contains("bound"), "{error}");
    let more = json.replace(
        "avg(x)\"",
        "avg(x)\", \"top\": \"max(x)\", \"nb\": \"count(*)\", \"some\": \"count(*) FILTER (WHERE b)\"",
    );
    let mut wider = bounded(&more, 10, 7);
    let state = wider.restored(&saved).unwrap();
    wider.replace_state(state);
    let (kept, _) = run(&mut wider, &[event(1, 30, 30.0)]);
    assert_eq!(doubles(&kept, "k_m_100s"), [Some(15.0)]);
    assert_eq!(doubles(&kept, "k_top_100s"), [Some(30.0)]);
    assert_eq!(whole(&kept, "k_nb_100s"), [Some(31)]);
    assert_eq!(whole(&kept, "k_nb_100s"), [Some(31)]);
    // What steps did not count begins with the events that are still there.
    assert!(whole(&kept, "k_some_100s")[0] < Some(10));
}

#[test]
fn bounds_that_windows_do_not_fit_into_are_refused() {
    let faults = |over: &str, bound: &str, more: &str| {
        let json = format!(
            r#"{{"key": "k", "time": "ts", "over": ["1 day", "{over}"], "bound": {bound}, "compute": {{"nb": "count(*)"{more}}}}}"#
        );
        Windows::try_new(&[spec(&json)], &schema()).map(drop).unwrap_err().to_string()
    };
    let ten = r#"{"events": 10, "step": "1 hour"}"#;
    assert!(faults("last 11", ten, "").contains("last 11 wants more than 10 events"));
    assert!(faults("2 days", ten, r#", "l": "lag(x, 10)""#).contains("write events: 11"));
    let found = faults("2 days", r#"{"events": 10, "step": "1 second"}"#, "");
    assert!(found.contains("10000 are allowed") && found.contains("write step: 1 minute"), "{found}");
}
