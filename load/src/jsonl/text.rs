//! Values as JSON text, appended to a buffer without an allocation of their own.

use etl_schemas::ticks::civil_from_days;
use serde::Serialize;
use uuid::Uuid;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// serde_json's own writers for what it writes best: escapes, integers, the shortest digits of a float.
fn put_json(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("a Vec takes everything, and no map with odd keys is written");
}

pub(super) fn put_string(out: &mut Vec<u8>, value: &str) {
    put_json(out, value);
}

pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_json(out, &value);
}

pub(super) fn put_unsigned(out: &mut Vec<u8>, value: u64) {
    put_json(out, &value);
}

/// `value` as its own type prints it; `wide` is the same as `f64`. What JSON has no number for stands in quotes.
pub(super) fn put_float(out: &mut Vec<u8>, value: impl Serialize, wide: f64) {
    if wide.is_finite() {
        put_json(out, &value);
    } else if wide.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else {
        out.extend_from_slice(if wide > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    }
}

/// Without quotes, because ids stand within longer constant text.
pub(super) fn put_uuid(out: &mut Vec<u8>, value: &Uuid) {
    let mut buffer = Uuid::encode_buffer();
    out.extend_from_slice(value.hyphenated().encode_lower(&mut buffer).as_bytes());
}

/// Standard alphabet with padding (RFC 4648, section 4), in quotes.
pub(super) fn put_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    out.reserve(bytes.len().div_ceil(3) * 4 + 1);
    let letter = |bits: u32, shift: u32| BASE64[(bits >> shift & 63) as usize];
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let mut letters = [letter(bits, 18), letter(bits, 12), letter(bits, 6), letter(bits, 0)];
        letters[chunk.len() + 1..].fill(b'=');
        out.extend_from_slice(&letters);
    }
    out.push(b'"');
}

/// RFC 3339 in UTC, in quotes; the fraction has 0, 3, 6 or 9 digits, as protobuf's mapping has it. `seconds` lie within
/// years 0001 to 9999.
pub(super) fn put_timestamp(out: &mut Vec<u8>, seconds: i64, nanos: i32) {
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400) as i32);
    let of_day = seconds.rem_euclid(86_400) as u32;
    out.push(b'"');
    put_digits::<4>(out, year as u32);
    out.push(b'-');
    put_digits::<2>(out, month);
    out.push(b'-');
    put_digits::<2>(out, day);
    out.push(b'T');
    put_digits::<2>(out, of_day / 3600);
    out.push(b':');
    put_digits::<2>(out, of_day / 60 % 60);
    out.push(b':');
    put_digits::<2>(out, of_day % 60);
    let nanos = nanos as u32;
    if nanos != 0 {
        out.push(b'.');
        match nanos {
            _ if nanos.is_multiple_of(1_000_000) => put_digits::<3>(out, nanos / 1_000_000),
            _ if nanos.is_multiple_of(1_000) => put_digits::<6>(out, nanos / 1_000),
            _ => put_digits::<9>(out, nanos),
        }
    }
    out.extend_from_slice(b"Z\"");
}

fn put_digits<const N: usize>(out: &mut Vec<u8>, mut value: u32) {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(put: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn base64_pads_as_the_rfc_shows() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")];
        for (plain, encoded) in cases {
            assert_eq!(written(|out| put_base64(out, plain.as_bytes())), format!("\"{encoded}\""));
        }
    }

    #[test]
    fn timestamps_cut_their_fraction_by_threes() {
        assert_eq!(written(|out| put_timestamp(out, 0, 0)), "\"1970-01-01T00:00:00Z\"");
        assert_eq!(written(|out| put_timestamp(out, -1, 120_000_000)), "\"1969-12-31T23:59:59.120Z\"");
        assert_eq!(written(|out| put_timestamp(out, -62_135_596_800, 1_000)), "\"0001-01-01T00:00:00.000001Z\"");
        assert_eq!(
            written(|out| put_timestamp(out, 253_402_300_799, 999_999_900)),
            "\"9999-12-31T23:59:59.999999900Z\""
        );
    }

    #[test]
    fn floats_without_a_json_number_stand_in_quotes() {
        assert_eq!(written(|out| put_float(out, f64::NAN, f64::NAN)), "\"NaN\"");
        assert_eq!(written(|out| put_float(out, f32::NEG_INFINITY, f64::NEG_INFINITY)), "\"-Infinity\"");
        assert_eq!(written(|out| put_float(out, 0.1f32, f64::from(0.1f32))), "0.1");
    }
}
