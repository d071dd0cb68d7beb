//! One field of an event: its value as protobuf, if it is one that the field can hold.

use etl_schemas::event::EventFieldKind;
use etl_schemas::wire::{
    FIXED32, FIXED64, LENGTH, put_array, put_key, put_length_delimited, put_number, put_timestamp_fields, put_varint,
    varint_len, zigzag,
};

use super::emit::RejectReason;
use crate::expression::{Context, Value, write_text};
use crate::mapping::FieldAssignment;

/// Appends a field. A required field of its type's default value is left out, as proto3 does.
#[inline]
pub(super) fn put_field(
    field: &FieldAssignment,
    context: &Context<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Box<RejectReason>> {
    let put = field.value.look(context, |value| Ok(put_field_value(field, value, context, out)));
    put.map_err(RejectReason::evaluate(&field.name))?
}

#[inline]
fn put_field_value(
    field: &FieldAssignment,
    value: &Value<'_>,
    context: &Context<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Box<RejectReason>> {
    use EventFieldKind as F;
    let number = field.number;
    match (&field.kind, *value) {
        (_, Value::Null) if field.optional => {}
        (_, Value::Null) => return Err(Box::new(RejectReason::Null { at: field.name.clone() })),
        (F::Bool, Value::Bool(value)) => put_integer(field, u64::from(value), out),
        (F::Int32, Value::Integer(value)) => {
            put_integer(field, i64::from(in_range::<i32>(field, value, "int32")?) as u64, out);
        }
        (F::Int64 | F::Enum(_), Value::Integer(value)) => put_integer(field, value as u64, out),
        (F::UInt32, Value::Integer(value)) => {
            put_integer(field, u64::from(in_range::<u32>(field, value, "uint32")?), out);
        }
        (F::UInt64, Value::Integer(value)) => put_integer(field, in_range::<u64>(field, value, "uint64")?, out),
        (F::SInt32, Value::Integer(value)) => {
            // An sint32's zigzag is that of 64 bits, as long as the value fits.
            put_integer(field, zigzag(i64::from(in_range::<i32>(field, value, "sint32")?)), out);
        }
        (F::SInt64, Value::Integer(value)) => put_integer(field, zigzag(value), out),
        (F::Double, value) => {
            let bits = double(value).to_bits();
            if bits != 0 || field.optional {
                put_key(out, number, FIXED64);
                out.extend_from_slice(&bits.to_le_bytes());
            }
        }
        (F::Float, value) => put_float(field, double(value), out)?,
        (F::String, Value::Text(text)) => put_bytes(field, without_nul_in(field, text)?.as_bytes(), out),
        (F::String, Value::Uuid(uuid)) => {
            put_array(out, number, &uuid.to_text());
        }
        (F::String, Value::Decimal(_)) => put_decimal(field, value, context, out),
        (F::Bytes, Value::Bytes(bytes)) => put_bytes(field, bytes, out),
        (F::Bytes, Value::Uuid(uuid)) => put_bytes(field, &uuid.to_bytes(), out),
        (F::Timestamp, Value::Instant(ticks)) => {
            let (seconds, nanos) = ticks.to_timestamp();
            let length = if seconds == 0 { 0 } else { 1 + varint_len(seconds as u64) }
                + if nanos == 0 { 0 } else { 1 + varint_len(nanos as u64) };
            put_key(out, number, LENGTH);
            put_varint(out, length as u64);
            put_timestamp_fields(out, seconds, nanos);
        }
        (kind, value) => unreachable!("the compiler checked that {kind:?} gets no {value:?}"),
    }
    Ok(())
}

#[inline]
fn put_integer(field: &FieldAssignment, value: u64, out: &mut Vec<u8>) {
    if value != 0 || field.optional {
        put_number(out, field.number, value);
    }
}

fn put_bytes(field: &FieldAssignment, bytes: &[u8], out: &mut Vec<u8>) {
    if !bytes.is_empty() || field.optional {
        put_length_delimited(out, field.number, bytes);
    }
}

fn put_decimal(field: &FieldAssignment, value: &Value<'_>, context: &Context<'_>, out: &mut Vec<u8>) {
    let mut text = bumpalo::collections::String::new_in(context.arena);
    write_text(&mut text, value).expect("an arena's string takes everything");
    put_length_delimited(out, field.number, text.as_bytes());
}

fn put_float(field: &FieldAssignment, value: f64, out: &mut Vec<u8>) -> Result<(), Box<RejectReason>> {
    let single = value as f32;
    if single.is_infinite() && value.is_finite() {
        return Err(Box::new(RejectReason::Range { at: field.name.clone(), value: value.to_string(), kind: "float" }));
    }
    if single.to_bits() != 0 || field.optional {
        put_key(out, field.number, FIXED32);
        out.extend_from_slice(&single.to_bits().to_le_bytes());
    }
    Ok(())
}

fn double(value: Value<'_>) -> f64 {
    match value {
        Value::Double(value) => value,
        Value::Integer(value) => value as f64,
        other => unreachable!("the compiler checked that a double gets no {other:?}"),
    }
}

fn in_range<T: TryFrom<i64>>(field: &FieldAssignment, value: i64, kind: &'static str) -> Result<T, Box<RejectReason>> {
    let out_of_range = |_| Box::new(RejectReason::Range { at: field.name.clone(), value: value.to_string(), kind });
    T::try_from(value).map_err(out_of_range)
}

fn without_nul_in<'a>(field: &FieldAssignment, text: &'a str) -> Result<&'a str, Box<RejectReason>> {
    match has_nul(text.as_bytes()) {
        true => Err(Box::new(RejectReason::Nul { at: field.name.clone() })),
        false => Ok(text),
    }
}

/// Streams and keys are short: for those a search that is made for long texts takes longer to begin than to end.
#[inline]
pub(super) fn has_nul(bytes: &[u8]) -> bool {
    const SHORT_BYTES: usize = 32;
    match bytes.len() {
        ..=SHORT_BYTES => short_has_nul(bytes),
        _ => memchr::memchr(0, bytes).is_some(),
    }
}

/// Looks at eight bytes at a time: taking one from each borrows from the next where there was none to take.
#[inline]
fn short_has_nul(bytes: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let has_zero = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        word.wrapping_sub(ONES) & !word & HIGHS != 0
    };
    match (bytes.as_chunks().0, bytes.last_chunk()) {
        // The last eight overlap those before.
        (words, Some(last)) => words.iter().any(has_zero) || has_zero(last),
        (_, None) => bytes.contains(&0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_nul_is_found_wherever_it_is(mut bytes: Vec<u8>, at: proptest::sample::Index) {
            prop_assert_eq!(has_nul(&bytes), bytes.contains(&0));
            bytes.iter_mut().for_each(|byte| *byte = (*byte).max(1));
            prop_assert!(!has_nul(&bytes));
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = 0;
                prop_assert!(has_nul(&bytes));
            }
        }
    }
}
