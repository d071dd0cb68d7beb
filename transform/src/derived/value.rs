//! Values on their way into SQLite and back.
//!
//! | in SQL Server | in SQLite |
//! |---|---|
//! | bit, integers | INTEGER, bit as 0 and 1 |
//! | real, float | REAL |
//! | decimal, money | TEXT with all digits; `+ 0.0` or CAST AS REAL reckons with it, not exactly |
//! | text types, uniqueidentifier | TEXT |
//! | binary types | BLOB |
//! | date, time, datetime2 and its kin | TEXT that orders as time does: `2014-03-01 12:30:00.1234567` |
//! | datetimeoffset | the same in UTC with `+00:00` behind it |

use etl_schemas::dump::{BlockBuilder, Cell};
use etl_schemas::sql_type::{FieldKind, SqlType};
use etl_schemas::table::Column;
use etl_schemas::ticks::{PER_DAY, PER_SECOND, Ticks, civil_from_days};
use rusqlite::types::{Value, ValueRef};
use uuid::Uuid;

use crate::decimal::Decimal;
use crate::expression::{parse_date, parse_instant, parse_time, parse_timestamp};

/// A cell as SQLite sees it.
pub(super) fn to_sqlite(cell: Cell<'_>, column: &Column) -> Value {
    match (cell, &column.sql_type) {
        (Cell::Null, _) => Value::Null,
        (Cell::Bool(value), _) => Value::Integer(i64::from(value)),
        (Cell::Integer(days), SqlType::Date) => Value::Text(day(days)),
        (Cell::Integer(nanos), SqlType::Time { .. }) => Value::Text(clock(nanos / 100)),
        (Cell::Integer(value), _) => Value::Integer(value),
        (Cell::Float(value), _) => Value::Real(f64::from(value)),
        (Cell::Double(value), _) => Value::Real(value),
        (Cell::Text(text) | Cell::Variant { text, .. }, _) => Value::Text(text.to_string()),
        (Cell::Bytes(bytes), SqlType::UniqueIdentifier) => match Uuid::from_slice(bytes) {
            Ok(uuid) => Value::Text(uuid.hyphenated().to_string()),
            Err(_) => Value::Blob(bytes.to_vec()),
        },
        (Cell::Bytes(bytes) | Cell::Geometry { wkb: bytes, .. }, _) => Value::Blob(bytes.to_vec()),
        (Cell::Timestamp(ticks), _) => Value::Text(time(ticks)),
        (Cell::DateTimeOffset { utc, .. }, _) => Value::Text(format!("{}+00:00", time(utc))),
    }
}

fn day(days: i64) -> String {
    let (year, month, day) = civil_from_days(days.clamp(i64::from(i32::MIN / 4), i64::from(i32::MAX / 4)) as i32);
    format!("{year:04}-{month:02}-{day:02}")
}

fn clock(ticks: i64) -> String {
    let (seconds, fraction) = (ticks / PER_SECOND, ticks % PER_SECOND);
    format!("{:02}:{:02}:{:02}.{fraction:07}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn time(ticks: Ticks) -> String {
    format!("{} {}", day(ticks.0.div_euclid(PER_DAY)), clock(ticks.0.rem_euclid(PER_DAY)))
}

/// Puts a value of a result into the row at hand. The error says what it is and isn't.
pub(super) fn put(
    builder: &mut BlockBuilder,
    place: usize,
    column: &Column,
    value: ValueRef<'_>,
) -> Result<(), String> {
    use FieldKind as F;
    let no = || format!("{} is no {}", shown(value), column.sql_type);
    let text = || value.as_str().ok();
    match (column.kind(), value) {
        (_, ValueRef::Null) if column.nullable => builder.put_null(place),
        (_, ValueRef::Null) => return Err("it is NULL, and the column is declared NOT NULL".to_string()),
        (F::Bool, ValueRef::Integer(value @ (0 | 1))) => builder.put_bool(place, value == 1),
        (F::SInt32, ValueRef::Text(_)) if column.sql_type == SqlType::Date => {
            let days = text().and_then(parse_date).ok_or_else(no)?;
            builder.put_integer(place, i64::from(days));
        }
        (F::SInt64, ValueRef::Text(_)) if matches!(column.sql_type, SqlType::Time { .. }) => {
            builder.put_integer(place, text().and_then(parse_time).ok_or_else(no)?);
        }
        (F::UInt32 | F::SInt32 | F::SInt64, ValueRef::Integer(value)) if fits(&column.sql_type, value) => {
            builder.put_integer(place, value);
        }
        (F::Float, ValueRef::Real(_) | ValueRef::Integer(_)) => {
            builder.put_float(
                place,
                value.as_f64().or_else(|_| value.as_i64().map(|value| value as f64)).map_err(|_| no())? as f32,
            );
        }
        (F::Double, ValueRef::Real(value)) => builder.put_double(place, value),
        (F::Double, ValueRef::Integer(value)) => builder.put_double(place, value as f64),
        (F::String, _) if is_decimal(&column.sql_type) => builder.put_text(place, &decimal(value).ok_or_else(no)?),
        (F::String, ValueRef::Text(_)) => builder.put_text(place, text().ok_or_else(no)?),
        (F::String, ValueRef::Integer(value)) => builder.put_text(place, &value.to_string()),
        (F::Bytes, ValueRef::Text(_)) if column.sql_type == SqlType::UniqueIdentifier => {
            let uuid = text().and_then(|text| Uuid::parse_str(text).ok()).ok_or_else(no)?;
            builder.put_bytes(place, uuid.as_bytes());
        }
        (F::Bytes, ValueRef::Blob(bytes)) if column.sql_type != SqlType::UniqueIdentifier => {
            builder.put_bytes(place, bytes);
        }
        (F::Timestamp, ValueRef::Text(_)) => {
            builder.put_timestamp(place, text().and_then(parse_timestamp).ok_or_else(no)?);
        }
        (F::DateTimeOffset, ValueRef::Text(_)) => {
            builder.put_datetime_offset(place, text().and_then(parse_instant).ok_or_else(no)?, 0);
        }
        _ => return Err(no()),
    }
    Ok(())
}

fn fits(sql_type: &SqlType, value: i64) -> bool {
    match sql_type {
        SqlType::TinyInt => u8::try_from(value).is_ok(),
        SqlType::SmallInt => i16::try_from(value).is_ok(),
        SqlType::Int => i32::try_from(value).is_ok(),
        SqlType::BigInt => true,
        _ => false,
    }
}

fn is_decimal(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::Decimal { .. } | SqlType::Money | SqlType::SmallMoney)
}

fn decimal(value: ValueRef<'_>) -> Option<String> {
    let text = match value {
        ValueRef::Text(_) => value.as_str().ok()?.trim().to_string(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => format!("{value}"),
        _ => return None,
    };
    Decimal::parse(&text).ok().map(|value| value.to_string())
}

/// The value for a message, cut to 60 characters.
fn shown(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_string(),
        ValueRef::Integer(value) => value.to_string(),
        ValueRef::Real(value) => value.to_string(),
        ValueRef::Text(bytes) => format!("`{}`", String::from_utf8_lossy(bytes).chars().take(60).collect::<String>()),
        ValueRef::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    }
}
