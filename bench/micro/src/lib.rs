//! What the benchmarks share: the sample's legacy tables as a dump, the same rows cut otherwise, and compiled mappings.
//!
//! In: names of tables, a scale, a project's folder. Out: a [`Dump`](etl_schemas::dump::Dump) made the way users make
//! theirs, and a program over it. All of it is preparation and lies outside of what is measured, so every fault here is a
//! panic that says what was expected.

pub mod job;
pub mod recut;
pub mod sample;
