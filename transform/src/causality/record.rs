//! Records of events, whose order as bytes brings effects behind the causes they name.
//!
//! `constraint u16, hash of the value 16 bytes, side u8 (0 cause, 1 effect), time u64, hash of the key 8 bytes,
//! block u32, row u32, mapping u16`, big-endian; the time's sign bit is flipped.

use etl_schemas::event::EventFieldKind;
use etl_schemas::ticks::Ticks;
use etl_schemas::wire::{WireReader, WireValue};
use sha2::{Digest, Sha256};

use super::constraint::Side;
use crate::order::Entry;

/// Bytes of a record.
pub(crate) const BYTES: usize = 45;

/// One event as one side of one constraint.
pub(crate) type Record = [u8; BYTES];

/// A record taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub constraint: u16,
    pub value: [u8; 16],
    pub is_effect: bool,
    pub time: Ticks,
    pub key: [u8; 8],
    pub block: u32,
    pub row: u32,
    pub mapping: u16,
}

impl Parts {
    /// The record of an event that names a value; `None` for one whose optional field is absent.
    pub(super) fn of(
        constraint: u16,
        is_effect: bool,
        side: &Side,
        entry: &Entry,
        arena: &[u8],
        block: u32,
    ) -> Option<Parts> {
        let payload = entry.payload(arena);
        let body = &payload[usize::from(entry.key_len) + usize::from(entry.stream_len)..];
        let (time, row, mapping) = (entry.occurred_at, entry.row, entry.mapping);
        let value = value_hash(side, body)?;
        Some(Parts {
            constraint,
            value,
            is_effect,
            time,
            key: first(&Sha256::digest(entry.key(arena))),
            block,
            row,
            mapping,
        })
    }

    pub(super) fn encode(&self) -> Record {
        let mut record = [0; BYTES];
        record[..2].copy_from_slice(&self.constraint.to_be_bytes());
        record[2..18].copy_from_slice(&self.value);
        record[18] = u8::from(self.is_effect);
        record[19..27].copy_from_slice(&(self.time.0 as u64 ^ 1 << 63).to_be_bytes());
        record[27..35].copy_from_slice(&self.key);
        record[35..39].copy_from_slice(&self.block.to_be_bytes());
        record[39..43].copy_from_slice(&self.row.to_be_bytes());
        record[43..].copy_from_slice(&self.mapping.to_be_bytes());
        record
    }

    pub(super) fn decode(record: &Record) -> Parts {
        Parts {
            constraint: u16::from_be_bytes(first(&record[..2])),
            value: first(&record[2..18]),
            is_effect: record[18] == 1,
            time: Ticks((u64::from_be_bytes(first(&record[19..27])) ^ 1 << 63) as i64),
            key: first(&record[27..35]),
            block: u32::from_be_bytes(first(&record[35..39])),
            row: u32::from_be_bytes(first(&record[39..43])),
            mapping: u16::from_be_bytes(first(&record[43..])),
        }
    }
}

/// The first bytes of a longer slice.
pub(super) fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[..N]);
    array
}

/// A hash of the field's value that no two values share (128 bits of SHA-256).
fn value_hash(side: &Side, body: &[u8]) -> Option<[u8; 16]> {
    let mut found = None;
    let mut reader = WireReader::new(body);
    while let Ok(Some((number, value))) = reader.field() {
        if number == side.field {
            found = Some(value);
        }
    }
    let digest = match found {
        Some(WireValue::Varint(value) | WireValue::Fixed64(value)) => Sha256::digest(value.to_le_bytes()),
        Some(WireValue::Fixed32(value)) => Sha256::digest(u64::from(value).to_le_bytes()),
        Some(WireValue::Bytes(bytes)) => Sha256::digest(bytes),
        None if side.optional => return None,
        // proto3 leaves out a field that holds its type's zero.
        None => match side.kind {
            EventFieldKind::String | EventFieldKind::Bytes => Sha256::digest([]),
            EventFieldKind::Timestamp => return None,
            _ => Sha256::digest(0u64.to_le_bytes()),
        },
    };
    Some(first(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_come_back_and_order_by_value_side_and_time(
            numbers: [(u16, [u8; 16], bool, i64, [u8; 8], u32, u32, u16); 2],
        ) {
            let [left, right] = numbers.map(|(constraint, value, is_effect, time, key, block, row, mapping)| {
                Parts { constraint, value, is_effect, time: Ticks(time), key, block, row, mapping }
            });
            prop_assert_eq!(Parts::decode(&left.encode()), left);
            let order = |parts: &Parts| (parts.constraint, parts.value, parts.is_effect, parts.time);
            let expected = order(&left).cmp(&order(&right));
            prop_assert!(expected.is_eq() || expected == left.encode().cmp(&right.encode()));
        }
    }
}
