//! The names of date parts: Postgres' and T-SQL's, which give other meanings to some letters.

use super::DatePart;

/// Postgres' names, for `EXTRACT`, `date_trunc` and intervals.
const POSTGRES: [(&str, DatePart); 56] = [
    ("millennium", DatePart::Millennium),
    ("millennia", DatePart::Millennium),
    ("century", DatePart::Century),
    ("centuries", DatePart::Century),
    ("decade", DatePart::Decade),
    ("decades", DatePart::Decade),
    ("year", DatePart::Year),
    ("years", DatePart::Year),
    ("yr", DatePart::Year),
    ("yrs", DatePart::Year),
    ("y", DatePart::Year),
    ("isoyear", DatePart::IsoYear),
    ("quarter", DatePart::Quarter),
    ("month", DatePart::Month),
    ("months", DatePart::Month),
    ("mon", DatePart::Month),
    ("mons", DatePart::Month),
    ("week", DatePart::Week),
    ("weeks", DatePart::Week),
    ("w", DatePart::Week),
    ("doy", DatePart::DayOfYear),
    ("day", DatePart::Day),
    ("days", DatePart::Day),
    ("d", DatePart::Day),
    ("dow", DatePart::DayOfWeek),
    ("isodow", DatePart::IsoDayOfWeek),
    ("hour", DatePart::Hour),
    ("hours", DatePart::Hour),
    ("hr", DatePart::Hour),
    ("hrs", DatePart::Hour),
    ("h", DatePart::Hour),
    ("minute", DatePart::Minute),
    ("minutes", DatePart::Minute),
    ("min", DatePart::Minute),
    ("mins", DatePart::Minute),
    ("m", DatePart::Minute),
    ("second", DatePart::Second),
    ("seconds", DatePart::Second),
    ("sec", DatePart::Second),
    ("secs", DatePart::Second),
    ("s", DatePart::Second),
    ("millisecond", DatePart::Millisecond),
    ("milliseconds", DatePart::Millisecond),
    ("msec", DatePart::Millisecond),
    ("msecs", DatePart::Millisecond),
    ("ms", DatePart::Millisecond),
    ("microsecond", DatePart::Microsecond),
    ("microseconds", DatePart::Microsecond),
    ("usec", DatePart::Microsecond),
    ("usecs", DatePart::Microsecond),
    ("us", DatePart::Microsecond),
    ("epoch", DatePart::Epoch),
    ("dec", DatePart::Decade),
    ("decs", DatePart::Decade),
    ("c", DatePart::Century),
    ("cent", DatePart::Century),
];

/// T-SQL's names, for DATEADD, DATEDIFF and DATEPART.
const TSQL: [(&str, DatePart); 30] = [
    ("year", DatePart::Year),
    ("yyyy", DatePart::Year),
    ("yy", DatePart::Year),
    ("quarter", DatePart::Quarter),
    ("qq", DatePart::Quarter),
    ("q", DatePart::Quarter),
    ("month", DatePart::Month),
    ("mm", DatePart::Month),
    ("m", DatePart::Month),
    ("dayofyear", DatePart::DayOfYear),
    ("dy", DatePart::DayOfYear),
    ("y", DatePart::DayOfYear),
    ("day", DatePart::Day),
    ("dd", DatePart::Day),
    ("d", DatePart::Day),
    ("week", DatePart::Week),
    ("wk", DatePart::Week),
    ("ww", DatePart::Week),
    ("hour", DatePart::Hour),
    ("hh", DatePart::Hour),
    ("minute", DatePart::Minute),
    ("mi", DatePart::Minute),
    ("n", DatePart::Minute),
    ("second", DatePart::Second),
    ("ss", DatePart::Second),
    ("s", DatePart::Second),
    ("millisecond", DatePart::Millisecond),
    ("ms", DatePart::Millisecond),
    ("microsecond", DatePart::Microsecond),
    ("mcs", DatePart::Microsecond),
];

/// Whose names of date parts are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartNames {
    /// Those of `EXTRACT`, `date_part`, `date_trunc` and intervals.
    Postgres,
    /// Those of `DATEADD`, `DATEDIFF` and `DATEPART`.
    Tsql,
}

impl PartNames {
    fn table(self) -> &'static [(&'static str, DatePart)] {
        match self {
            PartNames::Postgres => &POSTGRES,
            PartNames::Tsql => &TSQL,
        }
    }

    /// The part of this name, without regard to case.
    pub fn find(self, name: &str) -> Option<DatePart> {
        self.table().iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, part)| *part)
    }

    /// All names, for suggestions.
    pub fn all(self) -> impl Iterator<Item = &'static str> + Clone {
        self.table().iter().map(|(name, _)| *name)
    }
}

impl DatePart {
    /// By its name in an interval, which counts units only.
    pub fn interval_unit(name: &str) -> Option<DatePart> {
        PartNames::Postgres.find(name).filter(|part| part.is_unit() && *part != DatePart::Quarter)
    }
}
