//! Dates and timestamps in the proleptic Gregorian calendar, years 0001 to 9999, at most microseconds, zone UTC.
//!
//! One grammar: `yyyy-MM-dd`, then `T`, `t` or a space, `HH:mm:ss`, perhaps `.` and digits (beyond six cut off), and
//! perhaps a zone: `Z`, `z`, `+hh:mm` or `-hh:mm`. No leap second: the time scale has no place for it.

use crate::decode::fault::{Fault, Parsed};
use crate::stage::RejectCode;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// 0001-01-01T00:00:00Z in microseconds since 1970.
const FIRST_MICROS: i64 = -62_135_596_800 * MICROS_PER_SECOND;
/// 9999-12-31T23:59:59.999999Z in microseconds since 1970.
const LAST_MICROS: i64 = 253_402_300_800 * MICROS_PER_SECOND - 1;

/// Days since 1970-01-01 of a text `yyyy-MM-dd`.
pub(in crate::decode) fn date(text: &[u8]) -> Parsed<i32> {
    match text.first_chunk::<10>() {
        Some(day) if text.len() == 10 => days(day).ok_or_else(not_a_date),
        _ => Err(not_a_date()),
    }
}

/// Microseconds since 1970-01-01T00:00:00Z; a text without a zone is in UTC.
pub(in crate::decode) fn instant(text: &[u8]) -> Parsed<i64> {
    let (wall, rest) = wall_clock(text).ok_or_else(not_an_instant)?;
    let offset_seconds = zone(rest).ok_or_else(not_an_instant)?;
    in_range(wall - offset_seconds * MICROS_PER_SECOND)
}

/// Microseconds since 1970-01-01 00:00:00 of a text without a zone.
pub(in crate::decode) fn wall(text: &[u8]) -> Parsed<i64> {
    match wall_clock(text) {
        Some((wall, [])) => Ok(wall),
        _ => Err(Fault::new(
            RejectCode::BadTimestamp,
            0,
            "expected {type}, found a string that is no timestamp without a zone",
        )),
    }
}

/// Microseconds of an epoch in milliseconds.
#[inline]
pub(in crate::decode) fn from_epoch_millis(millis: i64) -> Parsed<i64> {
    in_range(millis.saturating_mul(1_000))
}

/// The same microseconds, if they lie in the years 0001 to 9999.
#[inline]
pub(in crate::decode) fn in_range(micros: i64) -> Parsed<i64> {
    if (FIRST_MICROS..=LAST_MICROS).contains(&micros) {
        Ok(micros)
    } else {
        Err(Fault::new(RejectCode::OutOfRange, 0, "a timestamp outside the years 0001 to 9999"))
    }
}

/// The same days since 1970-01-01, if they lie in the years 0001 to 9999.
#[inline]
pub(in crate::decode) fn day_in_range(days: i32) -> Parsed<i32> {
    const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;
    if (FIRST_MICROS / MICROS_PER_DAY..=LAST_MICROS / MICROS_PER_DAY).contains(&i64::from(days)) {
        Ok(days)
    } else {
        Err(Fault::new(RejectCode::OutOfRange, 0, "a date outside the years 0001 to 9999"))
    }
}

#[cold]
fn not_a_date() -> Fault {
    Fault::new(RejectCode::BadTimestamp, 0, "expected {type}, found a string that is no date yyyy-MM-dd")
}

#[cold]
fn not_an_instant() -> Fault {
    Fault::new(RejectCode::BadTimestamp, 0, "expected {type}, found a string that is no timestamp")
}

