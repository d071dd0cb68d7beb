//! The text of a `sql_variant`: the value as its base type is written in ISO and SQL, so that no setting of the server's
//! language shows in it.

use std::fmt::Write;

use ::tiberius::ColumnData;
use etl_schemas::ticks::{PER_SECOND, Ticks, civil_from_days};

use super::clock;
use super::tiberius::{datetime2, datetimeoffset};
use crate::row_sink::DecimalText;

/// From where on a float has no room for a ten-thousandth.
const MONEY_EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Appends the text of a value of the base type. The error is a reason, without its place.
///
/// Numbers in plain notation with all digits of their scale, bits as 0 and 1, dates and times in ISO 8601, GUIDs with
/// hyphens in lower case, bytes in hexadecimal behind 0x.
pub(super) fn write_text(out: &mut String, base: &str, value: &ColumnData<'_>) -> Result<(), String> {
    let written = match value {
        ColumnData::Bit(Some(value)) => write!(out, "{}", u8::from(*value)),
        ColumnData::U8(Some(value)) => write!(out, "{value}"),
        ColumnData::I16(Some(value)) => write!(out, "{value}"),
        ColumnData::I32(Some(value)) => write!(out, "{value}"),
        ColumnData::I64(Some(value)) => write!(out, "{value}"),
        ColumnData::F32(Some(value)) => write!(out, "{value:?}"),
        ColumnData::F64(Some(value)) if base.ends_with("money") => return write_money(out, *value),
        ColumnData::F64(Some(value)) => write!(out, "{value:?}"),
        ColumnData::Numeric(Some(value)) => {
            out.push_str(DecimalText::default().write(value.value(), value.scale()));
            Ok(())
        }
        ColumnData::String(Some(value)) => {
            out.push_str(value);
            Ok(())
        }
        ColumnData::Binary(Some(value)) => write_hexadecimal(out, value),
        ColumnData::Guid(Some(value)) => write!(out, "{}", value.hyphenated()),
        _ => return write_time(out, value),
    };
    written.map_err(|_| "its text can't be written".to_string())
}

/// The client hands money over as a float. Up to 900,719,925,474.0991 that is exact, and beyond it is refused.
fn write_money(out: &mut String, value: f64) -> Result<(), String> {
    let scaled = (value * 10_000.0).round();
    if scaled.abs() >= MONEY_EXACT_MAX {
        return Err("a money of this size inside a sql_variant can't be read exactly by this client".to_string());
    }
    out.push_str(DecimalText::default().write(scaled as i128, 4));
    Ok(())
}

fn write_hexadecimal(out: &mut String, bytes: &[u8]) -> std::fmt::Result {
    out.push_str("0x");
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02X}"))
}

fn write_time(out: &mut String, value: &ColumnData<'_>) -> Result<(), String> {
    let written = match value {
        ColumnData::Date(Some(value)) => clock::date(value.days()).map(|days| {
            let (year, month, day) = civil_from_days(days);
            write!(out, "{year:04}-{month:02}-{day:02}")
        }),
        ColumnData::Time(Some(value)) => clock::time(value.increments(), value.scale()).map(|ticks| {
            let seconds = ticks / PER_SECOND;
            write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
            match ticks % PER_SECOND {
                0 => Ok(()),
                fraction => write!(out, ".{fraction:07}"),
            }
        }),
        ColumnData::DateTime(Some(value)) => {
            clock::datetime(value.days(), value.seconds_fragments()).map(|ticks| write!(out, "{ticks}"))
        }
        ColumnData::SmallDateTime(Some(value)) => {
            clock::smalldatetime(value.days(), value.seconds_fragments()).map(|ticks| write!(out, "{ticks}"))
        }
        ColumnData::DateTime2(Some(value)) => datetime2(*value).map(|ticks| write!(out, "{ticks}")),
        ColumnData::DateTimeOffset(Some(value)) => {
            let (utc, offset) = datetimeoffset(*value);
            utc.map(|utc| write_datetimeoffset(out, utc, offset))
        }
        _ => return Err("it has a base type but no value".to_string()),
    };
    match written {
        Some(written) => written.map_err(|_| "its text can't be written".to_string()),
        None => Err("its time lies outside the calendar of years 0001 to 9999".to_string()),
    }
}

fn write_datetimeoffset(out: &mut String, utc: Ticks, offset_minutes: i32) -> std::fmt::Result {
    let local = Ticks(utc.0 + i64::from(offset_minutes) * 60 * PER_SECOND);
    let sign = if offset_minutes < 0 { '-' } else { '+' };
    let minutes = offset_minutes.abs();
    write!(out, "{local}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::tiberius::numeric::Numeric;
    use ::tiberius::time::{Date, DateTime2, DateTimeOffset, Time};

    fn text(base: &str, value: &ColumnData<'_>) -> String {
        let mut out = String::new();
        match write_text(&mut out, base, value) {
            Ok(()) => out,
            Err(reason) => reason,
        }
    }

    #[test]
    fn every_base_type_has_its_text() {
        assert_eq!(text("bit", &ColumnData::Bit(Some(true))), "1");
        assert_eq!(text("bigint", &ColumnData::I64(Some(i64::MIN))), "-9223372036854775808");
        assert_eq!(text("float", &ColumnData::F64(Some(1e300))), "1e300");
        assert_eq!(text("decimal", &ColumnData::Numeric(Some(Numeric::new_with_scale(-5, 2)))), "-0.05");
        assert_eq!(text("varbinary", &ColumnData::Binary(Some(vec![0, 255].into()))), "0x00FF");
        assert_eq!(text("date", &ColumnData::Date(Some(Date::new(0)))), "0001-01-01");
        assert_eq!(text("time", &ColumnData::Time(Some(Time::new(1, 7)))), "00:00:00.0000001");
        let noon = DateTime2::new(Date::new(719_162), Time::new(43_200, 0));
        assert_eq!(text("datetime2", &ColumnData::DateTime2(Some(noon))), "1970-01-01T12:00:00");
        let offset = ColumnData::DateTimeOffset(Some(DateTimeOffset::new(noon, -150)));
        assert_eq!(text("datetimeoffset", &offset), "1970-01-01T09:30:00-02:30");
    }

    #[test]
    fn money_is_exact_or_refused() {
        assert_eq!(text("money", &ColumnData::F64(Some(-0.5))), "-0.5000");
        assert_eq!(text("smallmoney", &ColumnData::F64(Some(214_748.364_7))), "214748.3647");
        assert_eq!(text("money", &ColumnData::F64(Some(900_719_925_474.099_1))), "900719925474.0991");
        assert!(text("money", &ColumnData::F64(Some(922_337_203_685_477.6))).contains("exactly"));
    }
}
