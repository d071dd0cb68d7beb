//! Key values as this client sends them.

use ::mssql_tds::datatypes::column_values::{SqlDate, SqlDateTime2, SqlDateTimeOffset, SqlTime};
use ::mssql_tds::datatypes::decoder::DecimalParts;
use ::mssql_tds::datatypes::sql_string::SqlString;
use ::mssql_tds::datatypes::sqltypes::SqlType;
use ::mssql_tds::message::parameters::rpc_parameters::{RpcParameter, StatusFlags};
use etl_schemas::ticks::{Ticks, days_from_civil};
use uuid::Uuid;

use crate::error::SourceError;
use crate::key::KeyValue;
use crate::seek::Parameter;

/// UTF-16 units of a text: a key's text is at most 1,700 bytes, and one declaration means one plan on the server.
const TEXT_UNITS: u16 = 4000;
/// Bytes of a binary value.
const BINARY_BYTES: u16 = 8000;
/// Digits of a decimal.
const DECIMAL_DIGITS: u8 = 38;

/// Parameter `@P<number>`.
pub(super) fn bind(number: usize, parameter: &Parameter) -> Result<RpcParameter, SourceError> {
    let value = match parameter {
        Parameter::Rows(rows) => SqlType::BigInt(Some(i64::try_from(*rows).unwrap_or(i64::MAX))),
        Parameter::Key(value) => key(value)?,
    };
    Ok(RpcParameter::new(Some(format!("@P{number}")), StatusFlags::NONE, value))
}

/// The statement casts each parameter to its column's type, so the widest type of each kind will do.
fn key(value: &KeyValue) -> Result<SqlType, SourceError> {
    Ok(match value {
        KeyValue::Integer(value) => SqlType::BigInt(Some(*value)),
        KeyValue::Decimal { digits, scale } => {
            let parts = DecimalParts::new(*digits >= 0, DECIMAL_DIGITS, *scale, digits.unsigned_abs());
            SqlType::Decimal(Some(parts))
        }
        KeyValue::Float(value) => SqlType::Float(Some(*value)),
        KeyValue::Text(text) => SqlType::NVarchar(Some(SqlString::from_utf8_string(text.clone())), TEXT_UNITS),
        KeyValue::Bytes(bytes) => SqlType::VarBinary(Some(bytes.clone()), BINARY_BYTES),
        KeyValue::Guid(bytes) => SqlType::Uuid(Some(Uuid::from_bytes(*bytes))),
        KeyValue::Date(days) => SqlType::Date(Some(SqlDate::create(since_year_one(*days))?)),
        KeyValue::Time(ticks) => SqlType::Time(Some(time(*ticks))),
        KeyValue::Timestamp(ticks) => SqlType::DateTime2(Some(wall_clock(*ticks))),
        KeyValue::Instant { utc, offset_minutes } => {
            let instant = SqlDateTimeOffset { datetime2: wall_clock(*utc), offset: *offset_minutes };
            SqlType::DateTimeOffset(Some(instant))
        }
    })
}

fn since_year_one(days: i32) -> u32 {
    (days - days_from_civil(1, 1, 1)) as u32
}

fn time(ticks: i64) -> SqlTime {
    SqlTime { time_nanoseconds: ticks as u64, scale: 7 }
}

fn wall_clock(ticks: Ticks) -> SqlDateTime2 {
    let (days, of_day) = ticks.to_days();
    SqlDateTime2 { days: since_year_one(days), time: time(of_day) }
}