/// The clock's reading in microseconds and what follows it.
#[inline]
fn wall_clock(text: &[u8]) -> Option<(i64, &[u8])> {
    let (day, rest) = text.split_first_chunk::<10>()?;
    let (clock, rest) = rest.split_first_chunk::<9>()?;
    let days = days(day)?;
    let &[b'T' | b't' | b' ', h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
    let (hour, minute, second) = (two(h1, h2)?, two(m1, m2)?, two(s1, s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (micros, rest) = match rest {
        [b'.', digits @ ..] => fraction(digits)?,
        _ => (0, rest),
    };
    let seconds = i64::from(days) * SECONDS_PER_DAY + i64::from(hour * 3600 + minute * 60 + second);
    Some((seconds * MICROS_PER_SECOND + micros, rest))
}

/// Microseconds of the digits after the point, and what follows them.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let micros =
        (0..6).fold(0, |micros, place| micros * 10 + if place < count { i64::from(text[place] - b'0') } else { 0 });
    Some((micros, &text[count..]))
}

/// Seconds east of UTC.
fn zone(text: &[u8]) -> Option<i64> {
    match *text {
        [] | [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (two(h1, h2)?, two(m1, m2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = i64::from(hours * 3600 + minutes * 60);
            Some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

#[inline(always)]
fn two(tens: u8, ones: u8) -> Option<i32> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    if tens > 9 || ones > 9 { None } else { Some(i32::from(tens) * 10 + i32::from(ones)) }
}

/// Days since 1970-01-01 of `yyyy-MM-dd`, or `None` where the calendar has no such day.
#[inline(always)]
fn days(text: &[u8; 10]) -> Option<i32> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let (month, day) = (two(m1, m2)?, two(d1, d2)?);
    if year == 0 || !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    Some(days_from_civil(year, month, day))
}

fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Howard Hinnant's `days_from_civil`: years begin in March, so the leap day comes last, and eras have 400 years.
#[inline(always)]
fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_day_from_0001_to_9999_follows_the_one_before() {
        let mut expected = i32::try_from(FIRST_MICROS / MICROS_PER_SECOND / SECONDS_PER_DAY).unwrap();
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=days_in_month(year, month) {
                    let text = format!("{year:04}-{month:02}-{day:02}");
                    assert_eq!(date(text.as_bytes()).unwrap(), expected, "{text}");
                    expected += 1;
                }
                let beyond = format!("{year:04}-{month:02}-{:02}", days_in_month(year, month) + 1);
                assert!(date(beyond.as_bytes()).is_err(), "{beyond}");
            }
        }
        assert_eq!(i64::from(expected) * SECONDS_PER_DAY * MICROS_PER_SECOND - 1, LAST_MICROS);
        assert_eq!(date(b"1970-01-01").unwrap(), 0);
    }

    #[test]
    fn all_accepted_forms_of_one_instant() {
        let expected = 1_795_370_400_123_456; // 2026-11-22T18:00:00.123456Z
        for text in [
            "2026-11-22T18:00:00.123456Z",
            "2026-11-22t18:00:00.123456z",
            "2026-11-22 18:00:00.123456",
            "2026-11-22T18:00:00.123456",
            "2026-11-22T18:00:00.123456999Z",
            "2026-11-22T19:30:00.123456+01:30",
            "2026-11-22T16:00:00.123456-02:00",
            "2026-11-22 18:00:00.123456-00:00",
            "2026-11-23T17:59:00.123456+23:59",
        ] {
            assert_eq!(instant(text.as_bytes()).unwrap(), expected, "{text}");
        }
        assert_eq!(instant(b"2026-11-22 18:00:00").unwrap(), 1_795_370_400_000_000);
        assert_eq!(instant(b"2026-11-22 18:00:00.5").unwrap(), 1_795_370_400_500_000);
        assert_eq!(instant(b"1969-12-31T23:59:59.999999Z").unwrap(), -1);
        assert_eq!(wall(b"1969-12-31T23:59:59.9999999").unwrap(), -1);
    }

    #[test]
    fn everything_else_is_no_timestamp() {
        for text in [
            "",
            "2026",
            "2026-11-22",
            "2026-11-22T18:00",
            "2026-11-22T18:00Z",
            "2026-11-22T18:00:60Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T18:60:00Z",
            "2026-02-29T00:00:00Z",
            "2100-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2026-11-22T18:00:00.Z",
            "2026-11-22T18:00:00,5Z",
            "2026-11-22T18:00:00+0100",
            "2026-11-22T18:00:00+01",
            "2026-11-22T18:00:00+24:00",
            "2026-11-22T18:00:00+01:60",
            "2026-11-22T18:00:00 Z",
            " 2026-11-22T18:00:00Z",
            "2026-11-22T18:00:00Z ",
            "2026-11-22_18:00:00",
            "2026/11/22 18:00:00",
            "22-11-2026 18:00:00",
            "+2026-11-22T18:00:00Z",
            "2026-11-22T18:00:00[UTC]",
            "2026-11-22T1８:00:00Z",
        ] {
            assert_eq!(instant(text.as_bytes()).unwrap_err().code(), RejectCode::BadTimestamp, "{text:?}");
        }
        assert_eq!(wall(b"2026-11-22T18:00:00Z").unwrap_err().code(), RejectCode::BadTimestamp);
        for text in ["2026-11-22 ", "2026-1-2", "2026-02-30", "20261122", "2026-11-22T00:00:00"] {
            assert_eq!(date(text.as_bytes()).unwrap_err().code(), RejectCode::BadTimestamp, "{text:?}");
        }
    }

    #[test]
    fn the_range_is_closed_at_both_ends() {
        assert_eq!(instant(b"0001-01-01T00:00:00Z").unwrap(), FIRST_MICROS);
        assert_eq!(instant(b"9999-12-31T23:59:59.999999Z").unwrap(), LAST_MICROS);
        for text in ["0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"] {
            assert_eq!(instant(text.as_bytes()).unwrap_err().code(), RejectCode::OutOfRange, "{text}");
        }
        assert_eq!(from_epoch_millis(FIRST_MICROS / 1000).unwrap(), FIRST_MICROS);
        for millis in [FIRST_MICROS / 1000 - 1, LAST_MICROS / 1000 + 1, i64::MAX, i64::MIN] {
            assert_eq!(from_epoch_millis(millis).unwrap_err().code(), RejectCode::OutOfRange, "{millis}");
        }
    }
}
