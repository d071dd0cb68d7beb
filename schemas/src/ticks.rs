//! Points in time as one integer: 100 ns steps since 1970-01-01T00:00:00.
//!
//! SQL Server's finest clock is 100 ns, and years 0001 to 9999 in such steps fit an `i64` (the largest is 2.5e17), so
//! one integer orders, subtracts and encodes every date and time of a dump without loss. What zone the clock shows is
//! the column's business: a legacy `datetime` is a wall clock, an event's `occurred_at` is UTC.

use std::fmt;

/// Steps in a second.
pub const PER_SECOND: i64 = 10_000_000;
/// Steps in a day.
pub const PER_DAY: i64 = 86_400 * PER_SECOND;

/// 100 ns steps since 1970-01-01T00:00:00. Ordered as time is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(pub i64);

impl Ticks {
    /// 0001-01-01T00:00:00, the earliest that SQL Server and protobuf's Timestamp know.
    pub const MIN: Ticks = Ticks(-62_135_596_800 * PER_SECOND);
    /// 9999-12-31T23:59:59.9999999, the latest.
    pub const MAX: Ticks = Ticks(253_402_300_800 * PER_SECOND - 1);

    /// From the two fields of a `google.protobuf.Timestamp`; `None` outside years 0001 to 9999 or for invalid nanos.
    /// Nanoseconds below 100 are cut.
    pub fn from_timestamp(seconds: i64, nanos: i32) -> Option<Ticks> {
        if !(0..1_000_000_000).contains(&nanos) {
            return None;
        }
        let ticks = seconds.checked_mul(PER_SECOND)?.checked_add(i64::from(nanos) / 100)?;
        Ticks(ticks).checked()
    }

    /// Seconds and nanoseconds as `google.protobuf.Timestamp` wants them: nanos count forward, 0 to 999,999,900.
    pub fn to_timestamp(self) -> (i64, i32) {
        let nanos = self.0.rem_euclid(PER_SECOND) * 100;
        (self.0.div_euclid(PER_SECOND), nanos as i32)
    }

    /// Itself when it lies within years 0001 to 9999.
    pub fn checked(self) -> Option<Ticks> {
        (Ticks::MIN..=Ticks::MAX).contains(&self).then_some(self)
    }

    /// Days since 1970-01-01 and steps within the day.
    pub fn to_days(self) -> (i32, i64) {
        (self.0.div_euclid(PER_DAY) as i32, self.0.rem_euclid(PER_DAY))
    }

    /// From days since 1970-01-01 and steps within the day.
    pub fn from_days(days: i32, ticks_of_day: i64) -> Ticks {
        Ticks(i64::from(days) * PER_DAY + ticks_of_day)
    }
}

/// ISO 8601 without a zone, `2014-03-01T12:30:00.1234567`, trailing zeros of the fraction cut as whole triples are
/// in protobuf's JSON mapping (none, 3, 6 or 9 digits).
impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, of_day) = self.to_days();
        let (year, month, day) = civil_from_days(days);
        let (seconds, nanos) = (of_day / PER_SECOND, of_day % PER_SECOND * 100);
        write!(f, "{year:04}-{month:02}-{day:02}T")?;
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        match nanos {
            0 => Ok(()),
            n if n % 1_000_000 == 0 => write!(f, ".{:03}", n / 1_000_000),
            n if n % 1_000 == 0 => write!(f, ".{:06}", n / 1_000),
            n => write!(f, ".{n:09}"),
        }
    }
}

/// Year, month and day of a day number (days since 1970-01-01) in the proleptic Gregorian calendar.
///
/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
pub fn civil_from_days(days: i32) -> (i32, u32, u32) {
    let shifted = i64::from(days) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u32, day as u32)
}

/// Day number (days since 1970-01-01) of a proleptic Gregorian date; the inverse of [`civil_from_days`].
pub fn days_from_civil(year: i32, month: u32, day: u32) -> i32 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_calendar_print_and_convert() {
        assert_eq!(Ticks::MIN.to_string(), "0001-01-01T00:00:00");
        assert_eq!(Ticks::MAX.to_string(), "9999-12-31T23:59:59.999999900");
        assert_eq!(Ticks::from_timestamp(-62_135_596_800, 0), Some(Ticks::MIN));
        assert_eq!(Ticks::from_timestamp(-62_135_596_801, 0), None);
        assert_eq!(Ticks::MAX.to_timestamp(), (253_402_300_799, 999_999_900));
    }

    #[test]
    fn time_before_the_epoch_counts_nanoseconds_forward() {
        assert_eq!(Ticks(-1).to_timestamp(), (-1, 999_999_900));
        assert_eq!(Ticks::from_timestamp(-1, 999_999_900), Some(Ticks(-1)));
    }

    #[test]
    fn every_day_of_ten_thousand_years_comes_back() {
        let first = days_from_civil(1, 1, 1);
        assert_eq!(civil_from_days(first), (1, 1, 1));
        let mut previous = (0, 12, 31);
        for day in first..=days_from_civil(9999, 12, 31) {
            let civil = civil_from_days(day);
            assert!(civil > previous, "{civil:?} follows {previous:?}");
            assert_eq!(days_from_civil(civil.0, civil.1, civil.2), day);
            previous = civil;
        }
        assert_eq!(days_from_civil(1970, 1, 1), 0);
    }
}
