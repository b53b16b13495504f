//! Days and civil dates in the proleptic Gregorian calendar, for the whole range of 64-bit microseconds.
//!
//! Algorithm: the year is taken to start in March, so the leap day comes last and a date is plain arithmetic on
//! 400-year eras of 146,097 days (H. Hinnant, "chrono-compatible low-level date algorithms").

/// Microseconds in a day.
pub(in super::super) const DAY_MICROS: i64 = 86_400_000_000;
/// Microseconds in a second.
pub(in super::super) const SECOND_MICROS: i64 = 1_000_000;

const ERA_DAYS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_OFFSET: i64 = 719_468;

/// Year, month (1 to 12) and day (1 to 31) of a day count from 1970-01-01.
pub(in super::super) fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + EPOCH_OFFSET;
    let era = shifted.div_euclid(ERA_DAYS);
    let day_of_era = shifted.rem_euclid(ERA_DAYS);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Day count from 1970-01-01 of a civil date.
pub(in super::super) fn days(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - EPOCH_OFFSET
}

/// Days in a month.
pub(in super::super) fn month_days(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// ISO weekday, 0 = Monday.
pub(in super::super) fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

/// Day of the year, from 1.
pub(in super::super) fn day_of_year(day: i64) -> i64 {
    let (year, _, _) = civil(day);
    day - days(year, 1, 1) + 1
}

/// ISO week number.
pub(in super::super) fn iso_week(day: i64) -> i64 {
    // The week belongs to the year of its Thursday.
    let thursday = day - weekday(day) + 3;
    (day_of_year(thursday) - 1) / 7 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_and_days_are_inverse_around_every_corner() {
        for day in (-800_000_i64..800_000).chain([-200_000_000, 200_000_000, -106_751_991, 106_751_991]) {
            let (year, month, d) = civil(day);
            assert_eq!(days(year, month, d), day);
            assert!((1..=month_days(year, month)).contains(&d));
        }
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(-1), (1969, 12, 31));
        assert_eq!(days(2024, 2, 29), 19_782);
    }

    #[test]
    fn weeks_follow_iso_8601() {
        for ((year, month, day), week) in
            [((2021, 1, 3), 53), ((2021, 1, 4), 1), ((2024, 12, 30), 1), ((2026, 12, 31), 53), ((1970, 1, 1), 1)]
        {
            assert_eq!(iso_week(days(year, month, day)), week, "{year}-{month}-{day}");
        }
        assert_eq!(weekday(0), 3);
    }
}
