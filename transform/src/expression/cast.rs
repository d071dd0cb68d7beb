//! CAST: which types convert into which, and how. Rules and text forms are Postgres'.

use bumpalo::Bump;
use bumpalo::collections::String as ArenaString;
use etl_schemas::ticks::{PER_DAY, PER_SECOND, Ticks};
use uuid::Uuid;

use super::parse::{parse_date, parse_instant, parse_time, parse_timestamp};
use super::{Interval, Type, Value, parse_interval, write_text};
use crate::decimal::{Decimal, DecimalError};

/// What a CAST converts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are SQL's own names")]
pub enum CastTarget {
    Bool,
    /// Of this width in bits, 8 (unsigned, SQL Server's tinyint), 16, 32 or 64.
    Integer(u8),
    /// With precision and scale, or as it comes.
    Decimal(Option<(u8, u8)>),
    Double,
    /// Cut to this number of characters.
    Text(Option<u32>),
    Uuid,
    Date,
    Time,
    Timestamp,
    Instant,
    Interval,
}

impl CastTarget {
    /// The type of the result.
    pub fn result(self) -> Type {
        match self {
            CastTarget::Bool => Type::Bool,
            CastTarget::Integer(_) => Type::Integer,
            CastTarget::Decimal(_) => Type::Decimal,
            CastTarget::Double => Type::Double,
            CastTarget::Text(_) => Type::Text,
            CastTarget::Uuid => Type::Uuid,
            CastTarget::Date => Type::Date,
            CastTarget::Time => Type::Time,
            CastTarget::Timestamp => Type::Timestamp,
            CastTarget::Instant => Type::Instant,
            CastTarget::Interval => Type::Interval,
        }
    }

    /// Whether a value of type `from` converts at all.
    pub fn takes(self, from: Type) -> bool {
        use Type as T;
        if from == T::Null || from == T::Text || from == self.result() {
            return true;
        }
        match self {
            CastTarget::Text(_) => true,
            CastTarget::Bool => from == T::Integer,
            CastTarget::Integer(_) => matches!(from, T::Bool | T::Decimal | T::Double),
            CastTarget::Decimal(_) => matches!(from, T::Integer | T::Double | T::Bool),
            CastTarget::Double => matches!(from, T::Integer | T::Decimal),
            CastTarget::Date => from == T::Timestamp,
            CastTarget::Time => matches!(from, T::Timestamp | T::Interval),
            CastTarget::Timestamp => from == T::Date,
            CastTarget::Uuid | CastTarget::Instant => false,
            CastTarget::Interval => from == T::Time,
        }
    }

    /// Converts a value whose type [`CastTarget::takes`]; `None` when this value doesn't convert, which TRY_CAST asks for
    /// row by row, so that no error is made for it.
    pub(super) fn convert<'a>(self, value: Value<'a>, arena: &'a Bump) -> Option<Value<'a>> {
        Some(match (self, value) {
            (_, Value::Null) => Value::Null,
            (CastTarget::Text(length), value) => Value::Text(cut(text_of(value, arena), length)),
            (CastTarget::Integer(bits), value) => {
                let integer = to_integer(value)?;
                Value::Integer(fits(integer, bits)?)
            }
            (CastTarget::Decimal(shape), value) => {
                let decimal = to_decimal(value)?;
                Value::Decimal(shaped(decimal, shape).ok()?)
            }
            (CastTarget::Bool, Value::Integer(value)) => Value::Bool(value != 0),
            (CastTarget::Bool, Value::Text(text)) => Value::Bool(parse_bool(text)?),
            (CastTarget::Double, Value::Integer(value)) => Value::Double(value as f64),
            (CastTarget::Double, Value::Decimal(value)) => Value::Double(value.to_double()),
            (CastTarget::Double, Value::Text(text)) => Value::Double(parse_double(text)?),
            (CastTarget::Uuid, Value::Text(text)) => Value::Uuid(Uuid::try_parse(text.trim()).ok()?.into()),
            (CastTarget::Date, Value::Timestamp(ticks)) => Value::Date(ticks.to_days().0),
            (CastTarget::Date, Value::Text(text)) => Value::Date(parse_date(text)?),
            (CastTarget::Time, Value::Timestamp(ticks)) => {
                Value::Time(ticks.to_days().1 * (1_000_000_000 / PER_SECOND))
            }
            (CastTarget::Time, Value::Text(text)) => Value::Time(parse_time(text)?),
            (CastTarget::Timestamp, Value::Date(days)) => Value::Timestamp(Ticks::from_days(days, 0)),
            (CastTarget::Timestamp, Value::Text(text)) => Value::Timestamp(parse_timestamp(text)?),
            (CastTarget::Instant, Value::Text(text)) => Value::Instant(parse_instant(text)?),
            (CastTarget::Time, Value::Interval(interval)) => {
                Value::Time(interval.ticks.rem_euclid(PER_DAY) * (1_000_000_000 / PER_SECOND))
            }
            (CastTarget::Interval, Value::Time(nanos)) => {
                Value::Interval(Interval { ticks: nanos / (1_000_000_000 / PER_SECOND), ..Interval::default() })
            }
            (CastTarget::Interval, Value::Text(text)) => Value::Interval(parse_interval(text)?),
            (_, same) => same,
        })
    }
}

