//! The text of what a `sql_variant` holds, unless that is text itself.
//!
//! The same for every client: it is part of the dump's format, and nothing of the server's language shows in it.

use std::fmt::{self, Write};

use etl_schemas::ticks::{PER_SECOND, Ticks, civil_from_days};

use super::value::Value;
use crate::key::write_guid;
use crate::row_sink::DecimalText;

/// Appends the text of a value. The error is a reason, without its place.
///
/// Numbers in plain notation with all digits of their scale, bits as 0 and 1, dates and times in ISO 8601, GUIDs with
/// hyphens in lower case, bytes in hexadecimal behind 0x.
pub(super) fn write_text(out: &mut String, value: Value<'_>) -> Result<(), &'static str> {
    let written = match value {
        Value::Null => Ok(()),
        Value::Bool(value) => write!(out, "{}", u8::from(value)),
        Value::Integer(value) => write!(out, "{value}"),
        Value::Real(value) => write!(out, "{value:?}"),
        Value::Float(value) => write!(out, "{value:?}"),
        Value::Decimal { digits, scale } => out.write_str(DecimalText::default().write(digits, scale)),
        Value::Text(value) => out.write_str(value),
        Value::Bytes(value) => write_hexadecimal(out, value),
        Value::Guid(value) => write_guid(out, value),
        Value::Date(Some(days)) => write_date(out, days),
        Value::Time(Some(ticks)) => write_time(out, ticks),
        Value::Timestamp(Some(ticks)) => write!(out, "{ticks}"),
        Value::Instant { utc: Some(utc), offset_minutes } => write_datetimeoffset(out, utc, i32::from(offset_minutes)),
        Value::Date(None) | Value::Time(None) | Value::Timestamp(None) | Value::Instant { utc: None, .. } => {
            return Err("its time lies outside the calendar of years 0001 to 9999");
        }
    };
    written.map_err(|_| "its text can't be written")
}

fn write_hexadecimal(out: &mut String, bytes: &[u8]) -> fmt::Result {
    out.push_str("0x");
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02X}"))
}

fn write_date(out: &mut String, days: i32) -> fmt::Result {
    let (year, month, day) = civil_from_days(days);
    write!(out, "{year:04}-{month:02}-{day:02}")
}

fn write_time(out: &mut String, ticks: i64) -> fmt::Result {
    let seconds = ticks / PER_SECOND;
    write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
    match ticks % PER_SECOND {
        0 => Ok(()),
        fraction => write!(out, ".{fraction:07}"),
    }
}

fn write_datetimeoffset(out: &mut String, utc: Ticks, offset_minutes: i32) -> fmt::Result {
    let local = Ticks(utc.0 + i64::from(offset_minutes) * 60 * PER_SECOND);
    let sign = if offset_minutes < 0 { '-' } else { '+' };
    let minutes = offset_minutes.abs();
    write!(out, "{local}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Value<'_>) -> String {
        let mut out = String::new();
        match write_text(&mut out, value) {
            Ok(()) => out,
            Err(reason) => reason.to_string(),
        }
    }

    #[test]
    fn every_kind_of_value_has_its_text() {
        assert_eq!(text(Value::Bool(true)), "1");
        assert_eq!(text(Value::Integer(i64::MIN)), "-9223372036854775808");
        assert_eq!(text(Value::Float(1e300)), "1e300");
        assert_eq!(text(Value::Decimal { digits: -5, scale: 2 }), "-0.05");
        assert_eq!(text(Value::Decimal { digits: i128::from(i64::MAX), scale: 4 }), "922337203685477.5807");
        assert_eq!(text(Value::Bytes(&[0, 255])), "0x00FF");
        assert_eq!(text(Value::Guid(b"0123456789abcdef")), "30313233-3435-3637-3839-616263646566");
        assert_eq!(text(Value::Date(Some(-719_162))), "0001-01-01");
        assert_eq!(text(Value::Time(Some(1))), "00:00:00.0000001");
        assert_eq!(text(Value::Timestamp(Some(Ticks(12 * 3600 * PER_SECOND)))), "1970-01-01T12:00:00");
        let noon = Some(Ticks(12 * 3600 * PER_SECOND));
        assert_eq!(text(Value::Instant { utc: noon, offset_minutes: -150 }), "1970-01-01T09:30:00-02:30");
        assert!(text(Value::Timestamp(None)).contains("calendar"));
    }
}
