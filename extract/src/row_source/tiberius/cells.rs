//! Values as this client has them: out of a row, and back as parameters.

use ::tiberius::numeric::Numeric;
use ::tiberius::time::{Date, DateTime2, DateTimeOffset, Time};
use ::tiberius::{ColumnData, IntoSql, Uuid};
use etl_schemas::ticks::{Ticks, days_from_civil};

use crate::key::KeyValue;
use crate::row_source::clock;
use crate::row_source::value::Value;
use crate::seek::Parameter;

/// The value of a cell.
#[inline]
pub(super) fn value<'c>(cell: &'c ColumnData<'_>) -> Value<'c> {
    match cell {
        ColumnData::Bit(Some(value)) => Value::Bool(*value),
        ColumnData::U8(Some(value)) => Value::Integer(i64::from(*value)),
        ColumnData::I16(Some(value)) => Value::Integer(i64::from(*value)),
        ColumnData::I32(Some(value)) => Value::Integer(i64::from(*value)),
        ColumnData::I64(Some(value)) => Value::Integer(*value),
        ColumnData::F32(Some(value)) => Value::Real(*value),
        ColumnData::F64(Some(value)) => Value::Float(*value),
        ColumnData::Numeric(Some(value)) => Value::Decimal { digits: value.value(), scale: value.scale() },
        ColumnData::String(Some(value)) => Value::Text(value),
        // SQL Server begins xml with a byte order mark, which is no part of the document.
        ColumnData::Xml(Some(value)) => {
            let text: &str = value.as_ref().as_ref();
            Value::Text(text.strip_prefix('\u{feff}').unwrap_or(text))
        }
        ColumnData::Binary(Some(value)) => Value::Bytes(value),
        ColumnData::Guid(Some(value)) => Value::Guid(value.as_bytes()),
        ColumnData::Date(Some(value)) => Value::Date(clock::date(value.days())),
        ColumnData::Time(Some(value)) => Value::Time(clock::time(value.increments(), value.scale())),
        ColumnData::DateTime(Some(value)) => Value::Timestamp(clock::datetime(value.days(), value.seconds_fragments())),
        // This client calls the field fragments of a second; on the wire it is minutes.
        ColumnData::SmallDateTime(Some(value)) => {
            Value::Timestamp(clock::smalldatetime(value.days(), value.seconds_fragments()))
        }
        ColumnData::DateTime2(Some(value)) => Value::Timestamp(datetime2(*value)),
        // The instant travels in UTC.
        ColumnData::DateTimeOffset(Some(value)) => {
            Value::Instant { utc: datetime2(value.datetime2()), offset_minutes: value.offset() }
        }
        _ => Value::Null,
    }
}

/// `None` outside years 0001 to 9999.
fn datetime2(value: DateTime2) -> Option<Ticks> {
    clock::datetime2(value.date().days(), value.time().increments(), value.time().scale())
}

/// A parameter to bind.
#[derive(Debug)]
pub(super) struct Bound<'a>(pub(super) &'a Parameter);

impl<'a> IntoSql<'a> for Bound<'a> {
    fn into_sql(self) -> ColumnData<'a> {
        match self.0 {
            Parameter::Rows(rows) => ColumnData::I64(Some(i64::try_from(*rows).unwrap_or(i64::MAX))),
            Parameter::Key(value) => cell(value),
        }
    }
}

/// The statement casts each parameter to its column's type, so the widest type of each kind will do.
fn cell(value: &KeyValue) -> ColumnData<'_> {
    match value {
        KeyValue::Integer(value) => ColumnData::I64(Some(*value)),
        KeyValue::Decimal { digits, scale } => ColumnData::Numeric(Some(Numeric::new_with_scale(*digits, *scale))),
        KeyValue::Float(value) => ColumnData::F64(Some(*value)),
        KeyValue::Text(text) => ColumnData::String(Some(text.into())),
        KeyValue::Bytes(bytes) => ColumnData::Binary(Some(bytes.into())),
        KeyValue::Guid(bytes) => ColumnData::Guid(Some(Uuid::from_bytes(*bytes))),
        KeyValue::Date(days) => ColumnData::Date(Some(date(*days))),
        KeyValue::Time(ticks) => ColumnData::Time(Some(Time::new(*ticks as u64, 7))),
        KeyValue::Timestamp(ticks) => ColumnData::DateTime2(Some(wall_clock(*ticks))),
        KeyValue::Instant { utc, offset_minutes } => {
            ColumnData::DateTimeOffset(Some(DateTimeOffset::new(wall_clock(*utc), *offset_minutes)))
        }
    }
}

fn date(days: i32) -> Date {
    Date::new((days - days_from_civil(1, 1, 1)) as u32)
}

fn wall_clock(ticks: Ticks) -> DateTime2 {
    let (days, of_day) = ticks.to_days();
    DateTime2::new(date(days), Time::new(of_day as u64, 7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_key_comes_back() {
        let values = [
            KeyValue::Integer(i64::MIN),
            KeyValue::Decimal { digits: -(10_i128.pow(38) - 1), scale: 38 },
            KeyValue::Float(1e-300),
            KeyValue::Text("Åsa".into()),
            KeyValue::Bytes(vec![0, 1]),
            KeyValue::Guid(*b"0123456789abcdef"),
            KeyValue::Date(-719_162),
            KeyValue::Time(863_999_999_999),
            KeyValue::Timestamp(Ticks::MIN),
            KeyValue::Instant { utc: Ticks::MAX, offset_minutes: -150 },
        ];
        for key in values {
            assert_eq!(value(&cell(&key)).key().unwrap(), key);
        }
        assert_eq!(value(&ColumnData::I32(None)), Value::Null);
    }
}
