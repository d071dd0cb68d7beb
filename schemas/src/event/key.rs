//! An event's key as bytes whose order is the key's order, so that the merge compares with one `memcmp`.
//!
//! The first byte says what the key is; integers follow big-endian with the sign bit flipped, text and UUIDs as they
//! are. All keys of one event type are of one kind: the mapping compiler sees to it.

use std::fmt;

use uuid::Uuid;

const INTEGER: u8 = 1;
const TEXT: u8 = 2;
const UUID: u8 = 3;

/// Appends an integer key.
#[inline]
pub fn put_integer_key(out: &mut Vec<u8>, value: i64) {
    let mut bytes = [INTEGER; 9];
    bytes[1..].copy_from_slice(&(value as u64 ^ 1 << 63).to_be_bytes());
    out.extend_from_slice(&bytes);
}

/// Appends a text key.
#[inline]
pub fn put_text_key(out: &mut Vec<u8>, value: &str) {
    out.push(TEXT);
    out.extend_from_slice(value.as_bytes());
}

/// Appends a UUID key.
#[inline]
pub fn put_uuid_key(out: &mut Vec<u8>, value: &[u8; 16]) {
    out.push(UUID);
    out.extend_from_slice(value);
}

/// A key, read back from its bytes. Its text (`Display`) is what event ids are made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKey<'a> {
    /// An integer.
    Integer(i64),
    /// Text.
    Text(&'a str),
    /// A UUID.
    Uuid(Uuid),
}

impl<'a> EventKey<'a> {
    /// From the bytes that the `put_*_key` functions wrote; `None` for any other bytes.
    pub fn from_bytes(bytes: &'a [u8]) -> Option<EventKey<'a>> {
        let (kind, value) = bytes.split_first()?;
        match *kind {
            INTEGER => Some(EventKey::Integer((u64::from_be_bytes(value.try_into().ok()?) ^ 1 << 63) as i64)),
            TEXT => Some(EventKey::Text(std::str::from_utf8(value).ok()?)),
            UUID => Some(EventKey::Uuid(Uuid::from_slice(value).ok()?)),
            _ => None,
        }
    }
}

impl fmt::Display for EventKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventKey::Integer(value) => value.fmt(f),
            EventKey::Text(value) => f.write_str(value),
            EventKey::Uuid(value) => value.hyphenated().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_order_as_integers_do(a: i64, b: i64) {
            let (mut left, mut right) = (Vec::new(), Vec::new());
            put_integer_key(&mut left, a);
            put_integer_key(&mut right, b);
            prop_assert_eq!(left.cmp(&right), a.cmp(&b));
            prop_assert_eq!(EventKey::from_bytes(&left), Some(EventKey::Integer(a)));
        }

        #[test]
        fn other_bytes_are_no_key(bytes: Vec<u8>) {
            let _ = EventKey::from_bytes(&bytes);
        }
    }
}
