//! Version 5 UUIDs (RFC 9562, section 5.5): SHA-1 of a namespace and a name.
//!
//! Made with the `sha1` crate, which uses the processor's SHA instructions; the `uuid` crate's own version does not.
//! Ids are made several times per event, nearly all of short names: namespace, name and padding then fit one block of
//! SHA-1, which is filled in place and compressed without the crate's buffering, in half the time.

use sha1::digest::generic_array::GenericArray;
use sha1::{Digest, Sha1};
use uuid::{Builder, Uuid};

/// SHA-1's initial state (RFC 3174, section 6.1).
const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
const BLOCK_BYTES: usize = 64;
const NAMESPACE_BYTES: usize = 16;
/// Behind the name stand a byte that ends it and the length in bits.
const NAME_END_MAX: usize = BLOCK_BYTES - 1 - 8;

/// The UUID of `name` in `namespace`.
#[inline]
pub fn uuid5(namespace: &Uuid, name: &[u8]) -> Uuid {
    let mut short = ShortName::new(namespace);
    match short.put(name) {
        true => short.uuid5(),
        false => long(namespace, name),
    }
}

/// A name that fits one block, put together in it behind its namespace.
pub struct ShortName {
    block: [u8; BLOCK_BYTES],
    end: usize,
}

impl ShortName {
    /// An empty one.
    #[inline]
    pub fn new(namespace: &Uuid) -> ShortName {
        let mut block = [0; BLOCK_BYTES];
        block[..NAMESPACE_BYTES].copy_from_slice(namespace.as_bytes());
        ShortName { block, end: NAMESPACE_BYTES }
    }

    /// Appends bytes; `false`, and nothing is appended, if the name would be too long.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) -> bool {
        match self.block[..NAME_END_MAX].get_mut(self.end..self.end + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.end += bytes.len();
                true
            }
            None => false,
        }
    }

    /// Appends the first `length` of these bytes, of which those behind are zero: all are copied, since their number is
    /// known when this is compiled.
    #[inline]
    pub fn put_first<const N: usize>(&mut self, bytes: &[u8; N], length: usize) -> bool {
        debug_assert!(bytes[length..].iter().all(|byte| *byte == 0));
        match self.block[self.end..].first_chunk_mut::<N>() {
            Some(room) if self.end + length <= NAME_END_MAX => {
                *room = *bytes;
                self.end += length;
                true
            }
            _ => self.put(&bytes[..length]),
        }
    }

    /// What was put.
    pub fn name(&self) -> &[u8] {
        &self.block[NAMESPACE_BYTES..self.end]
    }

    /// Its UUID.
    #[inline]
    pub fn uuid5(mut self) -> Uuid {
        self.block[self.end] = 0x80;
        self.block[NAME_END_MAX + 1..].copy_from_slice(&(8 * self.end as u64).to_be_bytes());
        let mut state = INITIAL;
        sha1::compress(&mut state, &[GenericArray::from(self.block)]);
        let mut bytes = [0; 16];
        for (bytes, word) in bytes.chunks_exact_mut(4).zip(state) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        Builder::from_sha1_bytes(bytes).into_uuid()
    }
}

fn long(namespace: &Uuid, name: &[u8]) -> Uuid {
    let digest = Sha1::new().chain_update(namespace.as_bytes()).chain_update(name).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Builder::from_sha1_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_comes_out() {
        let expected = "2ed6657d-e927-568b-95e1-2665a8aea6a2";
        assert_eq!(uuid5(&Uuid::NAMESPACE_DNS, b"www.example.com").to_string(), expected);
    }

    #[test]
    fn names_of_every_length_around_a_block_are_hashed_as_by_the_crate() {
        let name: Vec<u8> = (0..200).collect();
        for length in 0..name.len() {
            let name = &name[..length];
            assert_eq!(uuid5(&Uuid::NAMESPACE_OID, name), long(&Uuid::NAMESPACE_OID, name), "{length} bytes");
        }
    }

    #[test]
    fn names_that_are_put_together_are_hashed_as_whole_ones() {
        let name: Vec<u8> = (1..100).collect();
        for length in 0..name.len() {
            for middle in 0..=length.min(24) {
                let mut padded = [0; 24];
                padded[..middle].copy_from_slice(&name[length - middle..length]);
                let mut short = ShortName::new(&Uuid::NAMESPACE_OID);
                let fits = short.put(&name[..length - middle]) && short.put_first(&padded, middle);
                assert_eq!(fits, length <= 39, "{length} bytes");
                if fits {
                    assert_eq!(short.name(), &name[..length]);
                    assert_eq!(short.uuid5(), long(&Uuid::NAMESPACE_OID, &name[..length]), "{length} bytes");
                }
            }
        }
    }
}
