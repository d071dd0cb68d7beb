//! Functions and operators on dates, times, instants and intervals.

use etl_schemas::ticks::{PER_DAY, Ticks, civil_from_days};

use super::date_part::{boundaries, extract, truncate, whole};
use super::evaluate::{EvaluateError, Evaluated};
use super::{DatePart, Interval, Type, Value};

/// A function whose result is NULL when one of its arguments is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFunction {
    /// EXTRACT: a part as a decimal.
    Extract(DatePart),
    /// DATEPART: a part as an integer.
    Part(DatePart),
    /// `date_trunc`: the beginning of a part, of a timestamp or an instant.
    Truncate(DatePart),
    /// DATEDIFF: how many beginnings of a part lie between two timestamps or two instants.
    Boundaries(DatePart),
    /// A date and a number of days.
    AddDays,
    /// A date less a number of days.
    SubtractDays,
    /// A timestamp, instant, time or interval, and an interval.
    Add,
    /// A timestamp, instant, time or interval, less an interval.
    Subtract,
    /// A date and a time of day.
    AtTime,
    /// From one date to another in days; between timestamps, instants and times as an interval.
    Difference,
    /// As many times an interval.
    Multiply,
    /// So many of a unit, as an interval.
    Units(DatePart),
}

/// No function here takes more arguments.
pub(super) const ARGUMENTS_MAX: usize = 2;

/// Nanoseconds of a time of day in one tick.
const NANOS: i64 = 100;

/// Applies a function to arguments of which none is NULL and whose types the compiler has checked.
pub(super) fn apply(function: TimeFunction, arguments: &[Value<'_>]) -> Evaluated<Value<'static>> {
    use TimeFunction as F;
    let (first, second) = (arguments[0], arguments.get(1).copied().unwrap_or(Value::Null));
    match (function, first, second) {
        (F::Extract(part), value, _) => Ok(Value::Decimal(extract(part, value))),
        (F::Part(part), value, _) => Ok(Value::Integer(whole(part, value))),
        (F::Truncate(part), Value::Timestamp(ticks), _) => Ok(Value::Timestamp(truncate(part, ticks))),
        (F::Truncate(part), Value::Instant(ticks), _) => Ok(Value::Instant(truncate(part, ticks))),
        (
            F::Boundaries(part),
            Value::Timestamp(from) | Value::Instant(from),
            Value::Timestamp(to) | Value::Instant(to),
        ) => Ok(Value::Integer(boundaries(part, from, to))),
        (F::AddDays, Value::Date(date), Value::Integer(days)) => shifted(date, Some(days)),
        (F::SubtractDays, Value::Date(date), Value::Integer(days)) => shifted(date, days.checked_neg()),
        (F::Add, value, Value::Interval(interval)) => add(value, Some(interval)),
        (F::Subtract, value, Value::Interval(interval)) => add(value, interval.checked_multiply(-1)),
        (F::AtTime, Value::Date(days), Value::Time(nanos)) => {
            Ok(Value::Timestamp(Ticks::from_days(days, nanos / NANOS)))
        }
        (F::Difference, left, right) => Ok(difference(left, right)),
        (F::Multiply, Value::Interval(interval), Value::Integer(factor)) => {
            interval.checked_multiply(factor).map(Value::Interval).ok_or_else(|| out_of_range(Type::Interval))
        }
        (F::Units(unit), Value::Integer(count), _) => {
            Interval::of(unit, count).map(Value::Interval).ok_or_else(|| out_of_range(Type::Interval))
        }
        (function, first, second) => {
            unreachable!("the compiler calls {function:?} with other types than {first:?} and {second:?}")
        }
    }
}

fn shifted(date: i32, days: Option<i64>) -> Evaluated<Value<'static>> {
    let day = days.and_then(|days| days.checked_add(i64::from(date))).and_then(|day| i32::try_from(day).ok());
    match day.filter(|day| (1..=9999).contains(&civil_from_days(*day).0)) {
        Some(day) => Ok(Value::Date(day)),
        None => Err(out_of_range(Type::Date)),
    }
}

/// Adds an interval; `None` stands for one that is out of range already.
fn add(value: Value<'_>, interval: Option<Interval>) -> Evaluated<Value<'static>> {
    let sum = interval.and_then(|interval| match value {
        Value::Timestamp(ticks) => interval.added_to(ticks).map(Value::Timestamp),
        Value::Instant(ticks) => interval.added_to(ticks).map(Value::Instant),
        Value::Interval(other) => other.checked_add(interval).map(Value::Interval),
        // A time of day goes round at midnight; days and months don't touch it.
        Value::Time(nanos) => {
            let of_day = (interval.ticks % PER_DAY * NANOS + nanos).rem_euclid(PER_DAY * NANOS);
            Some(Value::Time(of_day))
        }
        other => unreachable!("the compiler adds intervals to times, not to {other:?}"),
    });
    sum.ok_or_else(|| out_of_range(value.type_of()))
}

fn difference(left: Value<'_>, right: Value<'_>) -> Value<'static> {
    match (left, right) {
        (Value::Date(left), Value::Date(right)) => Value::Integer(i64::from(left) - i64::from(right)),
        (Value::Time(left), Value::Time(right)) => {
            Value::Interval(Interval { ticks: (left - right) / NANOS, ..Interval::default() })
        }
        (Value::Timestamp(left), Value::Timestamp(right)) | (Value::Instant(left), Value::Instant(right)) => {
            Value::Interval(Interval::between(right, left))
        }
        (left, right) => unreachable!("the compiler subtracts times of one type, not {left:?} and {right:?}"),
    }
}

#[cold]
fn out_of_range(ty: Type) -> Box<EvaluateError> {
    Box::new(EvaluateError::OutOfRange { what: ty.name() })
}
