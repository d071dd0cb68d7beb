//! Values in Postgres's binary format, each behind its 32-bit length, as COPY wants them.
//!
//! In: a value of an event and how its column takes it. Out: bytes that Postgres accepts, or why it wouldn't; then the
//! buffer may hold the beginning of the value, which the caller cuts off with its row. Formats: the `*_recv` functions
//! in Postgres's src/backend/utils/adt.

use std::io::Write as _;
use std::ops::Range;

use etl_schemas::ticks::{civil_from_days, days_from_civil};
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::numeric::{NumericLimits, put_numeric};
use crate::fields::Value;

/// Postgres holds no value of 1 GiB or more; a little less leaves room for its own headers.
const BYTES_MAX: usize = 0x3fff_ff00;
/// Seconds from 1970-01-01 to 2000-01-01, where Postgres counts from.
const EPOCH_SECONDS: i64 = 946_684_800;
const DAY_SECONDS: i64 = 86_400;
const EPOCH_DAYS: i32 = (EPOCH_SECONDS / DAY_SECONDS) as i32;

/// How a column takes values. Which values a column can be given is settled when the plan is made.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Encoding {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric(Option<NumericLimits>),
    /// Text of at most so many characters.
    Text {
        chars_max: Option<usize>,
    },
    /// An enum's value as text; by rising number, without a name where the column has no label for it.
    Names {
        names: Vec<(i32, Option<String>)>,
        chars_max: Option<usize>,
    },
    /// Text that must be one of a Postgres enum's labels.
    Label(Vec<String>),
    Json,
    Jsonb,
    Uuid,
    Bytea,
    /// Both with and without time zone: microseconds since 2000-01-01, UTC.
    Timestamp,
    Date,
}

pub(super) fn put_null(out: &mut Vec<u8>) {
    out.extend_from_slice(&(-1i32).to_be_bytes());
}

/// Bytes of at most [`BYTES_MAX`].
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

pub(super) fn put_int4(out: &mut Vec<u8>, value: i32) {
    put_bytes(out, &value.to_be_bytes());
}

pub(super) fn put_int8(out: &mut Vec<u8>, value: i64) {
    put_bytes(out, &value.to_be_bytes());
}

pub(super) fn put_timestamp(out: &mut Vec<u8>, seconds: i64, nanos: i32) {
    put_int8(out, (seconds - EPOCH_SECONDS) * 1_000_000 + i64::from(nanos) / 1_000);
}

