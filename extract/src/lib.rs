//! Reads live SQL Server databases gently, and dumps their tables exactly.
//!
//! In: an [`Extract`]: a source's URL, the tables to read, a directory. Out: a dump ([`etl_schemas::dump`]) and an
//! [`ExtractReport`], or an error that says where and what to do next. Everything here blocks its caller; the runtime
//! behind the connections is this crate's own business.
//!
//! What can't happen: a row that is lost or changed in silence. Every value is checked against its column, rows are
//! counted at both ends, and a dump without all of them has no manifest.

mod begun;
mod browser;
pub mod catalog;
mod chunk_size;
pub mod connect;
mod database_snapshot;
pub mod error;
mod key;
mod pace;
mod plan;
pub mod progress;
pub mod report;
mod row_sink;
mod row_source;
pub mod run;
mod seek;
pub mod survey;
pub mod url;

pub use run::{Extract, Inspect, extract, inspect, plan};
