#![allow(clippy::unwrap_used)]

use super::*;
use crate::wire::testing::{Made, asked, say, shared};

const AT_ONCE: Duration = Duration::ZERO;

fn topics(work: &Work) -> Vec<&str> {
    work.wishes.iter().map(|wish| &*wish.2).collect()
}

#[test]
fn what_was_asked_before_a_restart_is_not_heard() {
    let (shared, slots) = shared(&["a"], 1 << 20);
    let work = asked(&shared);
    shared.restart(slots[0], 100);
    say(&shared, &work.wishes[0], code::NONE, &[Made::plain(0, 10)]);
    assert_eq!(shared.take(slots[0], AT_ONCE).unwrap_err(), Took::Nothing);
    assert_eq!(asked(&shared).wishes[0].4, 100);
}

#[test]
fn the_next_question_begins_after_the_last_answer() {
    let (shared, slots) = shared(&["a"], 1 << 20);
    let compacted = Made { gone: 5, ..Made::plain(0, 10) };
    say(&shared, &asked(&shared).wishes[0], code::NONE, &[compacted]);
    assert_eq!(asked(&shared).wishes[0].4, 15);
    assert!(shared.take(slots[0], AT_ONCE).is_ok());
}

#[test]
fn what_is_full_is_not_asked_for_until_it_was_read() {
    let (shared, slots) = shared(&["a", "b"], 200);
    let work = asked(&shared);
    assert_eq!((topics(&work), work.max_wait_ms), (vec!["a", "b"], 500));
    say(&shared, &work.wishes[0], code::NONE, &[Made::plain(0, 100)]);
    let work = asked(&shared);
    // A question that is held would keep the full one waiting when it is full no more.
    assert_eq!((topics(&work), work.max_wait_ms), (vec!["b"], 0));
    say(&shared, &work.wishes[0], code::NONE, &[]);
    let before = Instant::now();
    assert_eq!(topics(&asked(&shared)), ["b"]);
    assert!(before.elapsed() >= GLANCE, "a partition that has nothing new is asked for without a pause");
    assert!(shared.take(slots[0], AT_ONCE).is_ok());
    assert_eq!(topics(&asked(&shared)).len(), 2);
}

#[test]
fn what_one_had_is_for_the_others_when_it_ends() {
    let (shared, slots) = shared(&["a", "b"], 20_000);
    let work = asked(&shared);
    say(&shared, &work.wishes[0], code::NONE, &[Made::plain(0, 600)]);
    assert_eq!(topics(&asked(&shared)), ["b"]);
    let waiting = Arc::clone(&shared);
    shared.hear(&work.wishes[1], &said_nothing("b"), None);
    let thread = std::thread::spawn(move || asked(&waiting).wishes.remove(0).2);
    shared.end(slots[1]);
    assert_eq!(&*thread.join().unwrap(), "a");
}

fn said_nothing(topic: &str) -> Fetched<'_> {
    Fetched { topic, partition: 0, error: code::NONE, end: 0, aborted: Vec::new(), preferred: -1, records: 0..0 }
}

#[test]
fn what_was_wrong_and_works_again_is_not_told() {
    let (shared, slots) = shared(&["a"], 1 << 20);
    let wish = asked(&shared).wishes.remove(0);
    say(&shared, &wish, code::TOPIC_AUTHORIZATION_FAILED, &[]);
    say(&shared, &wish, code::NONE, &[Made::plain(0, 3)]);
    assert!(shared.take(slots[0], AT_ONCE).is_ok());
    assert_eq!(shared.take(slots[0], AT_ONCE).unwrap_err(), Took::Nothing);
    assert_eq!(shared.last_error(), "");
}

#[test]
fn records_that_lead_nowhere_are_an_error_and_not_asked_for_again() {
    let (shared, slots) = shared(&["a"], 1 << 20);
    shared.restart(slots[0], 50);
    let wish = asked(&shared).wishes.remove(0);
    say(&shared, &wish, code::NONE, &[Made::plain(0, 3)]);
    assert!(matches!(shared.take(slots[0], AT_ONCE), Err(Took::Trouble(_))));
}

#[test]
fn one_brokers_answer_does_not_heal_another() {
    let (shared, _slots) = shared(&["a"], 1 << 20);
    shared.lost(Some(2), &WireError::Refused("no".to_owned()));
    shared.all_is_well(Some(1), None);
    assert_eq!(shared.refused().as_deref(), Some("no"));
    assert_eq!(shared.last_error(), "no");
    shared.all_is_well(Some(2), None);
    assert_eq!((shared.refused(), shared.last_error()), (None, String::new()));
}

#[test]
fn partitions_of_a_topic_follow_each_other_in_a_question() {
    let (shared, slots) = shared(&["a", "b", "a"], 1 << 20);
    let work = asked(&shared);
    say(&shared, &work.wishes[0], code::NONE, &[Made::plain(0, 100)]);
    let names = asked(&shared);
    let names = topics(&names);
    assert!(names == ["b", "a", "a"] || names == ["a", "a", "b"], "{names:?}");
    drop(slots);
}

#[test]
fn trouble_is_told_after_the_records_before_it_and_stops_the_asking() {
    let (shared, slots) = shared(&["a", "b"], 1 << 20);
    let work = asked(&shared);
    say(&shared, &work.wishes[0], code::NONE, &[Made::plain(0, 10)]);
    say(&shared, &work.wishes[0], code::OFFSET_OUT_OF_RANGE, &[]);
    assert!(shared.take(slots[0], AT_ONCE).is_ok());
    assert_eq!(shared.take(slots[0], AT_ONCE).unwrap_err(), Took::OutOfRange);
    assert_eq!(topics(&asked(&shared)), ["b"]);
    shared.restart(slots[0], 50);
    assert_eq!(topics(&asked(&shared)).len(), 2);
}

#[test]
fn a_partition_that_moved_is_looked_for_again() {
    let (shared, _slots) = shared(&["a", "b"], 1 << 20);
    let not_leader = 6;
    say(&shared, &asked(&shared).wishes[0], not_leader, &[]);
    assert_eq!(shared.lost_topics().unwrap(), [Arc::from("a")]);
    assert_eq!(topics(&asked(&shared)), ["b"]);
    assert!(shared.last_error().contains("NOT_LEADER_OR_FOLLOWER"));
    shared.lost(Some(1), &WireError::SHORT);
    assert_eq!(shared.lost_topics().unwrap().len(), 2);
}

#[test]
fn a_nearer_replica_gets_a_thread() {
    let (shared, _slots) = shared(&["a"], 1 << 20);
    let wish = asked(&shared).wishes.remove(0);
    let nearer = Fetched {
        topic: "a",
        partition: 0,
        error: code::NONE,
        end: 0,
        aborted: Vec::new(),
        preferred: 2,
        records: 0..0,
    };
    shared.hear(&wish, &nearer, None);
    assert_eq!(shared.lost_topics().unwrap(), [Arc::from("a")]);
    assert_eq!(shared.metadata(&Metadata::default()), [2]);
    assert_eq!(topics(&shared.work(2).unwrap()), ["a"]);
}

#[test]
fn when_all_is_over_nobody_waits() {
    let (shared, slots) = shared(&["a"], 1 << 20);
    shared.stop();
    assert!(shared.work(1).is_none());
    assert!(shared.lost_topics().is_none());
    assert_eq!(shared.take(slots[0], Duration::from_secs(60)).unwrap_err(), Took::Nothing);
}
