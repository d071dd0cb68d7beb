//! The end of a block's content, while a small field is written there.
//!
//! A field is put together in place, in a room that is made at once for the longest of them: no look at the capacity
//! for each byte, and no copy.

use crate::ticks::Ticks;
use crate::wire::{LENGTH, varint_len};

/// Keys of the fields of the messages within a field: number and wire type.
pub(crate) const KEY_1_VARINT: u8 = 1 << 3;
pub(crate) const KEY_1_MESSAGE: u8 = 1 << 3 | LENGTH;
pub(crate) const KEY_2_VARINT: u8 = 2 << 3;
pub(crate) const KEY_2_MESSAGE: u8 = 2 << 3 | LENGTH;

/// Room for a small field: the longest, a datetimeoffset, takes
/// 5 (key) + 1 (length) + 2 (key, length) + 17 (Timestamp) + 6 (offset) = 31, and varints are written eight bytes wide.
pub(crate) const TAIL_BYTES: usize = 40;

/// The end of the content, while a small field is written there.
pub(crate) struct Tail<'a> {
    bytes: &'a mut [u8; TAIL_BYTES],
    len: usize,
}

impl<'a> Tail<'a> {
    #[inline]
    pub(crate) fn new(bytes: &'a mut [u8; TAIL_BYTES]) -> Tail<'a> {
        Tail { bytes, len: 0 }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// A field's key of `len` bytes, padded with zeros: the first thing written.
    #[inline]
    pub(crate) fn key(&mut self, key: [u8; 8], len: usize) {
        self.bytes[..8].copy_from_slice(&key);
        self.len = len;
    }

    #[inline]
    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    #[inline]
    pub(crate) fn varint(&mut self, mut value: u64) {
        if value < 1 << 56 {
            let len = varint_len(value);
            // Every byte but the last says that another one follows.
            let more = 0x8080_8080_8080_8080 & ((1 << (8 * (len - 1))) - 1);
            let bytes = (spread(value) | more).to_le_bytes();
            self.bytes[self.len..self.len + 8].copy_from_slice(&bytes);
            self.len += len;
            return;
        }
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    /// What `fill` writes, behind its length. It is shorter than 128 bytes, so its length is one byte.
    #[inline]
    pub(crate) fn message(&mut self, fill: impl FnOnce(&mut Self)) {
        let start = self.len;
        self.len += 1;
        fill(self);
        self.bytes[start] = (self.len - start - 1) as u8;
    }

    #[inline]
    pub(crate) fn timestamp(&mut self, value: Ticks) {
        let (seconds, nanos) = value.to_timestamp();
        if seconds != 0 {
            self.byte(KEY_1_VARINT);
            self.varint(seconds as u64);
        }
        if nanos != 0 {
            self.byte(KEY_2_VARINT);
            self.varint(nanos as u64);
        }
    }
}

/// Eight groups of seven bits, each moved to a byte of its own, by halves: 28 bits, 14 bits, 7 bits.
#[inline]
fn spread(value: u64) -> u64 {
    let by_28 = value & 0x0fff_ffff | (value & 0x00ff_ffff_f000_0000) << 4;
    let by_14 = by_28 & 0x0000_3fff_0000_3fff | (by_28 & 0x0fff_c000_0fff_c000) << 2;
    by_14 & 0x007f_007f_007f_007f | (by_14 & 0x3f80_3f80_3f80_3f80) << 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::put_varint;

    proptest! {
        #[test]
        fn varints_are_the_ones_the_plain_loop_writes(value: u64, shift in 0..64u32) {
            let value = value >> shift;
            let mut bytes = [0; TAIL_BYTES];
            let mut tail = Tail::new(&mut bytes);
            tail.varint(value);
            let length = tail.len();
            let mut expected = Vec::new();
            put_varint(&mut expected, value);
            prop_assert_eq!(&bytes[..length], &expected[..]);
        }
    }
}
