//! Version 5 UUIDs (RFC 9562, section 5.5): SHA-1 of a namespace and a name.
//!
//! Made with the `sha1` crate, which uses the processor's SHA instructions; the `uuid` crate's own version does not,
//! and ids are made once per event.

use sha1::{Digest, Sha1};
use uuid::{Builder, Uuid};

/// The UUID of `name` in `namespace`.
#[inline]
pub fn uuid5(namespace: &Uuid, name: &[u8]) -> Uuid {
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
}
