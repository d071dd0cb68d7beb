//! Parts of dates, times and intervals: `EXTRACT`, `date_trunc`, and T-SQL's `DATEDIFF`.
//!
//! Numbers and their scales are Postgres', whose source files `timestamp.c` and `date.c` are the reference; seconds
//! have a seventh digit where the value has one.

mod names;

pub use names::PartNames;

use etl_schemas::ticks::{PER_DAY, PER_SECOND, Ticks, civil_from_days, days_from_civil};

use super::{Interval, Value};
use crate::decimal::Decimal;

/// A part of a date or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are the names that SQL has for them")]
pub enum DatePart {
    Millennium,
    Century,
    Decade,
    Year,
    /// The year that the week of ISO 8601 belongs to.
    IsoYear,
    Quarter,
    Month,
    /// Of ISO 8601: week 1 has the year's first Thursday.
    Week,
    /// Day of the year, from 1.
    DayOfYear,
    Day,
    /// 0 is Sunday.
    DayOfWeek,
    /// 1 is Monday, 7 is Sunday.
    IsoDayOfWeek,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    /// Seconds since 1970-01-01.
    Epoch,
}

impl DatePart {
    /// Whether an interval can count it.
    pub fn is_unit(self) -> bool {
        use DatePart as P;
        !matches!(self, P::IsoYear | P::DayOfYear | P::DayOfWeek | P::IsoDayOfWeek | P::Epoch)
    }

    /// How long it is, for those that a day has whole numbers of.
    pub fn clock_ticks(self) -> Option<i64> {
        match self {
            DatePart::Hour => Some(3600 * PER_SECOND),
            DatePart::Minute => Some(60 * PER_SECOND),
            DatePart::Second => Some(PER_SECOND),
            DatePart::Millisecond => Some(PER_SECOND / 1_000),
            DatePart::Microsecond => Some(PER_SECOND / 1_000_000),
            _ => None,
        }
    }
}

/// A part of a date, a time, a timestamp, an instant (in UTC) or an interval; the compiler has checked that it has one.
pub(super) fn extract(part: DatePart, value: Value<'_>) -> Decimal {
    let epoch = |ticks: i128| fraction(ticks, PER_SECOND, 6);
    match (value, part) {
        (Value::Date(days), DatePart::Epoch) => Decimal::from_integer(i64::from(days) * 86_400),
        (Value::Date(days), part) => Decimal::from_integer(of_date(part, days)),
        (Value::Timestamp(ticks) | Value::Instant(ticks), DatePart::Epoch) => epoch(i128::from(ticks.0)),
        (Value::Timestamp(ticks) | Value::Instant(ticks), part) => {
            let (days, of_day) = ticks.to_days();
            of_clock(part, of_day).unwrap_or_else(|| Decimal::from_integer(of_date(part, days)))
        }
        (Value::Time(nanos), DatePart::Epoch) => epoch(i128::from(nanos / 100)),
        (Value::Time(nanos), part) => of_clock(part, nanos / 100).expect("the compiler takes parts of a clock only"),
        (Value::Interval(interval), DatePart::Epoch) => {
            // A year is 365.25 days, a month 30, as in Postgres.
            let days = i128::from(interval.months / 12) * 1461 + i128::from(interval.months % 12) * 120;
            let days = days + i128::from(interval.days) * 4;
            epoch(days * i128::from(PER_DAY / 4) + i128::from(interval.ticks))
        }
        (Value::Interval(interval), part) => {
            of_clock(part, interval.ticks).unwrap_or_else(|| Decimal::from_integer(of_interval(part, interval)))
        }
        (other, _) => unreachable!("the compiler checked that {other:?} has date parts"),
    }
}

/// `ticks` in units of `unit`, with as many digits as Postgres gives, or one more for a value that it can't hold.
fn fraction(ticks: i128, unit: i64, scale: u8) -> Decimal {
    let scale = if ticks % 10 == 0 { scale } else { scale + 1 };
    let digits = 10i128.pow(u32::from(scale));
    Decimal::new(ticks * digits / i128::from(unit), scale).expect("a time has fewer than 38 digits")
}

/// A part of the time of day, or of an interval's, whose hours don't end at 24.
fn of_clock(part: DatePart, ticks: i64) -> Option<Decimal> {
    let of_minute = i128::from(ticks % (60 * PER_SECOND));
    Some(match part {
        DatePart::Hour => Decimal::from_integer(ticks / (3600 * PER_SECOND)),
        DatePart::Minute => Decimal::from_integer(ticks / (60 * PER_SECOND) % 60),
        DatePart::Second => fraction(of_minute, PER_SECOND, 6),
        DatePart::Millisecond => fraction(of_minute, PER_SECOND / 1_000, 3),
        DatePart::Microsecond => fraction(of_minute, PER_SECOND / 1_000_000, 0),
        _ => return None,
    })
}

