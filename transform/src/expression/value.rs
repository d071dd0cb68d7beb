//! Values and their types.

use std::cmp::Ordering;
use std::fmt;

use etl_schemas::ticks::{PER_DAY, PER_SECOND, Ticks, civil_from_days};
use uuid::Uuid;

use super::Interval;
use crate::decimal::Decimal;

/// The type of an expression. All integers of SQL Server are one type of 64 bits here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the variants are the names that `Display` shows")]
pub enum Type {
    /// The literal NULL, which fits everywhere.
    Null,
    Bool,
    Integer,
    Decimal,
    Double,
    Text,
    Bytes,
    Uuid,
    Date,
    Time,
    /// A wall-clock time without a zone.
    Timestamp,
    /// A point in time: `timestamp with time zone`, `datetimeoffset`.
    Instant,
    /// A span of time.
    Interval,
}

impl Type {
    /// Whether arithmetic takes it.
    pub fn is_numeric(self) -> bool {
        matches!(self, Type::Integer | Type::Decimal | Type::Double)
    }

    /// Whether it is a date, a time or a span of time.
    pub fn is_temporal(self) -> bool {
        matches!(self, Type::Date | Type::Time | Type::Timestamp | Type::Instant | Type::Interval)
    }
}

impl Type {
    /// Its name as CAST writes it.
    pub fn name(self) -> &'static str {
        match self {
            Type::Null => "NULL",
            Type::Bool => "boolean",
            Type::Integer => "bigint",
            Type::Decimal => "decimal",
            Type::Double => "double precision",
            Type::Text => "text",
            Type::Bytes => "bytea",
            Type::Uuid => "uuid",
            Type::Date => "date",
            Type::Time => "time",
            Type::Timestamp => "timestamp without time zone",
            Type::Instant => "timestamp with time zone",
            Type::Interval => "interval",
        }
    }

    /// Its name in a sentence: `a bigint`, `an interval`.
    pub fn with_article(self) -> String {
        let article = if self == Type::Interval { "an" } else { "a" };
        format!("{article} {self}")
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A UUID as two big-endian halves. Sixteen bytes would lie unaligned behind a value's tag, and copying them there
/// took a quarter of all evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UuidValue(u64, u64);

impl UuidValue {
    /// Its sixteen bytes, in RFC 9562's order.
    pub fn to_bytes(self) -> [u8; 16] {
        Uuid::from(self).into_bytes()
    }

    /// Its text in small letters with hyphens. Most events carry several, so eight digits are made at a time.
    pub fn to_text(self) -> [u8; 36] {
        let (first, second) = (digits((self.0 >> 32) as u32), digits(self.0 as u32));
        let (third, fourth) = (digits((self.1 >> 32) as u32), digits(self.1 as u32));
        let mut text = [b'-'; 36];
        text[..8].copy_from_slice(&first);
        text[9..13].copy_from_slice(&second[..4]);
        text[14..18].copy_from_slice(&second[4..]);
        text[19..23].copy_from_slice(&third[..4]);
        text[24..28].copy_from_slice(&third[4..]);
        text[28..].copy_from_slice(&fourth);
        text
    }
}

/// The eight hexadecimal digits of a number: its nibbles are spread to a byte each, and all become digits at once.
#[inline]
fn digits(number: u32) -> [u8; 8] {
    let halves = u64::from(number >> 16) << 32 | u64::from(number & 0xffff);
    let bytes = (halves << 8 | halves) & 0x00ff_00ff_00ff_00ff;
    let nibbles = (bytes << 4 | bytes) & 0x0f0f_0f0f_0f0f_0f0f;
    // Nibbles from ten on get the distance from '9' to 'a'.
    let letters = (nibbles + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101;
    (nibbles + 0x3030_3030_3030_3030 + letters * 39).to_be_bytes()
}

impl From<Uuid> for UuidValue {
    #[inline]
    fn from(uuid: Uuid) -> UuidValue {
        let (high, low) = uuid.as_u64_pair();
        UuidValue(high, low)
    }
}

impl From<UuidValue> for Uuid {
    #[inline]
    fn from(value: UuidValue) -> Uuid {
        Uuid::from_u64_pair(value.0, value.1)
    }
}

/// A value; text and bytes are borrowed from the row, the program or the row's arena. Equality is that of its form;
/// SQL's is [`Value::compare`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the variants are those of `Type`")]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Decimal(Decimal),
    Double(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Uuid(UuidValue),
    /// Days since 1970-01-01.
    Date(i32),
    /// Nanoseconds of the day.
    Time(i64),
    Timestamp(Ticks),
    Instant(Ticks),
    Interval(Interval),
}

impl Value<'_> {
    /// Whether it is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Its type.
    pub fn type_of(&self) -> Type {
        match self {
            Value::Null => Type::Null,
            Value::Bool(_) => Type::Bool,
            Value::Integer(_) => Type::Integer,
            Value::Decimal(_) => Type::Decimal,
            Value::Double(_) => Type::Double,
            Value::Text(_) => Type::Text,
            Value::Bytes(_) => Type::Bytes,
            Value::Uuid(_) => Type::Uuid,
            Value::Date(_) => Type::Date,
            Value::Time(_) => Type::Time,
            Value::Timestamp(_) => Type::Timestamp,
            Value::Instant(_) => Type::Instant,
            Value::Interval(_) => Type::Interval,
        }
    }

    /// The same value, if it borrows nothing.
    #[inline]
    pub fn without_memory(&self) -> Option<Value<'static>> {
        Some(match *self {
            Value::Text(_) | Value::Bytes(_) => return None,
            Value::Null => Value::Null,
            Value::Bool(value) => Value::Bool(value),
            Value::Integer(value) => Value::Integer(value),
            Value::Decimal(value) => Value::Decimal(value),
            Value::Double(value) => Value::Double(value),
            Value::Uuid(value) => Value::Uuid(value),
            Value::Date(value) => Value::Date(value),
            Value::Time(value) => Value::Time(value),
            Value::Timestamp(value) => Value::Timestamp(value),
            Value::Instant(value) => Value::Instant(value),
            Value::Interval(value) => Value::Interval(value),
        })
    }

    /// Whether two values of one type are equal as [`compare`](Self::compare) has it; `None` when one of them is NULL.
    #[inline]
    pub fn equals(&self, other: &Value<'_>) -> Option<bool> {
        match (self, other) {
            (Value::Integer(left), Value::Integer(right)) => Some(left == right),
            // Of different length is told without a look at the bytes.
            (Value::Text(left), Value::Text(right)) => Some(left == right),
            (left, right) => left.compare(right).map(Ordering::is_eq),
        }
    }

    /// The order of two values of one type; `None` when one of them is NULL. Text is ordered by its bytes, as in
    /// Postgres' collation "C"; NaN is equal to itself and above all other numbers, as in Postgres.
    pub fn compare(&self, other: &Value<'_>) -> Option<Ordering> {
        Some(match (self, other) {
            (Value::Null, _) | (_, Value::Null) => return None,
            (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
            (Value::Integer(left), Value::Integer(right)) => left.cmp(right),
            (Value::Decimal(left), Value::Decimal(right)) => left.compare(*right),
            (Value::Double(left), Value::Double(right)) => {
                left.partial_cmp(right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
            }
            (Value::Text(left), Value::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
            (Value::Bytes(left), Value::Bytes(right)) => left.cmp(right),
            (Value::Uuid(left), Value::Uuid(right)) => left.cmp(right),
            (Value::Date(left), Value::Date(right)) => left.cmp(right),
            (Value::Time(left), Value::Time(right)) => left.cmp(right),
            (Value::Timestamp(left), Value::Timestamp(right)) => left.cmp(right),
            (Value::Instant(left), Value::Instant(right)) => left.cmp(right),
            (Value::Interval(left), Value::Interval(right)) => left.compare(*right),
            (left, right) => {
                unreachable!("the compiler brings both sides to one type, not {left:?} and {right:?}")
            }
        })
    }
}

/// Writes a value's text as Postgres' CAST to text does, with up to seven digits of the second; nothing for NULL.
/// Instants are shown in UTC.
pub fn write_text(out: &mut impl fmt::Write, value: &Value<'_>) -> fmt::Result {
    match value {
        Value::Null => Ok(()),
        Value::Bool(value) => out.write_str(if *value { "true" } else { "false" }),
        Value::Integer(value) => write!(out, "{value}"),
        Value::Decimal(value) => write!(out, "{value}"),
        Value::Double(value) => write_double(out, *value),
        Value::Text(value) => out.write_str(value),
        Value::Bytes(value) => {
            out.write_str("\\x")?;
            value.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
        }
        Value::Uuid(value) => write!(out, "{}", Uuid::from(*value).hyphenated()),
        Value::Date(days) => write_date(out, *days),
        Value::Time(nanos) => write_time(out, *nanos),
        Value::Timestamp(ticks) => write_timestamp(out, *ticks),
        Value::Instant(ticks) => {
            write_timestamp(out, *ticks)?;
            out.write_str("+00")
        }
        Value::Interval(interval) => write!(out, "{interval}"),
    }
}

fn write_date(out: &mut impl fmt::Write, days: i32) -> fmt::Result {
    let (year, month, day) = civil_from_days(days);
    write!(out, "{year:04}-{month:02}-{day:02}")
}

fn write_time(out: &mut impl fmt::Write, nanos: i64) -> fmt::Result {
    let seconds = nanos / 1_000_000_000;
    write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
    let (mut fraction, mut width) = (nanos % 1_000_000_000, 9);
    if fraction == 0 {
        return Ok(());
    }
    while fraction % 10 == 0 {
        fraction /= 10;
        width -= 1;
    }
    write!(out, ".{fraction:0width$}")
}

fn write_timestamp(out: &mut impl fmt::Write, ticks: Ticks) -> fmt::Result {
    let (days, of_day) = ticks.to_days();
    debug_assert!((0..PER_DAY).contains(&of_day));
    write_date(out, days)?;
    out.write_char(' ')?;
    write_time(out, of_day * (1_000_000_000 / PER_SECOND))
}

/// The shortest digits that read back as the same double; with an exponent below 1e-4 and from 1e15 on, as Postgres
/// writes it.
fn write_double(out: &mut impl fmt::Write, value: f64) -> fmt::Result {
    if value.is_nan() {
        return out.write_str("NaN");
    }
    if value.is_infinite() {
        return out.write_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
    let magnitude = value.abs();
    if magnitude == 0.0 || (1e-4..1e15).contains(&magnitude) {
        return write!(out, "{value}");
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    write!(out, "{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn uuids_are_written_as_by_their_crate(bytes: [u8; 16]) {
            let uuid = Uuid::from_bytes(bytes);
            prop_assert_eq!(UuidValue::from(uuid).to_text().to_vec(), uuid.hyphenated().to_string().into_bytes());
        }
    }

    #[test]
    fn values_and_results_take_three_words() {
        assert_eq!([size_of::<Value<'_>>(), size_of::<super::super::Evaluated<Value<'_>>>()], [24, 24]);
    }

    #[test]
    fn text_is_that_of_postgres() {
        let shown = |value: Value<'_>| {
            let mut text = String::new();
            write_text(&mut text, &value).unwrap();
            text
        };
        assert_eq!(shown(Value::Double(1.0)), "1");
        assert_eq!(shown(Value::Double(1e15)), "1e+15");
        assert_eq!(shown(Value::Double(123456789012345.0)), "123456789012345");
        assert_eq!(shown(Value::Double(0.00001)), "1e-05");
        assert_eq!(shown(Value::Double(-0.5)), "-0.5");
        assert_eq!(shown(Value::Bytes(&[0, 255])), "\\x00ff");
        assert_eq!(shown(Value::Timestamp(Ticks(1_234_567))), "1970-01-01 00:00:00.1234567");
        assert_eq!(shown(Value::Instant(Ticks::MIN)), "0001-01-01 00:00:00+00");
        assert_eq!(shown(Value::Time(86_399_000_000_000)), "23:59:59");
        assert_eq!(shown(Value::Bool(true)), "true");
    }
}
