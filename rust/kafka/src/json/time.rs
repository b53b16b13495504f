//! Dates and timestamps: `yyyy-MM-dd` and `yyyy-MM-dd'T'HH:mm:ss.SSS`, in the proleptic Gregorian calendar.

use std::io::Write;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A day, counted from 1970-01-01. A year beyond 9999 has a plus, one before 0 a minus, as Java writes them.
pub(super) fn push_date(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil(days);
    if (0..=9999).contains(&year) {
        push_two(out, year / 100);
        push_two(out, year % 100);
    } else {
        // Writing to a vector does not fail.
        let _ = write!(out, "{year:+05}");
    }
    out.push(b'-');
    push_two(out, month);
    out.push(b'-');
    push_two(out, day);
}

/// Microseconds since 1970, in UTC; what is below a millisecond is cut off, as `to_json` does by default.
pub(super) fn push_timestamp(out: &mut Vec<u8>, micros: i64) {
    push_date(out, micros.div_euclid(MICROS_PER_DAY));
    let millis = micros.rem_euclid(MICROS_PER_DAY) / 1000;
    let seconds = millis / 1000;
    out.push(b'T');
    push_two(out, seconds / 3600);
    out.push(b':');
    push_two(out, seconds / 60 % 60);
    out.push(b':');
    push_two(out, seconds % 60);
    out.push(b'.');
    let fraction = millis % 1000;
    out.push(b'0' + (fraction / 100) as u8);
    push_two(out, fraction % 100);
}

fn push_two(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&[b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
}

/// Year, month and day of a day number: Howard Hinnant's `civil_from_days`, years that begin in March.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}
