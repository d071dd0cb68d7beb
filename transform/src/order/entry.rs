//! Events while they are ordered: fixed-size entries that point into an arena.

use std::cmp::Ordering;
use std::sync::Arc;

use etl_schemas::ticks::Ticks;

/// One event on its way. Its key, stream and body lie one behind another in the arena of its run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub occurred_at: Ticks,
    /// The first bytes of the key behind its kind, so that most comparisons need no look into the arena.
    pub key_prefix: u64,
    /// Where the key begins in the arena.
    pub offset: u32,
    pub body_len: u32,
    /// Place of the source's block in the plan.
    pub block: u32,
    /// Place of the source's row in its block.
    pub row: u32,
    /// Place of the mapping in the program.
    pub mapping: u16,
    pub rank: u16,
    pub key_len: u16,
    pub stream_len: u16,
}

impl Entry {
    /// Bytes that an entry takes in a spill file.
    pub(crate) const ENCODED_BYTES: usize = 40;

    /// Bytes of key, stream and body.
    pub(crate) fn payload_len(&self) -> usize {
        usize::from(self.key_len) + usize::from(self.stream_len) + self.body_len as usize
    }

    pub(crate) fn payload<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        &arena[self.offset as usize..][..self.payload_len()]
    }

    pub(crate) fn key<'a>(&self, arena: &'a [u8]) -> &'a [u8] {
        &arena[self.offset as usize..][..usize::from(self.key_len)]
    }

    /// The prefix of a key: its second to ninth byte, filled up with zeros. Orders as the key does, as far as it goes.
    pub(crate) fn prefix(key: &[u8]) -> u64 {
        let value = key.get(1..).unwrap_or_default();
        if let Some(first) = value.first_chunk() {
            return u64::from_be_bytes(*first);
        }
        let mut bytes = [0; 8];
        bytes[..value.len()].copy_from_slice(value);
        u64::from_be_bytes(bytes)
    }

    /// The events' order, which two different events never share.
    #[inline]
    pub(crate) fn compare_event(&self, arena: &[u8], other: &Entry, other_arena: &[u8]) -> Ordering {
        (self.occurred_at, self.rank, self.key_prefix)
            .cmp(&(other.occurred_at, other.rank, other.key_prefix))
            .then_with(|| self.key(arena).cmp(other.key(other_arena)))
    }

    /// The events' order, and between duplicates that of their source rows.
    #[inline]
    pub(crate) fn compare(&self, arena: &[u8], other: &Entry, other_arena: &[u8]) -> Ordering {
        self.compare_event(arena, other, other_arena)
            .then_with(|| (self.block, self.row, self.mapping).cmp(&(other.block, other.row, other.mapping)))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.occurred_at.0.to_le_bytes());
        out.extend_from_slice(&self.key_prefix.to_le_bytes());
        for number in [self.offset, self.body_len, self.block, self.row] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for number in [self.mapping, self.rank, self.key_len, self.stream_len] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }

    pub(crate) fn decode(bytes: &[u8; Entry::ENCODED_BYTES]) -> Entry {
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("the slice has 8 bytes"));
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("the slice has 4 bytes"));
        let short = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().expect("the slice has 2 bytes"));
        Entry {
            occurred_at: Ticks(long(0) as i64),
            key_prefix: long(8),
            offset: word(16),
            body_len: word(20),
            block: word(24),
            row: word(28),
            mapping: short(32),
            rank: short(34),
            key_len: short(36),
            stream_len: short(38),
        }
    }
}

/// Events in order, with the arena that holds them.
///
/// The merge asks all of its runs again and again, and what they hold was written by other threads. So all that it most
/// often asks is here, and not behind a pointer.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// Shared with what is on its way into a batch.
    pub entries: Arc<Vec<Entry>>,
    pub arena: Arc<Vec<u8>>,
    /// Those before this place are gone.
    next: usize,
    /// How many are left.
    left: usize,
    /// When the next one happened.
    head: Ticks,
    bytes: usize,
    /// Whether the keys' prefixes rose from row to row, so that no two of them are the same.
    pub keys_rise: bool,
}

impl Run {
    /// From entries in the order of their rows.
    pub(crate) fn sorted(mut entries: Vec<Entry>, arena: Vec<u8>) -> Run {
        let keys_rise = entries.is_sorted_by(|left, right| left.key_prefix < right.key_prefix);
        let order = |left: &Entry, right: &Entry| left.compare(&arena, right, &arena);
        if !entries.is_sorted_by(|left, right| order(left, right).is_le()) {
            entries = by_time(&entries);
            // Events of one time are in the order of their rows, which mostly is that of their keys.
            for same in entries.chunk_by_mut(|left, right| left.occurred_at == right.occurred_at) {
                same.sort_unstable_by(order);
            }
        }
        Run { keys_rise, ..Run::new(entries, arena) }
    }

