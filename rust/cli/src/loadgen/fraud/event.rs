//! A payment as the text of a record.

use std::io::Write;

use chrono::{Days, NaiveDate};

use super::simulation::{DAY, Payment};
use crate::loadgen::output::Format;

/// First line of a CSV file.
pub(crate) const CSV_HEADER: &str = "transaction_id,ts,customer_id,terminal_id,amount";

/// Writes payments as JSON objects or CSV lines, times as `yyyy-MM-dd HH:mm:ss`.
pub(crate) struct EventWriter {
    format: Format,
    start: NaiveDate,
    /// The day written last and its text: events come day by day.
    day: i64,
    date: String,
}

impl EventWriter {
    /// Events of a world whose day 0 is `start`.
    pub(crate) fn new(format: Format, start: NaiveDate) -> Self {
        Self { format, start, day: -1, date: String::new() }
    }

    /// Replaces the content of `text` by one event, without a line end.
    /// `sent_us` (microseconds since 1970) adds a last field of that name.
    pub(crate) fn write(&mut self, text: &mut Vec<u8>, id: usize, payment: &Payment, sent_us: Option<i64>) {
        self.turn_to(payment.day());
        text.clear();
        let Payment { customer, terminal, .. } = *payment;
        let (date, second) = (&self.date, payment.second % DAY);
        let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
        // Writing into memory cannot fail.
        let _ = match self.format {
            Format::Json => write!(
                text,
                r#"{{"transaction_id":{id},"ts":"{date} {h:02}:{m:02}:{s:02}","customer_id":{customer},"terminal_id":{terminal},"amount":"#
            ),
            Format::Csv => write!(text, "{id},{date} {h:02}:{m:02}:{s:02},{customer},{terminal},"),
        };
        write_amount(text, payment.amount);
        let _ = match (self.format, sent_us) {
            (Format::Json, None) => write!(text, "}}"),
            (Format::Json, Some(us)) => write!(text, r#","sent_us":{us}}}"#),
            (Format::Csv, None) => Ok(()),
            (Format::Csv, Some(us)) => write!(text, ",{us}"),
        };
    }

    fn turn_to(&mut self, day: i64) {
        if day != self.day {
            self.day = day;
            self.date = match self.start.checked_add_days(Days::new(day.unsigned_abs())) {
                Some(date) => date.format("%Y-%m-%d").to_string(),
                None => NaiveDate::MAX.format("%Y-%m-%d").to_string(),
            };
        }
    }
}

/// The shortest decimal text that reads back as the same double. Whole cents, nearly all amounts, take a short way:
/// `cents / 100` is rounded as a parser rounds the decimal text, so printing the cents is exact.
fn write_amount(text: &mut Vec<u8>, amount: f64) {
    let cents = (amount * 100.0).round();
    let _ = if cents / 100.0 == amount && (0.0..1e15).contains(&cents) {
        let cents = cents as u64;
        let (whole, part) = (cents / 100, cents % 100);
        if part % 10 == 0 { write!(text, "{whole}.{}", part / 10) } else { write!(text, "{whole}.{part:02}") }
    } else {
        write!(text, "{amount:?}")
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PAYMENT: Payment = Payment { second: DAY + 31, customer: 596, terminal: 3156, amount: 57.16, scenario: 0 };

    fn written(format: Format, sent_us: Option<i64>) -> String {
        let mut writer = EventWriter::new(format, NaiveDate::from_ymd_opt(2018, 4, 30).unwrap());
        let mut text = b"left over".to_vec();
        writer.write(&mut text, 7, &PAYMENT, sent_us);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn json_and_csv_hold_the_same_fields() {
        assert_eq!(
            written(Format::Json, None),
            r#"{"transaction_id":7,"ts":"2018-05-01 00:00:31","customer_id":596,"terminal_id":3156,"amount":57.16}"#
        );
        assert_eq!(written(Format::Csv, None), "7,2018-05-01 00:00:31,596,3156,57.16");
        assert_eq!(CSV_HEADER.split(',').count(), written(Format::Csv, None).split(',').count());
    }

    #[test]
    fn the_send_time_comes_last() {
        assert!(written(Format::Json, Some(1_700_000_000_000_001)).ends_with(r#","sent_us":1700000000000001}"#));
        assert!(written(Format::Csv, Some(5)).ends_with(",57.16,5"));
    }

    #[test]
    fn amounts_read_back_as_the_same_bits() {
        for (amount, wanted) in [
            (57.16, "57.16"),
            (146.0, "146.0"),
            (0.0, "0.0"),
            (0.05, "0.05"),
            (81.5, "81.5"),
            (85.64999999999999, "85.64999999999999"),
        ] {
            let mut text = Vec::new();
            write_amount(&mut text, amount);
            let text = String::from_utf8(text).unwrap();
            assert_eq!(text, wanted);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), f64::to_bits(amount));
        }
    }
}
