//! The extractor against a server that speaks SQL Server's protocol over a real SQL engine.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod catalog;
mod connection;
mod dumped;
mod faults;
mod gentleness;
mod ranges;
mod resume;
mod source;
mod types;
