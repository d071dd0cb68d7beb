//! Spans of time: months, days and a clock part, kept apart as in Postgres, because a month has no fixed number of days.

use std::cmp::Ordering;
use std::fmt;

use etl_schemas::ticks::{PER_DAY, PER_SECOND, Ticks, civil_from_days, days_from_civil};

use super::DatePart;

/// A span of time. Every part has a sign of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// Whole months; a year is twelve.
    pub months: i32,
    /// Whole days.
    pub days: i32,
    /// 100 ns steps.
    pub ticks: i64,
}

impl Interval {
    /// `count` units of one kind; `None` past the range of a part.
    pub fn of(unit: DatePart, count: i64) -> Option<Interval> {
        let months = |each: i64| {
            let months = i32::try_from(count.checked_mul(each)?).ok()?;
            Some(Interval { months, ..Interval::default() })
        };
        let days = |each: i64| {
            let days = i32::try_from(count.checked_mul(each)?).ok()?;
            Some(Interval { days, ..Interval::default() })
        };
        match unit {
            DatePart::Millennium => months(12_000),
            DatePart::Century => months(1_200),
            DatePart::Decade => months(120),
            DatePart::Year => months(12),
            DatePart::Quarter => months(3),
            DatePart::Month => months(1),
            DatePart::Week => days(7),
            DatePart::Day => days(1),
            clock => Some(Interval { ticks: count.checked_mul(clock.clock_ticks()?)?, ..Interval::default() }),
        }
    }

    /// The span between two times, whole days apart from the rest, as Postgres subtracts timestamps.
    pub fn between(from: Ticks, to: Ticks) -> Interval {
        let ticks = to.0 - from.0;
        // Both are within years 0001 to 9999, which are 3.7 million days.
        Interval { months: 0, days: (ticks / PER_DAY) as i32, ticks: ticks % PER_DAY }
    }

    /// The sum, part by part.
    pub fn checked_add(self, other: Interval) -> Option<Interval> {
        Some(Interval {
            months: self.months.checked_add(other.months)?,
            days: self.days.checked_add(other.days)?,
            ticks: self.ticks.checked_add(other.ticks)?,
        })
    }

    /// Every part as many times.
    pub fn checked_multiply(self, factor: i64) -> Option<Interval> {
        Some(Interval {
            months: i32::try_from(i64::from(self.months).checked_mul(factor)?).ok()?,
            days: i32::try_from(i64::from(self.days).checked_mul(factor)?).ok()?,
            ticks: self.ticks.checked_mul(factor)?,
        })
    }

    /// `time` moved by this span: first the months, where a day that the month doesn't have becomes its last one, then
    /// the days, then the clock part. `None` outside years 0001 to 9999.
    pub fn added_to(self, time: Ticks) -> Option<Ticks> {
        let (days, of_day) = time.to_days();
        let days = i64::from(months_later(days, self.months)?) + i64::from(self.days);
        let ticks = days.checked_mul(PER_DAY)?.checked_add(of_day)?.checked_add(self.ticks)?;
        Ticks(ticks).checked()
    }

    /// Postgres' order: a month counts as 30 days, a day as 24 hours.
    pub fn compare(self, other: Interval) -> Ordering {
        self.nominal_ticks().cmp(&other.nominal_ticks())
    }

    fn nominal_ticks(self) -> i128 {
        let days = i128::from(self.months) * 30 + i128::from(self.days);
        days * i128::from(PER_DAY) + i128::from(self.ticks)
    }
}

/// The day `months` later, or the last one of that month where it is shorter.
fn months_later(days: i32, months: i32) -> Option<i32> {
    if months == 0 {
        return Some(days);
    }
    let (year, month, day) = civil_from_days(days);
    let month = i64::from(year) * 12 + i64::from(month) - 1 + i64::from(months);
    let (year, month) = (i32::try_from(month.div_euclid(12)).ok()?, month.rem_euclid(12) as u32 + 1);
    if !(1..=9999).contains(&year) {
        return None;
    }
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let first = days_from_civil(year, month, 1);
    let length = days_from_civil(next.0, next.1, 1) - first;
    Some(first + (day as i32).min(length) - 1)
}

/// Postgres' default form, `1 year 2 mons -3 days +04:05:06.7`.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut is_zero, mut is_before) = (true, false);
        for (value, unit) in [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")] {
            if value == 0 {
                continue;
            }
            let gap = if is_zero { "" } else { " " };
            let sign = if is_before && value > 0 { "+" } else { "" };
            let plural = if value == 1 { "" } else { "s" };
            write!(f, "{gap}{sign}{value} {unit}{plural}")?;
            (is_zero, is_before) = (false, value < 0);
        }
        if self.ticks == 0 && !is_zero {
            return Ok(());
        }
        let gap = if is_zero { "" } else { " " };
        let sign = match self.ticks < 0 {
            true => "-",
            false if is_before => "+",
            false => "",
        };
        let (per_second, ticks) = (PER_SECOND.unsigned_abs(), self.ticks.unsigned_abs());
        let (seconds, fraction) = (ticks / per_second, ticks % per_second);
        write!(f, "{gap}{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        match fraction {
            0 => Ok(()),
            _ => {
                let digits = fraction.to_string();
                let zeros = "0".repeat(7 - digits.len());
                write!(f, ".{zeros}{}", digits.trim_end_matches('0'))
            }
        }
    }
}