fn of_date(part: DatePart, days: i32) -> i64 {
    let (year, month, day) = civil_from_days(days);
    // 1970-01-01 was a Thursday.
    let iso_day_of_week = (days + 3).rem_euclid(7) + 1;
    // A week belongs to the year that its Thursday lies in.
    let thursday = days + 4 - iso_day_of_week;
    let iso_year = civil_from_days(thursday).0;
    i64::from(match part {
        DatePart::Millennium => (year + 999) / 1000,
        DatePart::Century => (year + 99) / 100,
        DatePart::Decade => year / 10,
        DatePart::Year => year,
        DatePart::IsoYear => iso_year,
        DatePart::Quarter => (month as i32 + 2) / 3,
        DatePart::Month => month as i32,
        DatePart::Week => (thursday - days_from_civil(iso_year, 1, 1)) / 7 + 1,
        DatePart::DayOfYear => days - days_from_civil(year, 1, 1) + 1,
        DatePart::Day => day as i32,
        DatePart::DayOfWeek => iso_day_of_week % 7,
        DatePart::IsoDayOfWeek => iso_day_of_week,
        other => unreachable!("the compiler refuses {other:?} of a date"),
    })
}

fn of_interval(part: DatePart, interval: Interval) -> i64 {
    let (years, months) = (interval.months / 12, interval.months % 12);
    i64::from(match part {
        DatePart::Millennium => years / 1000,
        DatePart::Century => years / 100,
        DatePart::Decade => years / 10,
        DatePart::Year => years,
        DatePart::Quarter => months / 3 + 1,
        DatePart::Month => months,
        DatePart::Day => interval.days,
        other => unreachable!("the compiler refuses {other:?} of an interval"),
    })
}

/// T-SQL's DATEPART, which cuts the fraction of a second.
pub(super) fn whole(part: DatePart, value: Value<'_>) -> i64 {
    let value = match value {
        Value::Timestamp(ticks) => Value::Timestamp(truncate(DatePart::Second, ticks)),
        Value::Instant(ticks) => Value::Instant(truncate(DatePart::Second, ticks)),
        Value::Time(nanos) => Value::Time(nanos - nanos % 1_000_000_000),
        other => other,
    };
    extract(part, value).to_integer().expect("parts from the year to the second fit a bigint")
}

/// The beginning of the part that `time` lies in.
pub(super) fn truncate(part: DatePart, time: Ticks) -> Ticks {
    if let Some(unit) = part.clock_ticks() {
        return Ticks(time.0.div_euclid(unit) * unit);
    }
    let days = time.to_days().0;
    let (year, month, _) = civil_from_days(days);
    let first_of = |year: i32, month: u32| days_from_civil(year, month, 1);
    let days = match part {
        DatePart::Millennium => first_of((year - 1) / 1000 * 1000 + 1, 1),
        DatePart::Century => first_of((year - 1) / 100 * 100 + 1, 1),
        // The first decade begins before the calendar does, with the year 0.
        DatePart::Decade => first_of((year / 10 * 10).max(1), 1),
        DatePart::Year => first_of(year, 1),
        DatePart::Quarter => first_of(year, (month - 1) / 3 * 3 + 1),
        DatePart::Month => first_of(year, month),
        DatePart::Week => days - (days + 3).rem_euclid(7),
        _ => days,
    };
    Ticks::from_days(days, 0)
}

/// T-SQL's DATEDIFF: how many beginnings of the part lie between two times. Its weeks begin on Sunday.
pub(super) fn boundaries(part: DatePart, from: Ticks, to: Ticks) -> i64 {
    let count = |number: &dyn Fn(Ticks) -> i64| number(to) - number(from);
    let months = |time: Ticks| {
        let (year, month, _) = civil_from_days(time.to_days().0);
        i64::from(year) * 12 + i64::from(month) - 1
    };
    match part {
        DatePart::Year => count(&|time| months(time) / 12),
        DatePart::Quarter => count(&|time| months(time) / 3),
        DatePart::Month => count(&months),
        DatePart::Week => count(&|time| i64::from(time.to_days().0 + 4).div_euclid(7)),
        DatePart::Day | DatePart::DayOfYear => count(&|time| i64::from(time.to_days().0)),
        clock => {
            let unit = clock.clock_ticks().expect("the compiler takes years to microseconds only");
            count(&|time| time.0.div_euclid(unit))
        }
    }
}
