//! SQL Server's clocks as they travel on the wire, turned into [`Ticks`]. `None` is a value that no server should send.
//!
//! [MS-TDS] section 2.2.5.5.1.8, "Date/Times".

use etl_schemas::ticks::{PER_DAY, PER_SECOND, Ticks, days_from_civil};

/// `datetime`: days since 1900-01-01, from year 1753 on, and 1/300 s of the day, shown as SQL Server shows them: .000,
/// .003, .007.
pub(crate) fn datetime(days: i32, three_hundredths: u32) -> Option<Ticks> {
    let milliseconds = (i64::from(three_hundredths) * 10 + 1) / 3;
    let of_day = milliseconds * (PER_SECOND / 1000);
    let days = days.checked_add(days_from_civil(1900, 1, 1))?;
    let within = (days_from_civil(1753, 1, 1)..=days_from_civil(9999, 12, 31)).contains(&days);
    (within && three_hundredths < 300 * 86_400).then(|| Ticks::from_days(days, of_day))
}

/// `smalldatetime`: days since 1900-01-01 and minutes of the day.
pub(crate) fn smalldatetime(days: u16, minutes: u16) -> Option<Ticks> {
    let of_day = i64::from(minutes) * 60 * PER_SECOND;
    let days = i32::from(days) + days_from_civil(1900, 1, 1);
    (minutes < 24 * 60).then(|| Ticks::from_days(days, of_day))
}

/// `date`: days since 0001-01-01, to days since 1970-01-01.
pub(crate) fn date(days: u32) -> Option<i32> {
    let days = i32::try_from(days).ok()?.checked_add(days_from_civil(1, 1, 1))?;
    (days <= days_from_civil(9999, 12, 31)).then_some(days)
}

/// `time(n)`: steps of 10^-n s since midnight, to 100 ns steps.
pub(crate) fn time(steps: u64, scale: u8) -> Option<i64> {
    let factor = 10_u64.pow(u32::from(7_u8.checked_sub(scale)?));
    let ticks = i64::try_from(steps.checked_mul(factor)?).ok()?;
    (ticks < PER_DAY).then_some(ticks)
}

/// `datetime2(n)`: a date and a time.
pub(crate) fn datetime2(days: u32, steps: u64, scale: u8) -> Option<Ticks> {
    Some(Ticks::from_days(date(days)?, time(steps, scale)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(ticks: Option<Ticks>) -> String {
        ticks.map_or_else(|| "out of range".to_string(), |ticks| ticks.to_string())
    }

    #[test]
    fn datetime_rounds_its_three_hundredths_as_the_server_does() {
        assert_eq!(shown(datetime(0, 0)), "1900-01-01T00:00:00");
        assert_eq!(shown(datetime(0, 1)), "1900-01-01T00:00:00.003");
        assert_eq!(shown(datetime(0, 2)), "1900-01-01T00:00:00.007");
        assert_eq!(shown(datetime(0, 3)), "1900-01-01T00:00:00.010");
        assert_eq!(shown(datetime(-53_690, 0)), "1753-01-01T00:00:00");
        assert_eq!(shown(datetime(2_958_463, 25_919_999)), "9999-12-31T23:59:59.997");
        assert_eq!(datetime(2_958_464, 0), None);
        assert_eq!(datetime(i32::MAX, 0), None);
        assert_eq!(datetime(-53_691, 0), None);
        assert_eq!(datetime(0, 25_920_000), None);
    }

    #[test]
    fn the_other_clocks_reach_their_ends() {
        assert_eq!(shown(smalldatetime(0, 0)), "1900-01-01T00:00:00");
        assert_eq!(shown(smalldatetime(65_535, 1_439)), "2079-06-06T23:59:00");
        assert_eq!(smalldatetime(0, 1_440), None);
        assert_eq!(shown(datetime2(0, 0, 0)), "0001-01-01T00:00:00");
        assert_eq!(datetime2(3_652_058, 863_999_999_999, 7), Some(Ticks::MAX));
        assert_eq!(datetime2(3_652_059, 0, 0), None);
        assert_eq!(time(86_399, 0), Some(PER_DAY - PER_SECOND));
        assert_eq!(time(86_400, 0), None);
        assert_eq!(time(u64::MAX, 0), None);
        assert_eq!(time(0, 8), None);
    }
}
