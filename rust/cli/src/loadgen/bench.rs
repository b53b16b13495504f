//! `firesteel loadgen bench`: flat JSON events of about 365 bytes with 16 float features.
//!
//! An event is a function of its number and the seed alone, so any range of events can be made again anywhere.
//! The features are close to normal (mean 0, deviation 1) with 6 decimals, as standardised model inputs are.

use std::io::Write;

use chrono::{DateTime, TimeDelta, Utc};

use super::output::{Format, Output, OutputArgs, Record};
use crate::error::CliError;

/// Float features of an event: `f0` to `f15`.
const FEATURES: u64 = 16;
const COUNTRIES: [&str; 8] = ["DE", "FR", "IT", "ES", "PL", "NL", "BE", "AT"];
const CHANNELS: [&str; 4] = ["web", "app", "pos", "atm"];
/// Spark DDL of the events, without `sent_us`.
pub(crate) const SCHEMA: &str = "event_id BIGINT, ts TIMESTAMP, user_id STRING, country STRING, channel STRING, session STRING, \
     f0 DOUBLE, f1 DOUBLE, f2 DOUBLE, f3 DOUBLE, f4 DOUBLE, f5 DOUBLE, f6 DOUBLE, f7 DOUBLE, \
     f8 DOUBLE, f9 DOUBLE, f10 DOUBLE, f11 DOUBLE, f12 DOUBLE, f13 DOUBLE, f14 DOUBLE, f15 DOUBLE";

/// Options of `loadgen bench`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("Schema: {SCHEMA}; with --send-time also sent_us BIGINT"))]
pub(crate) struct BenchArgs {
    /// Events to write
    #[arg(long, visible_alias = "events", default_value_t = 5_000_000)]
    count: u64,
    /// Number of the first event
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Seed; another one gives other values under the same event numbers
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    output: OutputArgs,
}

/// Writes the events, event n to partition n modulo `--partitions` if that is given, and prints one line about them.
pub(crate) fn run(args: &BenchArgs) -> Result<(), CliError> {
    if args.output.format()? != Format::Json {
        return Err(CliError::Usage("loadgen bench writes JSON only".to_owned()));
    }
    let mut output = Output::open(&args.output, "", args.count)?;
    let mut event = EventText::new(args.seed);
    let mut bytes = 0_u64;
    for number in args.from..args.from + args.count {
        let sent_us = output.next_event();
        let text = event.write(number, sent_us);
        bytes += text.len() as u64;
        let partition = args.output.partitions.map(|n| (number % n.unsigned_abs() as u64) as i32);
        output.write(Record { key: None, value: Some(text), partition })?;
    }
    output.finish()?;
    println!("{} events of {:.1} bytes on average", args.count, bytes as f64 / (args.count.max(1)) as f64);
    Ok(())
}

/// Makes the text of one event after the other in one buffer.
struct EventText {
    seed: u64,
    text: Vec<u8>,
    start: DateTime<Utc>,
    second: u64,
    time: String,
}

impl EventText {
    /// Events per second of event time.
    const PER_SECOND: u64 = 20_000;

    fn new(seed: u64) -> Self {
        let start = DateTime::from_timestamp(1_767_225_600, 0).unwrap_or_default(); // 2026-01-01
        Self { seed, text: Vec::with_capacity(512), start, second: u64::MAX, time: String::new() }
    }

    fn write(&mut self, number: u64, sent_us: Option<i64>) -> &[u8] {
        let second = number / Self::PER_SECOND;
        if second != self.second {
            self.second = second;
            let shift = TimeDelta::try_seconds(i64::try_from(second).unwrap_or(0)).unwrap_or_default();
            self.time = (self.start + shift).format("%Y-%m-%dT%H:%M:%S").to_string();
        }
        let base = mix(self.seed).wrapping_add(number.wrapping_mul(FEATURES + 1));
        let who = mix(base);
        let country = COUNTRIES[(who >> 60) as usize % COUNTRIES.len()];
        let channel = CHANNELS[(who >> 50) as usize % CHANNELS.len()];
        let user = who % 1_000_000;
        let session = mix(who) >> 16;
        let millis = number % Self::PER_SECOND / (Self::PER_SECOND / 1000);
        self.text.clear();
        // Writing into memory cannot fail.
        let _ = write!(
            self.text,
            r#"{{"event_id":{number},"ts":"{}.{millis:03}Z","user_id":"u{user:06}","country":"{country}","channel":"{channel}","session":"{session:012x}""#,
            self.time
        );
        for feature in 0..FEATURES {
            let _ = write!(self.text, r#","f{feature}":"#);
            write_millionths(&mut self.text, normal_millionths(mix(base.wrapping_add(1 + feature))));
        }
        if let Some(us) = sent_us {
            let _ = write!(self.text, r#","sent_us":{us}"#);
        }
        self.text.push(b'}');
        &self.text
    }
}

/// One step of SplitMix64 (Steele, Lea and Flood, 2014): 64 mixed bits of a counter.
fn mix(counter: u64) -> u64 {
    let mut z = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number of mean 0 and deviation 1, in millionths: the sum of the four 16-bit parts, which is nearly normal and
/// stays within 3.5 deviations.
fn normal_millionths(bits: u64) -> i64 {
    let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
    // Four uniforms on 0..=65535: mean 131070, deviation 37837.
    (sum as i64 - 131_070) * 1_000_000 / 37_837
}

fn write_millionths(text: &mut Vec<u8>, value: i64) {
    let sign = if value < 0 { "-" } else { "" };
    let (whole, part) = (value.unsigned_abs() / 1_000_000, value.unsigned_abs() % 1_000_000);
    let mut digits = [b'0'; 6];
    let mut rest = part;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    text.extend_from_slice(sign.as_bytes());
    let _ = write!(text, "{whole}.");
    text.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(number: u64, sent_us: Option<i64>) -> serde_json::Value {
        serde_json::from_slice(EventText::new(1).write(number, sent_us)).unwrap()
    }

    #[test]
    fn an_event_depends_on_its_number_and_seed_only() {
        let mut one_by_one = EventText::new(1);
        let texts: Vec<Vec<u8>> = (0..50).map(|n| one_by_one.write(n * 30_001, None).to_vec()).collect();
        for (n, text) in (0..).zip(&texts) {
            assert_eq!(EventText::new(1).write(n * 30_001, None), text);
        }
        assert_ne!(EventText::new(2).write(0, None), texts[0]);
    }

    #[test]
    fn an_event_has_every_field_of_the_schema() {
        let event = parsed(20_000 * 61 + 40, Some(17));
        for field in SCHEMA.split(", ").chain(["sent_us BIGINT"]) {
            let name = field.split(' ').next().unwrap();
            assert!(event.get(name).is_some(), "{name} in {event}");
        }
        assert_eq!(event.as_object().unwrap().len(), SCHEMA.split(", ").count() + 1);
        assert_eq!(event["ts"], "2026-01-01T00:01:01.002Z");
        assert_eq!(event["sent_us"], 17);
    }

    #[test]
    fn events_have_about_365_bytes() {
        let mut event = EventText::new(1);
        let mean = (1_000_000..1_010_000).map(|n| event.write(n, None).len()).sum::<usize>() as f64 / 10_000.0;
        assert!((355.0..375.0).contains(&mean), "{mean}");
    }

    #[test]
    fn features_are_standardised() {
        let values: Vec<f64> = (0..5_000).map(|n| parsed(n, None)["f7"].as_f64().unwrap()).collect();
        let mean = values.iter().sum::<f64>() / 5_000.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 5_000.0;
        assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.05, "mean {mean}, variance {variance}");
    }
}
