//! Without a broker: what is refused, and that nothing waits for ever. Real writing is tests/test_kafka_sink.py.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, StringArray};

use super::*;
use crate::producer::check_topic;
use crate::settings::{ClientSettings, Secret};

/// Nobody listens on port 1 of the loopback interface.
fn unreachable_settings(more: &[(&str, &str)]) -> Settings {
    let pairs = [("bootstrap.servers", "127.0.0.1:1"), ("delivery.timeout.ms", "1000"), ("linger.ms", "0")];
    let properties = pairs.iter().chain(more).map(|(n, v)| ((*n).to_owned(), Secret::new(*v))).collect();
    Settings::new(ClientSettings { properties, oauth: None })
}

fn layout(json: &str) -> Layout {
    serde_json::from_str(json).unwrap()
}

fn batch(topics: Vec<Option<&str>>) -> RecordBatch {
    let values = BinaryArray::from_iter(topics.iter().map(|_| Some(b"value")));
    RecordBatch::try_from_iter_with_nullable([
        ("topic", Arc::new(StringArray::from(topics)) as ArrayRef, true),
        ("value", Arc::new(values) as ArrayRef, true),
    ])
    .unwrap()
}

#[test]
fn a_row_without_a_topic_is_an_error() {
    let mut writer = Writer::open(&unreachable_settings(&[]), layout(r#"{"topic_column": 0, "value": 1}"#)).unwrap();
    let error = writer.send(&batch(vec![None]), &AtomicBool::new(false)).unwrap_err();
    assert!(error.to_string().starts_with("NULL_TOPIC"), "{error}");
}

#[test]
fn records_for_no_broker_fail_in_time_with_their_topic() {
    let mut writer = Writer::open(&unreachable_settings(&[]), layout(r#"{"topic": "t", "value": 1}"#)).unwrap();
    let started = Instant::now();
    writer.send(&batch(vec![None, None]), &AtomicBool::new(false)).unwrap();
    let error = writer.flush(&AtomicBool::new(false)).unwrap_err().to_string();
    assert!(
        error.starts_with("DELIVERY_FAILED: 2 records") || error.starts_with("DELIVERY_FAILED: 1 records"),
        "{error}"
    );
    assert!(error.contains("topic t") && error.contains("127.0.0.1:1"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_full_queue_makes_the_writer_wait_until_it_is_cancelled() {
    let small = unreachable_settings(&[("queue.buffering.max.messages", "10"), ("delivery.timeout.ms", "60000")]);
    let mut writer = Writer::open(&small, layout(r#"{"topic": "t", "value": 1}"#)).unwrap();
    let cancelled = Arc::new(AtomicBool::new(false));
    let canceller = {
        let cancelled = Arc::clone(&cancelled);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            cancelled.store(true, Ordering::Relaxed);
        })
    };
    let error = writer.send(&batch(vec![None; 100]), &cancelled).unwrap_err();
    canceller.join().unwrap();
    assert!(error.to_string().starts_with("CANCELLED"), "{error}");
    assert_eq!(writer.tally.pending(), 10);
}

#[test]
fn a_wrong_setting_is_named_and_its_value_is_not() {
    let wrong = unreachable_settings(&[("compression.codec", "s3cret")]);
    let error = Writer::open(&wrong, layout(r#"{"topic": "t", "value": 1}"#)).err().unwrap().to_string();
    assert!(error.starts_with("KAFKA_SETTING") && error.contains("compression.codec"), "{error}");
    assert!(!error.contains("s3cret"), "{error}");
}

#[test]
fn a_check_of_no_broker_ends_in_time() {
    let started = Instant::now();
    let error = check_topic(&unreachable_settings(&[]), "t", Duration::from_secs(1)).unwrap_err().to_string();
    assert!(error.starts_with("KAFKA_UNREACHABLE: no broker of 127.0.0.1:1 answered within 1 s"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5));
}
