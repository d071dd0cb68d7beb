//! The quick way of reading: a value off the beginning of the bytes, and what follows it. `None` stands for whatever is
//! wrong or unusual; [`WireReader`] says which. Without an error to carry, what is read stays in registers.

use super::{VARINT, WireReader};

/// The varint at the beginning, and what follows it; `None` for what isn't one.
#[inline]
pub(crate) fn split_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    match bytes {
        [first @ 0..0x80, rest @ ..] => Some((u64::from(*first), rest)),
        _ => split_within_word(bytes).or_else(|| split_by_bytes(bytes)),
    }
}

/// The longest, and long ones near the end.
#[cold]
fn split_by_bytes(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut reader = WireReader::new(bytes);
    reader.varint_by_bytes().ok().map(|value| (value, reader.rest))
}

/// The run of bytes at the beginning, behind its length, and what follows it; `None` where it is cut off.
#[inline]
pub(crate) fn split_delimited(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = split_varint(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// A varint of up to eight bytes, with so many bytes there.
#[inline]
pub(super) fn split_within_word(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let word = u64::from_le_bytes(*bytes.first_chunk()?);
    let ends = !word & 0x8080_8080_8080_8080;
    if ends == 0 {
        return None;
    }
    let bits = ends.trailing_zeros() + 1;
    Some((seven_bits_of_each(word & (u64::MAX >> (64 - bits))), &bytes[bits as usize / 8..]))
}

/// Brings the lower seven bits of all eight bytes together.
#[inline]
fn seven_bits_of_each(word: u64) -> u64 {
    let pairs = word & 0x007f_007f_007f_007f | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let fours = pairs & 0x0000_3fff_0000_3fff | (pairs & 0x3fff_0000_3fff_0000) >> 2;
    fours & 0x0fff_ffff | (fours & 0x0fff_ffff_0000_0000) >> 4
}

/// Seconds and nanos of a `google.protobuf.Timestamp` behind its length, as nearly all writers write it, and what follows
/// it. `None` for anything else that [`read_timestamp`](super::read_timestamp) may take.
#[inline(always)]
pub(crate) fn split_timestamp(bytes: &[u8]) -> Option<((i64, i32), &[u8])> {
    let (length, message) = split_varint(bytes)?;
    let after = message.get(usize::try_from(length).ok()?..)?;
    Some((usual_timestamp(message, after.len())?, after))
}

/// As nearly all writers write it: seconds, then nanos unless they are 0. `None` for anything else. The message ends where
/// so many bytes are left: read over its end, a varint costs less than up to it.
#[inline]
pub(super) fn usual_timestamp(message: &[u8], left: usize) -> Option<(i64, i32)> {
    const SECONDS: u8 = 1 << 3 | VARINT;
    const NANOS: u8 = 2 << 3 | VARINT;
    let (seconds, rest) = split_varint(message.strip_prefix(&[SECONDS])?)?;
    if rest.len() == left {
        return Some((seconds as i64, 0));
    }
    let (nanos, rest) = split_varint(rest.strip_prefix(&[NANOS])?)?;
    (rest.len() == left).then_some((seconds as i64, nanos as i32))
}