    /// From entries in their order.
    pub(crate) fn new(entries: Vec<Entry>, arena: Vec<u8>) -> Run {
        let bytes = arena.capacity() + entries.capacity() * size_of::<Entry>();
        let (left, head) = (entries.len(), entries.first().map_or(Ticks::MAX, |first| first.occurred_at));
        let (entries, arena) = (Arc::new(entries), Arc::new(arena));
        Run { entries, arena, next: 0, left, head, bytes, keys_rise: false }
    }

    pub(crate) fn remaining(&self) -> &[Entry] {
        &self.entries[self.next..]
    }

    /// Place of the next event among the entries.
    pub(crate) fn next(&self) -> usize {
        self.next
    }

    /// How many events are left.
    pub(crate) fn left(&self) -> usize {
        self.left
    }

    /// When the next event happened; `None` without one.
    pub(crate) fn head(&self) -> Option<Ticks> {
        (self.left > 0).then_some(self.head)
    }

    /// The next `count` events are gone.
    pub(crate) fn skip(&mut self, count: usize) {
        self.next += count;
        self.left -= count;
        if let Some(first) = self.entries.get(self.next) {
            self.head = first.occurred_at;
        }
    }

    /// Memory that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The entries by time, those of one time as they stood. Distance from the first time and place fit a word as long as a
/// block's events lie within a few years, and words are sorted much faster than what has to be compared field by field.
fn by_time(entries: &[Entry]) -> Vec<Entry> {
    let place_bits = usize::BITS - entries.len().leading_zeros();
    let first = entries.iter().map(|entry| entry.occurred_at.0).min().unwrap_or_default();
    let last = entries.iter().map(|entry| entry.occurred_at.0).max().unwrap_or_default();
    if last.abs_diff(first).leading_zeros() < place_bits {
        let mut sorted = entries.to_vec();
        sorted.sort_by_key(|entry| entry.occurred_at);
        return sorted;
    }
    let words = entries.iter().zip(0u64..);
    let mut words: Vec<u64> =
        words.map(|(entry, place)| entry.occurred_at.0.abs_diff(first) << place_bits | place).collect();
    words.sort_unstable();
    words.iter().map(|word| entries[(word & ((1 << place_bits) - 1)) as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_come_back(numbers: [u64; 2], words: [u32; 4], shorts: [u16; 4]) {
            let entry = Entry {
                occurred_at: Ticks(numbers[0] as i64),
                key_prefix: numbers[1],
                offset: words[0],
                body_len: words[1],
                block: words[2],
                row: words[3],
                mapping: shorts[0],
                rank: shorts[1],
                key_len: shorts[2],
                stream_len: shorts[3],
            };
            let mut bytes = Vec::new();
            entry.encode(&mut bytes);
            let bytes: [u8; Entry::ENCODED_BYTES] = bytes.try_into().unwrap();
            prop_assert_eq!(format!("{:?}", Entry::decode(&bytes)), format!("{entry:?}"));
        }

        #[test]
        fn runs_are_in_order_however_far_apart_their_times_lie(
            events in proptest::collection::vec((any::<i64>(), 0u64..4), 0..80),
            shift in 0u32..62,
        ) {
            let entry = |row: usize, (at, key_prefix): &(i64, u64)| Entry {
                occurred_at: Ticks(at >> shift),
                key_prefix: *key_prefix,
                offset: 0,
                body_len: 0,
                block: 0,
                row: row as u32,
                mapping: 0,
                rank: 0,
                key_len: 0,
                stream_len: 0,
            };
            let entries: Vec<Entry> = events.iter().enumerate().map(|(row, event)| entry(row, event)).collect();
            let mut wanted = entries.clone();
            wanted.sort_by(|left, right| left.compare(&[], right, &[]));
            let run = Run::sorted(entries, Vec::new());
            prop_assert_eq!(format!("{:?}", run.remaining()), format!("{wanted:?}"));
        }

        #[test]
        fn prefixes_order_as_keys_do(a: Vec<u8>, b: Vec<u8>) {
            let key = |value: &[u8]| [&[2], value].concat();
            let (a, b) = (key(&a), key(&b));
            let by_prefix = Entry::prefix(&a).cmp(&Entry::prefix(&b));
            prop_assert!(by_prefix.is_eq() || by_prefix == a.cmp(&b));
        }
    }
}
