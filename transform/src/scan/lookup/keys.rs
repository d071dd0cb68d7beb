//! Where a lookup's keys lead: to their entries.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use etl_schemas::wire::{WireReader, put_varint};

/// Keys of databases need no protection from collisions, so one multiplication spreads them (Knuth, "The Art of
/// Computer Programming", volume 3, section 6.4, multiplicative hashing by the golden ratio).
#[derive(Clone, Copy, Default)]
pub(super) struct Multiplicative(u64);

impl Hasher for Multiplicative {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, value: u64) {
        let mixed = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 32;
    }

    fn write_i64(&mut self, value: i64) {
        self.write_u64(value as u64);
    }
}

pub(super) type Map<K> = HashMap<K, u64, BuildHasherDefault<Multiplicative>>;

/// A table of integers from the first key on may have so many empty places for each that is taken. A hash map costs
/// five times a place.
const PLACES_PER_KEY: usize = 4;
/// And so many more at the beginning, so that a gap early on doesn't decide.
const PLACES_LEAST: usize = 4_096;
/// What a place says, all zero when it is empty: an offset plus one below this bit, or ...
const HERE: u8 = 0x80;
/// ... this bit and a length in the last byte, and an entry so short in those before, which saves a look at the content.
const HERE_BYTES_MAX: usize = 3;

/// Where the entries of integer keys are.
pub(super) enum Integers {
    /// Keys that rise with few gaps, as identities do, by their distance from the first.
    Dense { first: i64, places: Vec<[u8; 4]>, keys: usize },
    /// Any keys: offsets.
    Sparse(Map<i64>),
}

impl Default for Integers {
    fn default() -> Integers {
        Integers::Dense { first: 0, places: Vec::new(), keys: 0 }
    }
}

/// Appends an entry behind its length; gives its offset.
pub(super) fn append(content: &mut Vec<u8>, entry: &[u8]) -> u64 {
    let offset = content.len() as u64;
    put_varint(content, entry.len() as u64);
    content.extend_from_slice(entry);
    offset
}

/// The entry that [`append`] put there.
#[inline]
pub(super) fn entry_at(content: &[u8], offset: u64) -> Option<&[u8]> {
    WireReader::new(content.get(offset as usize..)?).delimited().ok()
}

impl Integers {
    #[inline]
    pub(super) fn find<'a>(&'a self, key: i64, content: &'a [u8]) -> Option<&'a [u8]> {
        match self {
            Integers::Dense { first, places, .. } => {
                let place = usize::try_from(key.checked_sub(*first)?).ok()?;
                entry_of(places.get(place)?, content)
            }
            Integers::Sparse(map) => entry_at(content, *map.get(&key)?),
        }
    }

    /// Whether the key is new.
    pub(super) fn insert(&mut self, key: i64, entry: &[u8], content: &mut Vec<u8>) -> bool {
        if let Integers::Dense { first, places, keys } = self {
            if *keys == 0 {
                *first = key;
            }
            let limit = places.len().max(PLACES_LEAST + *keys * PLACES_PER_KEY);
            let place = key.checked_sub(*first).and_then(|place| usize::try_from(place).ok());
            match place.filter(|place| *place < limit && content.len() < i32::MAX as usize) {
                Some(place) => {
                    places.resize(places.len().max(place + 1), [0; 4]);
                    *keys += 1;
                    return std::mem::replace(&mut places[place], place_of(entry, content)) == [0; 4];
                }
                None => self.spread(content),
            }
        }
        match self {
            Integers::Sparse(map) => map.insert(key, append(content, entry)).is_none(),
            Integers::Dense { .. } => unreachable!("keys that don't fit were just spread into a map"),
        }
    }

    /// Moves all keys into a map.
    #[cold]
    fn spread(&mut self, content: &mut Vec<u8>) {
        let Integers::Dense { first, places, keys } = self else { return };
        let mut map = Map::with_capacity_and_hasher(2 * *keys, BuildHasherDefault::default());
        for (place, bytes) in places.iter().enumerate().filter(|(_, bytes)| **bytes != [0; 4]) {
            let offset = match bytes[3] & HERE {
                0 => u64::from(u32::from_le_bytes(*bytes)) - 1,
                _ => append(content, &bytes[..usize::from(bytes[3] & !HERE)]),
            };
            map.insert(*first + place as i64, offset);
        }
        *self = Integers::Sparse(map);
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Integers::Dense { places, .. } => places.capacity() * size_of::<[u8; 4]>(),
            Integers::Sparse(map) => map.capacity() * (size_of::<(i64, u64)>() + 1),
        }
    }
}

fn place_of(entry: &[u8], content: &mut Vec<u8>) -> [u8; 4] {
    if entry.len() > HERE_BYTES_MAX {
        // The caller keeps offsets below 2^31.
        return (append(content, entry) as u32 + 1).to_le_bytes();
    }
    let mut bytes = [0, 0, 0, HERE | entry.len() as u8];
    bytes[..entry.len()].copy_from_slice(entry);
    bytes
}

#[inline]
fn entry_of<'a>(place: &'a [u8; 4], content: &'a [u8]) -> Option<&'a [u8]> {
    match place[3] & HERE {
        0 => entry_at(content, u64::from(u32::from_le_bytes(*place)).checked_sub(1)?),
        _ => place.get(..usize::from(place[3] & !HERE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> impl Strategy<Value = i64> {
        prop_oneof![0i64..20_000, -50i64..50, any::<i64>(), Just(i64::MIN), Just(i64::MAX)]
    }

    proptest! {
        #[test]
        fn integers_are_found_however_they_lie(
            entries in proptest::collection::vec((key(), proptest::collection::vec(any::<u8>(), 0..6)), 0..60),
            others in proptest::collection::vec(key(), 20),
        ) {
            let (mut integers, mut content, mut plain) = (Integers::default(), Vec::new(), HashMap::new());
            for (key, entry) in &entries {
                let is_new = plain.insert(*key, entry.as_slice()).is_none();
                prop_assert_eq!(integers.insert(*key, entry, &mut content), is_new);
            }
            for key in entries.iter().map(|(key, _)| key).chain(&others) {
                prop_assert_eq!(integers.find(*key, &content), plain.get(key).copied());
            }
        }
    }

    #[test]
    fn keys_that_rise_without_large_gaps_take_four_bytes_and_others_a_map() {
        let (mut integers, mut content) = (Integers::default(), Vec::new());
        for key in 0..100_000 {
            assert!(integers.insert(5_000_000 + 3 * key, &[8, 1], &mut content));
        }
        assert!(matches!(integers, Integers::Dense { .. }) && content.is_empty());
        assert!(integers.bytes() < 8 * 300_000);
        assert!(integers.insert(3, b"far off", &mut content));
        assert!(matches!(integers, Integers::Sparse(_)));
        let found = [5_000_003, 3, 4].map(|key| integers.find(key, &content));
        assert_eq!(found, [Some(&[8, 1][..]), Some(b"far off"), None]);
    }
}
