//! A value as any client hands it over: exact, borrowed, without the client's own types.
//!
//! In: what a client decoded. Out: the value in the sink, or as a key, or within a catalog's answer. It lives on the
//! stack between two calls, so that a row is never owned.

use etl_schemas::ticks::Ticks;

use crate::error::SourceError;
use crate::key::KeyValue;
use crate::row_sink::RowSink;

/// See the module. Dates and times that no server should send are `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// NULL of any type.
    Null,
    /// `bit`
    Bool(bool),
    /// `tinyint` to `bigint`
    Integer(i64),
    /// `real`
    Real(f32),
    /// `float`
    Float(f64),
    /// `decimal` and `money`: the digits without the point.
    Decimal { digits: i128, scale: u8 },
    /// Text and xml. What couldn't be decoded is U+FFFD.
    Text(&'a str),
    /// Bytes of any type.
    Bytes(&'a [u8]),
    /// In the byte order of RFC 4122.
    Guid(&'a [u8; 16]),
    /// Days since 1970-01-01.
    Date(Option<i32>),
    /// 100 ns steps since midnight.
    Time(Option<i64>),
    /// A wall clock.
    Timestamp(Option<Ticks>),
    /// An instant in UTC, and the offset in minutes.
    Instant { utc: Option<Ticks>, offset_minutes: i16 },
}

impl Value<'_> {
    /// Puts the value into its column. That it fits is the sink's to check.
    #[inline(always)]
    pub(crate) fn put(self, sink: &mut RowSink<'_>, column: usize) -> Result<(), SourceError> {
        match self {
            Value::Null => {
                sink.put_null(column);
                Ok(())
            }
            Value::Bool(value) => sink.put_bool(column, value),
            Value::Integer(value) => sink.put_integer(column, value),
            Value::Real(value) => sink.put_float(column, value),
            Value::Float(value) => sink.put_double(column, value),
            Value::Decimal { digits, scale } => sink.put_decimal(column, digits, scale),
            Value::Text(value) => sink.put_text(column, value),
            Value::Bytes(value) => sink.put_bytes(column, value),
            Value::Guid(value) => sink.put_guid(column, value),
            Value::Date(days) => sink.put_date(column, days),
            Value::Time(ticks) => sink.put_time(column, ticks),
            Value::Timestamp(ticks) => sink.put_timestamp(column, ticks),
            Value::Instant { utc, offset_minutes } => sink.put_datetime_offset(column, utc, i32::from(offset_minutes)),
        }
    }

    /// The value of a key. What was replaced in a text can't be sent back.
    pub(crate) fn key(self) -> Result<KeyValue, SourceError> {
        let key = match self {
            Value::Text(text) if text.contains(char::REPLACEMENT_CHARACTER) => return Err(SourceError::InexactKey),
            Value::Bool(value) => Some(KeyValue::Integer(i64::from(value))),
            Value::Integer(value) => Some(KeyValue::Integer(value)),
            Value::Real(value) => Some(KeyValue::Float(f64::from(value))),
            Value::Float(value) => Some(KeyValue::Float(value)),
            Value::Decimal { digits, scale } => Some(KeyValue::Decimal { digits, scale }),
            Value::Text(text) => Some(KeyValue::Text(text.to_string())),
            Value::Bytes(bytes) => Some(KeyValue::Bytes(bytes.to_vec())),
            Value::Guid(guid) => Some(KeyValue::Guid(*guid)),
            Value::Date(days) => days.map(KeyValue::Date),
            Value::Time(ticks) => ticks.map(KeyValue::Time),
            Value::Timestamp(ticks) => ticks.map(KeyValue::Timestamp),
            Value::Instant { utc, offset_minutes } => utc.map(|utc| KeyValue::Instant { utc, offset_minutes }),
            Value::Null => None,
        };
        key.ok_or_else(|| SourceError::Protocol { message: format!("{self:?} came as the value of a key") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_exact_or_refused() {
        assert_eq!(Value::Bool(true).key().unwrap(), KeyValue::Integer(1));
        assert_eq!(Value::Guid(b"0123456789abcdef").key().unwrap(), KeyValue::Guid(*b"0123456789abcdef"));
        assert!(matches!(Value::Text("a\u{fffd}").key(), Err(SourceError::InexactKey)));
        assert!(Value::Null.key().is_err() && Value::Date(None).key().is_err());
    }
}
