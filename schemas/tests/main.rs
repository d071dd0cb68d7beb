//! The schemas crate from outside, as the other crates use it.

#![allow(clippy::unwrap_used, reason = "what the tests build on fails a test by panicking")]

mod dump {
    mod damage;
    mod directory;
    mod golden;
    mod round_trip;
    mod sample;
    mod schema_files;
    mod verify;
}
