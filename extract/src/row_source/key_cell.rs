//! Key values as this client has them: read from a row, and sent back as parameters.

use ::tiberius::numeric::Numeric;
use ::tiberius::time::{Date, DateTime2, DateTimeOffset, Time};
use ::tiberius::{ColumnData, IntoSql, Uuid};
use etl_schemas::ticks::{Ticks, days_from_civil};

use super::clock;
use super::tiberius::{datetime2, datetimeoffset};
use crate::error::SourceError;
use crate::key::KeyValue;
use crate::seek::Parameter;

/// A key's value from a row.
pub(super) fn key_value(cell: &ColumnData<'_>) -> Result<KeyValue, SourceError> {
    let value = match cell {
        ColumnData::Bit(Some(value)) => Some(KeyValue::Integer(i64::from(*value))),
        ColumnData::U8(Some(value)) => Some(KeyValue::Integer(i64::from(*value))),
        ColumnData::I16(Some(value)) => Some(KeyValue::Integer(i64::from(*value))),
        ColumnData::I32(Some(value)) => Some(KeyValue::Integer(i64::from(*value))),
        ColumnData::I64(Some(value)) => Some(KeyValue::Integer(*value)),
        ColumnData::F32(Some(value)) => Some(KeyValue::Float(f64::from(*value))),
        ColumnData::F64(Some(value)) => Some(KeyValue::Float(*value)),
        ColumnData::Numeric(Some(value)) => Some(KeyValue::Decimal { digits: value.value(), scale: value.scale() }),
        // What the client couldn't decode it replaced.
        ColumnData::String(Some(text)) if text.contains(char::REPLACEMENT_CHARACTER) => {
            return Err(SourceError::InexactKey);
        }
        ColumnData::String(Some(text)) => Some(KeyValue::Text(text.to_string())),
        ColumnData::Binary(Some(bytes)) => Some(KeyValue::Bytes(bytes.to_vec())),
        ColumnData::Guid(Some(guid)) => Some(KeyValue::Guid(*guid.as_bytes())),
        ColumnData::Date(Some(value)) => clock::date(value.days()).map(KeyValue::Date),
        ColumnData::Time(Some(value)) => clock::time(value.increments(), value.scale()).map(KeyValue::Time),
        ColumnData::DateTime(Some(value)) => {
            clock::datetime(value.days(), value.seconds_fragments()).map(KeyValue::Timestamp)
        }
        ColumnData::SmallDateTime(Some(value)) => {
            clock::smalldatetime(value.days(), value.seconds_fragments()).map(KeyValue::Timestamp)
        }
        ColumnData::DateTime2(Some(value)) => datetime2(*value).map(KeyValue::Timestamp),
        ColumnData::DateTimeOffset(Some(value)) => {
            datetimeoffset(*value).0.map(|utc| KeyValue::Instant { utc, offset_minutes: value.offset() })
        }
        _ => None,
    };
    value.ok_or_else(|| SourceError::Protocol { message: format!("{cell:?} came as the value of a key") })
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
        for value in values {
            assert_eq!(key_value(&cell(&value)).unwrap(), value);
        }
        let replaced = key_value(&ColumnData::String(Some("a\u{fffd}".into())));
        assert!(matches!(replaced, Err(SourceError::InexactKey)));
        assert!(key_value(&ColumnData::I32(None)).is_err());
    }
}
