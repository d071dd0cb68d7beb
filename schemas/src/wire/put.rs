//! What writers append: varints, keys, values. Never more than one look for room for each.

use super::{LENGTH, VARINT};

/// Bytes of the longest varint.
const VARINT_BYTES_MAX: usize = 10;
/// Bytes of the longest key: fields are numbered in 29 bits.
const KEY_BYTES_MAX: usize = 5;

/// Appends a varint.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, value: u64) {
    // One byte is by far the most frequent length.
    match value {
        0..0x80 => out.push(value as u8),
        _ => put_long_varint(out, value),
    }
}

#[inline]
fn put_long_varint(out: &mut Vec<u8>, value: u64) {
    let mut bytes = [0; PAIR_BYTES];
    let end = write_varint(&mut bytes, 0, value);
    put_first(out, &bytes, end);
}

/// Room for a key and a varint behind it, as wide as the processor copies at once.
const PAIR_BYTES: usize = 16;
const _: () = assert!(PAIR_BYTES >= KEY_BYTES_MAX + VARINT_BYTES_MAX);

/// Writes a varint from `start` on; gives its end. One that has no room is cut off, which those of this module never are.
#[inline]
fn write_varint(bytes: &mut [u8; PAIR_BYTES], start: usize, mut value: u64) -> usize {
    let mut at = start;
    while value >= 0x80 && at < PAIR_BYTES - 1 {
        bytes[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    bytes[at] = value as u8;
    at + 1
}

/// Appends the first `length` of these bytes, no more than there are. All are copied, since their number is known when
/// this is compiled, and those too many cut off: that costs less than a copy of just so many.
#[inline]
pub fn put_first<const N: usize>(out: &mut Vec<u8>, bytes: &[u8; N], length: usize) {
    debug_assert!(length <= N);
    let end = out.len() + length;
    out.extend_from_slice(bytes);
    out.truncate(end);
}

/// Length of a varint in bytes, 1 to 10.
#[inline]
pub fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

/// Maps signed to unsigned so that small magnitudes stay short (`sint32`, `sint64`).
#[inline]
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The key before a value: field number and wire type.
#[inline]
pub fn put_key(out: &mut Vec<u8>, field: u32, wire_type: u8) {
    put_varint(out, u64::from(field) << 3 | u64::from(wire_type));
}

/// A key and a varint behind it: the whole of a number's field, or what stands before a string.
#[inline]
fn put_pair(out: &mut Vec<u8>, field: u32, wire_type: u8, value: u64) {
    let mut bytes = [0; PAIR_BYTES];
    let key = write_varint(&mut bytes, 0, u64::from(field) << 3 | u64::from(wire_type));
    let end = write_varint(&mut bytes, key, value);
    put_first(out, &bytes, end);
}

/// A number with its key.
#[inline]
pub fn put_number(out: &mut Vec<u8>, field: u32, value: u64) {
    put_pair(out, field, VARINT, value);
}

/// A string, bytes or embedded message with its key.
#[inline]
pub fn put_length_delimited(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    put_pair(out, field, LENGTH, value.len() as u64);
    out.extend_from_slice(value);
}

/// The same, of a length that is known when this is compiled.
#[inline]
pub fn put_array<const N: usize>(out: &mut Vec<u8>, field: u32, value: &[u8; N]) {
    put_pair(out, field, LENGTH, N as u64);
    out.extend_from_slice(value);
}

/// A `google.protobuf.Timestamp` message's fields, without key and length. Zero fields are left out, as proto3 does.
pub fn put_timestamp_fields(out: &mut Vec<u8>, seconds: i64, nanos: i32) {
    if seconds != 0 {
        put_number(out, 1, seconds as u64);
    }
    if nanos != 0 {
        put_number(out, 2, nanos as u64);
    }
}
