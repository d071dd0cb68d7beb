//! Protobuf's wire format, by hand where rows go through by the million: no allocation, no reflection.
//!
//! Written: canonical protobuf (fields by rising number, minimal varints). Read: anything a protobuf writer may
//! produce, and hostile bytes end in [`WireError`], never in a panic or a read past the end.
//! Format: protobuf.dev, "Encoding".

mod put;
mod split;

use thiserror::Error;

pub use self::put::{
    put_array, put_first, put_key, put_length_delimited, put_number, put_timestamp_fields, put_varint, varint_len,
    zigzag,
};
pub(crate) use self::split::{split_delimited, split_timestamp, split_varint};
use self::split::{split_within_word, usual_timestamp};

/// Wire type of varints.
pub const VARINT: u8 = 0;
/// Wire type of `double` and `fixed64`.
pub const FIXED64: u8 = 1;
/// Wire type of strings, bytes and messages.
pub const LENGTH: u8 = 2;
/// Wire type of `float` and `fixed32`.
pub const FIXED32: u8 = 5;

/// Bytes that are no protobuf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// A value goes on past the end of its message.
    #[error("a value is cut off at the end of its message")]
    Truncated,
    /// A varint of more than ten bytes.
    #[error("a varint is longer than ten bytes")]
    LongVarint,
    /// A wire type that protobuf doesn't know or that no writer uses any more (groups).
    #[error("wire type {0} is not known")]
    WireType(u8),
    /// Field number 0 or beyond 536,870,911.
    #[error("field number {0} is out of range")]
    FieldNumber(u64),
    /// A field has another wire type than its schema says.
    #[error("field {field} has wire type {found}, which its schema doesn't expect")]
    Mismatch {
        /// The field's number.
        field: u32,
        /// The wire type found.
        found: u8,
    },
    /// Text that is not UTF-8.
    #[error("field {0} is no valid UTF-8")]
    Utf8(u32),
    /// A Timestamp outside years 0001 to 9999.
    #[error("field {0} holds a timestamp outside years 0001 to 9999")]
    Timestamp(u32),
}

/// The inverse of [`zigzag`].
#[inline]
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// A field's value as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WireValue<'a> {
    /// `bool`, `int*`, `uint*`, `sint*` (not yet unzigzagged), enums.
    Varint(u64),
    /// `double`, `fixed64`, `sfixed64`.
    Fixed64(u64),
    /// `string`, `bytes`, messages.
    Bytes(&'a [u8]),
    /// `float`, `fixed32`, `sfixed32`.
    Fixed32(u32),
}

impl WireValue<'_> {
    /// The wire type.
    pub fn wire_type(&self) -> u8 {
        match self {
            WireValue::Varint(_) => VARINT,
            WireValue::Fixed64(_) => FIXED64,
            WireValue::Bytes(_) => LENGTH,
            WireValue::Fixed32(_) => FIXED32,
        }
    }
}

/// Walks over the fields of one message, or over length-delimited messages one behind another.
#[derive(Clone, Debug)]
pub struct WireReader<'a> {
    rest: &'a [u8],
}

impl<'a> WireReader<'a> {
    /// Over the bytes of a message.
    pub fn new(bytes: &'a [u8]) -> WireReader<'a> {
        WireReader { rest: bytes }
    }

    /// What is left to read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How much is left.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next varint.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireError> {
        // One byte is by far the most frequent length.
        if let [first @ 0..0x80, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*first));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        match split_within_word(self.rest) {
            Some((value, rest)) => {
                self.rest = rest;
                Ok(value)
            }
            None => self.varint_by_bytes(),
        }
    }

    fn varint_by_bytes(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f).wrapping_shl(7 * index as u32);
            if byte & 0x80 == 0 {
                // The tenth byte carries the 64th bit alone.
                if index == 9 && *byte > 1 {
                    return Err(WireError::LongVarint);
                }
                self.rest = &self.rest[index + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { WireError::Truncated } else { WireError::LongVarint })
    }

    /// The next run of bytes behind its varint length: a delimited row, a string.
    #[inline]
    pub fn delimited(&mut self) -> Result<&'a [u8], WireError> {
        let length = self.varint()?;
        let length = usize::try_from(length).map_err(|_| WireError::Truncated)?;
        self.take(length)
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next field, or `None` at the end.
    #[inline]
    pub fn field(&mut self) -> Result<Option<(u32, WireValue<'a>)>, WireError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 || number >= 1 << 29 {
            return Err(WireError::FieldNumber(number));
        }
        Ok(Some((number as u32, self.value((key & 7) as u8)?)))
    }

    /// The value behind a key that said this wire type.
    #[inline]
    fn value(&mut self, wire_type: u8) -> Result<WireValue<'a>, WireError> {
        Ok(match wire_type {
            VARINT => WireValue::Varint(self.varint()?),
            LENGTH => WireValue::Bytes(self.delimited()?),
            FIXED64 => WireValue::Fixed64(u64::from_le_bytes(fixed(self.take(8)?))),
            FIXED32 => WireValue::Fixed32(u32::from_le_bytes(fixed(self.take(4)?))),
            other => return Err(WireError::WireType(other)),
        })
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("`take` gave just as many bytes")
}

/// Seconds and nanos of an embedded `google.protobuf.Timestamp`; absent fields are 0, unknown ones are skipped.
#[inline]
pub fn read_timestamp(message: &[u8]) -> Result<(i64, i32), WireError> {
    match usual_timestamp(message, 0) {
        Some(timestamp) => Ok(timestamp),
        None => any_timestamp(message),
    }
}