/// A value's text; text itself is not copied.
pub(super) fn text_of<'a>(value: Value<'a>, arena: &'a Bump) -> &'a str {
    match value {
        Value::Text(text) => text,
        other => {
            let mut text = ArenaString::new_in(arena);
            write_text(&mut text, &other).expect("an arena's string takes everything");
            text.into_bump_str()
        }
    }
}

fn cut(text: &str, length: Option<u32>) -> &str {
    let end = length.and_then(|length| text.char_indices().nth(length as usize));
    end.map_or(text, |(at, _)| &text[..at])
}

fn to_integer(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Integer(value) => Some(value),
        Value::Bool(value) => Some(i64::from(value)),
        Value::Decimal(value) => value.to_integer(),
        // Postgres rounds halves of a double to even. 2^63 is the first that doesn't fit.
        Value::Double(value) => {
            let rounded = value.round_ties_even();
            (-9.223372036854776e18..9.223372036854776e18).contains(&rounded).then_some(rounded as i64)
        }
        Value::Text(text) => text.trim().parse().ok(),
        other => unreachable!("the compiler refuses a cast of {other:?} to an integer"),
    }
}

fn fits(value: i64, bits: u8) -> Option<i64> {
    let fits = match bits {
        8 => u8::try_from(value).is_ok(),
        16 => i16::try_from(value).is_ok(),
        32 => i32::try_from(value).is_ok(),
        _ => true,
    };
    fits.then_some(value)
}

fn to_decimal(value: Value<'_>) -> Option<Decimal> {
    match value {
        Value::Decimal(value) => Some(value),
        Value::Integer(value) => Some(Decimal::from_integer(value)),
        Value::Bool(value) => Some(Decimal::from_integer(i64::from(value))),
        Value::Double(value) => Decimal::from_double(value).ok(),
        Value::Text(text) => Decimal::parse(text).ok(),
        other => unreachable!("the compiler refuses a cast of {other:?} to a decimal"),
    }
}

fn shaped(decimal: Decimal, shape: Option<(u8, u8)>) -> Result<Decimal, DecimalError> {
    let Some((precision, scale)) = shape else { return Ok(decimal) };
    let decimal = decimal.rescale(scale)?;
    match decimal.integer_digits() + u32::from(scale) <= u32::from(precision) {
        true => Ok(decimal),
        false => Err(DecimalError::Overflow),
    }
}

/// What Postgres takes for a boolean: the words and their beginnings, as far as they are unambiguous.
fn parse_bool(text: &str) -> Option<bool> {
    let word = text.trim().to_ascii_lowercase();
    let begins = |full: &str, least: usize| word.len() >= least && full.starts_with(&word);
    if word == "1" || begins("true", 1) || begins("yes", 1) || begins("on", 2) {
        return Some(true);
    }
    (word == "0" || begins("false", 1) || begins("no", 1) || begins("off", 2)).then_some(false)
}

/// A double, unless its digits are past what one can hold: Rust would make them infinite or zero.
fn parse_double(text: &str) -> Option<f64> {
    let text = text.trim();
    let double: f64 = text.parse().ok()?;
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let has_digits = text.contains(|c: char| c.is_ascii_digit());
    let is_zero = !mantissa.contains(|c: char| ('1'..='9').contains(&c));
    let is_lost = (double.is_infinite() && has_digits) || (double == 0.0 && !is_zero);
    (!is_lost).then_some(double)
}
