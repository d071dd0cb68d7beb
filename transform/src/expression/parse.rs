//! Dates and times from text, in ISO 8601 and in SQL's own form with a blank between date and time.

use etl_schemas::ticks::{PER_SECOND, Ticks, civil_from_days, days_from_civil};

/// Digits are taken from the front of the text.
struct Digits<'a> {
    rest: &'a [u8],
}

impl Digits<'_> {
    /// A number of `least` to `most` digits.
    fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let count = self.rest.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        Some(digits.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    }

    fn skip(&mut self, byte: u8) -> Option<()> {
        self.rest = self.rest.strip_prefix(&[byte])?;
        Some(())
    }

    fn date(&mut self) -> Option<i32> {
        let year = self.number(4, 4)?;
        let (month, day) = match self.skip(b'-') {
            Some(()) => {
                let month = self.number(1, 2)?;
                self.skip(b'-')?;
                (month, self.number(1, 2)?)
            }
            // `20140301`, which SQL Server reads alike in every language.
            None => (self.number(2, 2)?, self.number(2, 2)?),
        };
        if year == 0 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let (year, month, day) = (year as i32, month as u32, day as u32);
        let days = days_from_civil(year, month, day);
        // The 31st of a shorter month comes back as a day of the next one.
        (civil_from_days(days) == (year, month, day)).then_some(days)
    }

    /// Ticks of the day.
    fn time(&mut self) -> Option<i64> {
        let hour = self.number(1, 2)?;
        self.skip(b':')?;
        let minute = self.number(2, 2)?;
        let mut ticks = 0;
        if self.skip(b':').is_some() {
            let second = self.number(2, 2)?;
            if second > 59 {
                return None;
            }
            ticks = second * PER_SECOND;
            if self.skip(b'.').is_some() {
                let before = self.rest.len();
                let fraction = self.number(1, 7)?;
                ticks += fraction * 10i64.pow(7 - (before - self.rest.len()) as u32);
                // Digits past 100 ns are cut.
                while self.number(1, 9).is_some() {}
            }
        }
        (hour < 24 && minute < 60).then_some((hour * 60 + minute) * 60 * PER_SECOND + ticks)
    }

    fn timestamp(&mut self) -> Option<Ticks> {
        let days = self.date()?;
        if self.skip(b'T').is_none() && self.skip(b' ').is_none() {
            return Some(Ticks::from_days(days, 0));
        }
        Some(Ticks::from_days(days, self.time()?))
    }

    fn end<T>(&self, value: T) -> Option<T> {
        self.rest.is_empty().then_some(value)
    }
}

fn digits(text: &str) -> Digits<'_> {
    Digits { rest: text.trim().as_bytes() }
}

/// `2014-03-01`, also with a time behind it, which is cut; days since 1970-01-01.
pub fn parse_date(text: &str) -> Option<i32> {
    parse_timestamp(text).map(|ticks| ticks.to_days().0)
}

/// `12:30`, `12:30:00.1234567`; nanoseconds of the day.
pub fn parse_time(text: &str) -> Option<i64> {
    let mut digits = digits(text);
    let ticks = digits.time()?;
    digits.end(ticks * (1_000_000_000 / PER_SECOND))
}

/// `2014-03-01`, `20140301`, `2014-03-01 12:30:00.1234567`, `2014-03-01T12:30`.
pub fn parse_timestamp(text: &str) -> Option<Ticks> {
    let mut digits = digits(text);
    let ticks = digits.timestamp()?;
    digits.end(ticks)
}

/// A timestamp with an offset behind it: `Z`, `+02`, `+02:00`, `+0200`. Without one it is no instant.
pub fn parse_instant(text: &str) -> Option<Ticks> {
    let mut digits = digits(text);
    let wall = digits.timestamp()?;
    let _ = digits.skip(b' ');
    if digits.skip(b'Z').is_some() {
        return digits.end(wall);
    }
    let sign = match digits.skip(b'+') {
        Some(()) => 1,
        None => digits.skip(b'-').map(|()| -1)?,
    };
    let hours = digits.number(2, 2)?;
    let minutes = match digits.skip(b':') {
        Some(()) => digits.number(2, 2)?,
        None => digits.number(2, 2).unwrap_or(0),
    };
    let offset = sign * (hours * 60 + minutes) * 60 * PER_SECOND;
    // Postgres' limit; no zone is that far from Greenwich.
    (hours < 16 && minutes < 60).then_some(())?;
    digits.end(Ticks(wall.0 - offset).checked()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usual_forms_are_read_and_wrong_dates_refused() {
        let noon = Ticks::from_days(days_from_civil(2014, 2, 28), 12 * 3600 * PER_SECOND);
        assert_eq!(parse_timestamp("2014-02-28 12:00"), Some(noon));
        assert_eq!(parse_timestamp(" 2014-02-28T12:00:00.000 "), Some(noon));
        assert_eq!(parse_instant("2014-02-28 14:00+02"), Some(noon));
        assert_eq!(parse_instant("2014-02-28T12:00:00Z"), Some(noon));
        assert_eq!(parse_instant("2014-02-28T06:30:00-05:30"), Some(noon));
        assert_eq!(parse_timestamp("20140228 12:00"), Some(noon));
        assert_eq!(parse_instant("2014-02-28 12:00"), None);
        assert_eq!(parse_timestamp("2014-02-29"), None);
        assert_eq!(parse_timestamp("2014-13-01"), None);
        assert_eq!(parse_timestamp("2014-02-28 24:00"), None);
        assert_eq!(parse_date("0000-01-01"), None);
        assert_eq!(parse_time("23:59:59.5"), Some(86_399_500_000_000));
    }

    proptest! {
        #[test]
        fn text_of_any_instant_is_read_back(ticks in Ticks::MIN.0..=Ticks::MAX.0) {
            let mut text = String::new();
            super::super::write_text(&mut text, &super::super::Value::Instant(Ticks(ticks))).unwrap();
            prop_assert_eq!(parse_instant(&text), Some(Ticks(ticks)));
        }

        #[test]
        fn hostile_text_never_panics(text: String) {
            let _ = (parse_instant(&text), parse_time(&text), parse_date(&text));
        }
    }
}
