//! Values of TOML as values of protobuf.
//!
//! In: what a person wrote for a field. Out: the field's bytes, or why it can't be its value and what could. Enums go by
//! name, full or short; times are ISO 8601 with their zone; bytes are hexadecimal; UUIDs and decimals are text, as
//! they are in `events.proto`.

use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::event::{EventField, EventFieldKind};
use etl_schemas::ticks::{PER_DAY, PER_SECOND, Ticks, days_from_civil};
use etl_schemas::wire::{
    FIXED32, FIXED64, VARINT, put_key, put_length_delimited, put_timestamp_fields, put_varint, zigzag,
};
use toml::de::DeValue;
use toml::value::{Datetime, Offset};

use crate::enum_names;

/// How a time is written.
pub(super) const TIME_HELP: &str = "write it with its zone, such as 2014-03-01T11:30:00Z";

/// Why a value doesn't fit, to be put behind the field's name, and what would.
pub(super) type Misfit = (String, String);

/// Appends the field with this value to a message.
pub(super) fn put(field: &EventField, value: &DeValue<'_>, body: &mut Vec<u8>) -> Result<(), Misfit> {
    use EventFieldKind as K;
    let number = field.number;
    let mut varint = |value: u64| {
        put_key(body, number, VARINT);
        put_varint(body, value);
    };
    match &field.kind {
        K::Bool => varint(u64::from(value.as_bool().ok_or_else(|| misfit(value, "true or false"))?)),
        K::Int32 => varint(i64::from(whole::<i32>(value)?) as u64),
        K::Int64 => varint(whole::<i64>(value)? as u64),
        K::UInt32 => varint(u64::from(whole::<u32>(value)?)),
        K::UInt64 => varint(whole::<u64>(value)?),
        K::SInt32 => varint(zigzag(i64::from(whole::<i32>(value)?))),
        K::SInt64 => varint(zigzag(whole::<i64>(value)?)),
        K::Enum(descriptor) => {
            let values = enum_names::values(descriptor);
            let name = value.as_str().ok_or_else(|| misfit(value, "one of its enum's names, as text"))?;
            let found = values.iter().find(|(_, full, short)| full == name || short == name);
            let known: Vec<&str> = values.iter().map(|(_, full, _)| full.as_str()).collect();
            let unknown = || (format!("knows no `{name}`"), did_you_mean(name, known));
            varint(i64::from(found.ok_or_else(unknown)?.0) as u64);
        }
        K::Float => {
            put_key(body, number, FIXED32);
            body.extend_from_slice(&(real(value)? as f32).to_le_bytes());
        }
        K::Double => {
            put_key(body, number, FIXED64);
            body.extend_from_slice(&real(value)?.to_le_bytes());
        }
        K::String => {
            let text = value.as_str().ok_or_else(|| misfit(value, "text, in quotes"))?;
            put_length_delimited(body, number, text.as_bytes());
        }
        K::Bytes => {
            let bytes = value.as_str().and_then(hexadecimal).ok_or_else(|| misfit(value, "hexadecimal text"))?;
            put_length_delimited(body, number, &bytes);
        }
        K::Timestamp => {
            let (seconds, nanos) = time(value).map_err(|message| (message, TIME_HELP.to_string()))?.to_timestamp();
            let mut message = Vec::new();
            put_timestamp_fields(&mut message, seconds, nanos);
            put_length_delimited(body, number, &message);
        }
    }
    Ok(())
}

/// The value as a person reads it, and as Postgres can be asked to read it.
pub(super) fn text(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(_) => integer(value).map_or_else(String::new, |number| number.to_string()),
        DeValue::Float(float) => float.as_str().to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) | DeValue::Table(_) => String::new(),
    }
}

pub(super) fn integer(value: &DeValue<'_>) -> Option<i128> {
    let integer = value.as_integer()?;
    i128::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A moment: a TOML date-time or text like one, with its zone.
pub(super) fn time(value: &DeValue<'_>) -> Result<Ticks, String> {
    let written: Option<Datetime> = match value {
        DeValue::Datetime(time) => Some(*time),
        DeValue::String(text) => text.parse().ok(),
        _ => None,
    };
    let moment = |Datetime { date, time, offset }: Datetime| {
        let (date, time) = (date?, time?);
        let minutes = match offset? {
            Offset::Z => 0,
            Offset::Custom { minutes } => i64::from(minutes),
        };
        let days = days_from_civil(i32::from(date.year), u32::from(date.month), u32::from(date.day));
        let minutes = i64::from(time.hour) * 60 + i64::from(time.minute) - minutes;
        let ticks = (minutes * 60 + i64::from(time.second.unwrap_or(0))) * PER_SECOND
            + i64::from(time.nanosecond.unwrap_or(0)) / 100;
        Ticks(i64::from(days) * PER_DAY + ticks).checked()
    };
    written.and_then(moment).ok_or_else(|| "is no moment".to_string())
}

fn misfit(value: &DeValue<'_>, wanted: &str) -> Misfit {
    (format!("can't be {}", value.type_str()), format!("it takes {wanted}"))
}

fn whole<T: TryFrom<i128>>(value: &DeValue<'_>) -> Result<T, Misfit> {
    let number = integer(value).ok_or_else(|| misfit(value, "an integer"))?;
    let beyond = || (format!("can't hold {number}"), "look at its type in events.proto".to_string());
    T::try_from(number).map_err(|_| beyond())
}

fn real(value: &DeValue<'_>) -> Result<f64, Misfit> {
    let written = match value {
        DeValue::Float(float) => float.as_str().parse().ok(),
        DeValue::Integer(_) => integer(value).map(|number| number as f64),
        _ => None,
    };
    written.ok_or_else(|| misfit(value, "a number"))
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