/// Anything's text, without a limit.
pub(super) fn put_display(out: &mut Vec<u8>, value: &impl std::fmt::Display) {
    let start = out.len();
    write!(out, "    {value}").expect("a Vec takes everything");
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

impl Encoding {
    /// Appends a value that isn't NULL.
    #[inline]
    pub(super) fn put(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        match (self, value) {
            (Encoding::Bool, Value::Bool(value)) => put_bytes(out, &[u8::from(value)]),
            (Encoding::Int2, value) => put_bytes(out, &narrowed::<i16>(value)?.to_be_bytes()),
            (Encoding::Int4, value) => put_bytes(out, &narrowed::<i32>(value)?.to_be_bytes()),
            (Encoding::Int8, value) => put_int8(out, narrowed::<i64>(value)?),
            (Encoding::Float4, Value::Float(value)) => put_bytes(out, &value.to_be_bytes()),
            (Encoding::Float8, Value::Float(value)) => put_bytes(out, &f64::from(value).to_be_bytes()),
            (Encoding::Float8, Value::Double(value)) => put_bytes(out, &value.to_be_bytes()),
            (Encoding::Numeric(limits), value) => return put_decimal(value, *limits, out),
            (Encoding::Text { chars_max }, value) => return put_text(value, *chars_max, out),
            (Encoding::Names { names, chars_max }, Value::Enum(number)) => {
                let name = names.binary_search_by_key(&number, |(number, _)| *number).map(|index| &names[index].1);
                match name {
                    Ok(Some(name)) => return put_text(Value::Text(name), *chars_max, out),
                    Ok(None) => {
                        return Err(format!("is value {number} of its enum, for which the column has no label"));
                    }
                    Err(_) => return Err(format!("is {number}, which its enum doesn't know")),
                }
            }
            (Encoding::Label(labels), Value::Text(text)) => {
                if !labels.iter().any(|label| label == text) {
                    return Err("is none of the labels of the column's enum".to_string());
                }
                put_bytes(out, text.as_bytes());
            }
            (Encoding::Json, Value::Text(text)) => put_bytes(out, checked_json(text)?.as_bytes()),
            (Encoding::Jsonb, Value::Text(text)) => {
                let text = checked_json(text)?;
                out.extend_from_slice(&(text.len() as u32 + 1).to_be_bytes());
                // The version of jsonb's binary format.
                out.push(1);
                out.extend_from_slice(text.as_bytes());
            }
            (Encoding::Uuid, value) => put_bytes(out, uuid(value)?.as_bytes()),
            (Encoding::Bytea, Value::Bytes(bytes)) => put_bytes(out, checked_length(bytes)?),
            (Encoding::Timestamp, Value::Time(seconds, nanos)) => put_timestamp(out, seconds, nanos),
            (Encoding::Date, value) => put_bytes(out, &(days(value)? - EPOCH_DAYS).to_be_bytes()),
            _ => return Err("has another type than the column takes".to_string()),
        }
        Ok(())
    }
}

fn narrowed<T: TryFrom<i64> + TryFrom<u64>>(value: Value<'_>) -> Result<T, String> {
    let (value, narrowed) = match value {
        Value::Int(value) => (i128::from(value), T::try_from(value).ok()),
        Value::UInt(value) => (i128::from(value), T::try_from(value).ok()),
        Value::Enum(value) => (i128::from(value), T::try_from(i64::from(value)).ok()),
        _ => return Err("is no integer".to_string()),
    };
    narrowed.ok_or_else(|| format!("is {value}, beyond the column's range"))
}

fn put_decimal(value: Value<'_>, limits: Option<NumericLimits>, out: &mut Vec<u8>) -> Result<(), String> {
    // The longest integer has 20 digits.
    let mut digits = [0u8; 24];
    let mut rest = &mut digits[..];
    let written = match value {
        Value::Text(text) => return put_numeric(text, limits, out),
        Value::Int(value) => write!(rest, "{value}"),
        Value::UInt(value) => write!(rest, "{value}"),
        _ => return Err("is no number".to_string()),
    };
    written.expect("an integer has at most 20 characters");
    let left = rest.len();
    let digits = std::str::from_utf8(&digits[..24 - left]).expect("digits are ASCII");
    put_numeric(digits, limits, out)
}

fn put_text(value: Value<'_>, chars_max: Option<usize>, out: &mut Vec<u8>) -> Result<(), String> {
    let start = out.len();
    match value {
        Value::Text(text) => put_bytes(out, checked_text(text)?.as_bytes()),
        // Ids, and keys that are no text.
        Value::Uuid(value) => put_display(out, &value.hyphenated()),
        Value::Int(value) => put_display(out, &value),
        _ => return Err("is no text".to_string()),
    }
    match chars_max {
        // No character is shorter than a byte, so most texts needn't be counted.
        Some(max) if out.len() - start - 4 > max => {
            let text = std::str::from_utf8(&out[start + 4..]).expect("it was text before");
            // Postgres cuts off blanks beyond the length, as the SQL standard has it, and refuses anything else.
            match text.chars().skip(max).all(|c| c == ' ') {
                true => Ok(()),
                false => Err(format!("has {} characters, the column takes {max}", text.chars().count())),
            }
        }
        _ => Ok(()),
    }
}

fn checked_text(text: &str) -> Result<&str, String> {
    checked_length(text.as_bytes())?;
    match memchr::memchr(0, text.as_bytes()).is_some() {
        true => Err("holds a NUL character, which Postgres can't store".to_string()),
        false => Ok(text),
    }
}

fn checked_length(bytes: &[u8]) -> Result<&[u8], String> {
    match bytes.len() <= BYTES_MAX {
        true => Ok(bytes),
        false => Err(format!("has {} bytes, Postgres takes {BYTES_MAX}", bytes.len())),
    }
}

fn checked_json(text: &str) -> Result<&str, String> {
    match serde_json::from_str::<IgnoredAny>(checked_text(text)?) {
        Ok(_) => Ok(text),
        // Postgres goes deeper than our parser; it shall be the judge.
        Err(error) if error.to_string().starts_with("recursion limit") => Ok(text),
        Err(error) => Err(format!("is no JSON: {error}")),
    }
}

/// Days since 1970-01-01: of a point in time, UTC, or of text like 1975-03-01, years 0001 to 9999.
fn days(value: Value<'_>) -> Result<i32, String> {
    let text = match value {
        Value::Time(seconds, _) => return Ok(seconds.div_euclid(DAY_SECONDS) as i32),
        Value::Text(text) => text,
        _ => return Err("is no date".to_string()),
    };
    let number = |range: Range<usize>| -> Option<u32> {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let written = || {
        let (year, month, day) = (number(0..4)? as i32, number(5..7)?, number(8..10)?);
        let shaped = text.len() == 10 && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-' && year > 0;
        let days = (shaped && (1..=12).contains(&month)).then(|| days_from_civil(year, month, day))?;
        // The 30th of February would come back as a day of March.
        (civil_from_days(days) == (year, month, day)).then_some(days)
    };
    written().ok_or_else(|| "is no date, such as 1975-03-01".to_string())
}

fn uuid(value: Value<'_>) -> Result<Uuid, String> {
    match value {
        Value::Uuid(value) => Ok(value),
        Value::Text(text) => Uuid::try_parse(text).map_err(|_| "is no UUID".to_string()),
        Value::Bytes(bytes) => Uuid::from_slice(bytes).map_err(|_| format!("has {} bytes, a UUID has 16", bytes.len())),
        _ => Err("is no UUID".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(encoding: &Encoding, value: Value<'_>) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        encoding.put(value, &mut out).map(|()| out.split_off(4))
    }

    #[test]
    fn integers_stay_within_their_columns() {
        assert_eq!(put(&Encoding::Int2, Value::Int(-2)), Ok(vec![0xff, 0xfe]));
        assert_eq!(put(&Encoding::Int2, Value::UInt(40_000)), Err("is 40000, beyond the column's range".to_string()));
        assert!(put(&Encoding::Int8, Value::UInt(u64::MAX)).is_err());
        assert_eq!(put(&Encoding::Int4, Value::Enum(7)), Ok(vec![0, 0, 0, 7]));
    }

    #[test]
    fn time_counts_from_2000_and_is_cut_to_microseconds() {
        assert_eq!(put(&Encoding::Timestamp, Value::Time(EPOCH_SECONDS, 1_999)), Ok(1i64.to_be_bytes().to_vec()));
        assert_eq!(put(&Encoding::Date, Value::Time(EPOCH_SECONDS - 1, 0)), Ok((-1i32).to_be_bytes().to_vec()));
        assert_eq!(put(&Encoding::Date, Value::Text("2000-02-29")), Ok(59i32.to_be_bytes().to_vec()));
        for text in
            ["1999-02-29", "2000-13-01", "2000-1-1", "0000-01-01", "2000-01-01x", "2000/01/01", "+200-01-01", ""]
        {
            assert!(put(&Encoding::Date, Value::Text(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn text_is_counted_in_characters_and_holds_no_nul() {
        let three = Encoding::Text { chars_max: Some(3) };
        assert_eq!(put(&three, Value::Text("åäö")), Ok("åäö".as_bytes().to_vec()));
        assert_eq!(put(&three, Value::Text("åäö  ")), Ok("åäö  ".as_bytes().to_vec()));
        assert_eq!(put(&three, Value::Text("åäö!")), Err("has 4 characters, the column takes 3".to_string()));
        assert!(put(&three, Value::Text("a\0")).unwrap_err().contains("NUL"));
        assert_eq!(put(&Encoding::Text { chars_max: None }, Value::Int(-12)), Ok(b"-12".to_vec()));
    }

    #[test]
    fn json_and_labels_and_uuids_are_checked() {
        assert_eq!(put(&Encoding::Jsonb, Value::Text("{}")), Ok(b"\x01{}".to_vec()));
        assert!(put(&Encoding::Json, Value::Text("{")).unwrap_err().contains("no JSON"));
        let deep = "[".repeat(500) + &"]".repeat(500);
        assert!(put(&Encoding::Json, Value::Text(&deep)).is_ok());
        let label = Encoding::Label(vec!["a".to_string()]);
        assert!(put(&label, Value::Text("a")).is_ok() && put(&label, Value::Text("b")).is_err());
        assert!(put(&Encoding::Uuid, Value::Bytes(&[1; 15])).unwrap_err().contains("15 bytes"));
        assert!(put(&Encoding::Uuid, Value::Text("2ed6657d-e927-568b-95e1-2665a8aea6a2")).is_ok());
    }

    #[test]
    fn an_enum_goes_by_name_where_there_is_one() {
        let names = Encoding::Names { names: vec![(0, None), (2, Some("MALE".to_string()))], chars_max: None };
        assert_eq!(put(&names, Value::Enum(2)), Ok(b"MALE".to_vec()));
        assert!(put(&names, Value::Enum(0)).unwrap_err().contains("no label"));
        assert!(put(&names, Value::Enum(1)).unwrap_err().contains("doesn't know"));
    }
}