/// Reads `1 day`, `2 years -3 mons`, `1 day 04:05:06.7`, `90 minutes ago`. Fractions are taken of weeks and shorter
/// units, whose length is fixed.
pub fn parse_interval(text: &str) -> Option<Interval> {
    let mut total = Interval::default();
    let mut words = text.split_ascii_whitespace().peekable();
    words.next_if_eq(&"@");
    words.peek()?;
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case("ago") {
            words.peek().is_none().then_some(())?;
            return total.checked_multiply(-1);
        }
        let part = match word.contains(':') {
            true => Interval { ticks: clock(word)?, ..Interval::default() },
            false => {
                // `1day` and `1 day` are the same.
                let split = word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len());
                let (number, name) = word.split_at(split);
                let name = if name.is_empty() { words.next() } else { Some(name) };
                quantity(number, DatePart::interval_unit(name?)?)?
            }
        };
        total = total.checked_add(part)?;
    }
    Some(total)
}

/// `number` of a unit, with its fraction carried into smaller ones.
fn quantity(number: &str, unit: DatePart) -> Option<Interval> {
    let (is_negative, digits) = signed(number);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) || whole.len() + fraction.len() == 0 {
        return None;
    }
    let mut sum = Interval::of(unit, if whole.is_empty() { 0 } else { whole.parse().ok()? })?;
    if fraction.bytes().any(|digit| digit != b'0') {
        let length = match unit {
            DatePart::Week => 7 * PER_DAY,
            DatePart::Day => PER_DAY,
            clock => clock.clock_ticks()?,
        };
        // Digits past the 15th of a week's fraction are below 100 ns.
        let digits = &fraction[..fraction.len().min(15)];
        let scaled = digits.parse::<i128>().ok()? * i128::from(length);
        let ticks = i64::try_from(scaled / 10i128.pow(digits.len() as u32)).ok()?;
        let days = (ticks / PER_DAY) as i32;
        sum = sum.checked_add(Interval { months: 0, days, ticks: ticks % PER_DAY })?;
    }
    sum.checked_multiply(if is_negative { -1 } else { 1 })
}

/// `[-]hh:mm[:ss[.fraction]]`, in ticks.
fn clock(text: &str) -> Option<i64> {
    let (is_negative, digits) = signed(text);
    let mut parts = digits.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
    if parts.next().is_some() || !hours.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (minutes, hours): (u8, i64) = (minutes.parse().ok()?, hours.parse().ok()?);
    let seconds = quantity(seconds, DatePart::Second)?.ticks;
    if minutes > 59 || !(0..60 * PER_SECOND).contains(&seconds) {
        return None;
    }
    let minutes = hours.checked_mul(60)?.checked_add(i64::from(minutes))?;
    let ticks = minutes.checked_mul(60 * PER_SECOND)?.checked_add(seconds)?;
    Some(if is_negative { -ticks } else { ticks })
}

fn signed(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_comes_back_in_postgres_form() {
        for (text, shown) in [
            ("1 day", "1 day"),
            ("1 year 14 mons", "2 years 2 mons"),
            ("-1 day 2 hours", "-1 days +02:00:00"),
            ("1.5 days", "1 day 12:00:00"),
            ("90 minutes ago", "-01:30:00"),
            ("100:00:00.0000001", "100:00:00.0000001"),
            ("1 mon -1 day", "1 mon -1 days"),
            ("0 days", "00:00:00"),
            ("@ 3 weeks", "21 days"),
        ] {
            assert_eq!(parse_interval(text).map(|interval| interval.to_string()).as_deref(), Some(shown), "{text}");
        }
        for wrong in
            ["", "x", "1", "1 blue moon", "1.5 months", "12:60", "1 day ago ago", "--1 day", "99999999999 days"]
        {
            assert_eq!(parse_interval(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_month_ends_on_its_own_last_day() {
        let at = |year, month, day| Ticks::from_days(days_from_civil(year, month, day), 7);
        let months = |count| Interval::of(DatePart::Month, count).unwrap();
        assert_eq!(months(1).added_to(at(2024, 1, 31)), Some(at(2024, 2, 29)));
        assert_eq!(months(-11).added_to(at(2024, 1, 31)), Some(at(2023, 2, 28)));
        assert_eq!(months(-1).added_to(Ticks::MIN), None);
        assert_eq!(months(i64::from(i32::MAX)).added_to(at(2024, 1, 1)), None);
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(text: String, spaced in "[-+]?[0-9:.]{0,30} ?(day|mon|us|ago|cent)?") {
            let _ = (parse_interval(&text), parse_interval(&spaced));
        }

        #[test]
        fn shown_intervals_are_read_back(months in -90_000..90_000, days in -9_000_000..9_000_000, ticks: i32) {
            let interval = Interval { months, days, ticks: i64::from(ticks) };
            prop_assert_eq!(parse_interval(&interval.to_string()), Some(interval));
        }
    }
}