fn any_timestamp(message: &[u8]) -> Result<(i64, i32), WireError> {
    let (mut seconds, mut nanos) = (0, 0);
    let mut reader = WireReader::new(message);
    while let Some((number, value)) = reader.field()? {
        match (number, value) {
            (1, WireValue::Varint(value)) => seconds = value as i64,
            (2, WireValue::Varint(value)) => nanos = value as i32,
            (1 | 2, value) => return Err(WireError::Mismatch { field: number, found: value.wire_type() }),
            _ => {}
        }
    }
    Ok((seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn varints_come_back(value: u64) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            prop_assert_eq!(out.len(), varint_len(value));
            let mut reader = WireReader::new(&out);
            prop_assert_eq!(reader.varint(), Ok(value));
            prop_assert_eq!(reader.remaining(), 0);
        }

        #[test]
        fn fields_are_put_as_key_and_value(number in 1u32..1 << 29, shift in 0u32..64, value: u64, text: Vec<u8>) {
            let (mut together, mut apart) = (Vec::new(), Vec::new());
            put_number(&mut together, number, value >> shift);
            put_key(&mut apart, number, VARINT);
            put_varint(&mut apart, value >> shift);
            put_length_delimited(&mut together, number, &text);
            put_array(&mut together, number, &value.to_be_bytes());
            for bytes in [text.as_slice(), &value.to_be_bytes()] {
                put_key(&mut apart, number, LENGTH);
                put_varint(&mut apart, bytes.len() as u64);
                apart.extend_from_slice(bytes);
            }
            prop_assert_eq!(together, apart);
        }

        #[test]
        fn timestamps_are_read_alike_the_usual_way_and_any_way(
            pieces in proptest::collection::vec((0u64..4, any::<u64>(), 0u32..64), 0..4),
            rest in proptest::collection::vec(any::<u8>(), 0..3),
        ) {
            let mut message = Vec::new();
            for (field, value, shift) in pieces {
                put_varint(&mut message, field << 3);
                put_varint(&mut message, value >> shift);
            }
            for message in [message.clone(), [message, rest].concat()] {
                prop_assert_eq!(read_timestamp(&message), any_timestamp(&message));
            }
        }

        #[test]
        fn what_is_split_off_is_what_a_reader_reads(bytes: Vec<u8>, seconds: i64, nanos: i32, rest: Vec<u8>) {
            let mut reader = WireReader::new(&bytes);
            if let Some((value, rest)) = split_varint(&bytes) {
                prop_assert_eq!((reader.varint(), reader.rest), (Ok(value), rest));
            }
            let mut reader = WireReader::new(&bytes);
            if let Some((value, rest)) = split_delimited(&bytes) {
                prop_assert_eq!((reader.delimited(), reader.rest), (Ok(value), rest));
            }
            let mut message = Vec::new();
            put_timestamp_fields(&mut message, seconds, nanos);
            let mut delimited = Vec::new();
            put_varint(&mut delimited, message.len() as u64);
            delimited.extend([message, rest].concat());
            for bytes in [delimited, bytes] {
                let mut reader = WireReader::new(&bytes);
                if let Some((timestamp, rest)) = split_timestamp(&bytes) {
                    let message = reader.delimited().unwrap();
                    prop_assert_eq!((read_timestamp(message), reader.rest), (Ok(timestamp), rest));
                }
            }
        }

        #[test]
        fn varints_are_read_alike_whatever_follows(value: u64, shift in 0u32..64, rest: Vec<u8>) {
            let mut out = Vec::new();
            put_varint(&mut out, value >> shift);
            let length = out.len();
            out.extend_from_slice(&rest);
            let mut reader = WireReader::new(&out);
            prop_assert_eq!(reader.varint(), Ok(value >> shift));
            prop_assert_eq!(reader.remaining(), out.len() - length);
        }

        #[test]
        fn any_bytes_are_the_same_varint_read_by_bytes(bytes: Vec<u8>) {
            let (mut fast, mut plain) = (WireReader::new(&bytes), WireReader::new(&bytes));
            prop_assert_eq!(fast.varint(), plain.varint_by_bytes());
            prop_assert_eq!(fast.remaining(), plain.remaining());
        }

        #[test]
        fn zigzag_comes_back(value: i64) {
            prop_assert_eq!(unzigzag(zigzag(value)), value);
        }

        #[test]
        fn hostile_bytes_never_panic(bytes: Vec<u8>) {
            let mut reader = WireReader::new(&bytes);
            while let Ok(Some(_)) = reader.field() {}
            let _ = read_timestamp(&bytes);
        }
    }

    #[test]
    fn an_endless_varint_and_a_length_past_the_end_are_errors() {
        assert_eq!(WireReader::new(&[0xff; 11]).varint(), Err(WireError::LongVarint));
        assert_eq!(WireReader::new(&[0xff; 3]).varint(), Err(WireError::Truncated));
        assert_eq!(WireReader::new(&[0x0a, 5, 1]).field(), Err(WireError::Truncated));
        assert_eq!(WireReader::new(&[0x0b]).field(), Err(WireError::WireType(3)));
        assert_eq!(WireReader::new(&[0x00]).field(), Err(WireError::FieldNumber(0)));
    }
}
