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
const SHORT_NAME_BYTES: usize = BLOCK_BYTES - NAMESPACE_BYTES - 1 - 8;

/// The UUID of `name` in `namespace`.
#[inline]
pub fn uuid5(namespace: &Uuid, name: &[u8]) -> Uuid {
    match name.len() <= SHORT_NAME_BYTES {
        true => short(namespace, name),
        false => long(namespace, name),
    }
}

fn short(namespace: &Uuid, name: &[u8]) -> Uuid {
    let mut block = [0; BLOCK_BYTES];
    let end = NAMESPACE_BYTES + name.len();
    block[..NAMESPACE_BYTES].copy_from_slice(namespace.as_bytes());
    block[NAMESPACE_BYTES..end].copy_from_slice(name);
    block[end] = 0x80;
    block[BLOCK_BYTES - 8..].copy_from_slice(&(8 * end as u64).to_be_bytes());
    let mut state = INITIAL;
    sha1::compress(&mut state, &[GenericArray::from(block)]);
    let mut bytes = [0; 16];
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    Builder::from_sha1_bytes(bytes).into_uuid()
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
}
