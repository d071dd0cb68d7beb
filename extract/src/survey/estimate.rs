//! How long reading may take: the limits where there are any, else what one connection to a quiet server gives.
//!
//! An estimate from estimates: the rows and bytes are those of the server's metadata.

use std::time::Duration;

use crate::pace::Limits;
use crate::plan::TablePlan;

/// What a row costs beside its bytes, on one connection.
const SECONDS_PER_ROW: f64 = 2e-6;
/// What one connection carries.
const BYTES_PER_SECOND: f64 = 60e6;

/// One table, read with nothing beside it.
pub(super) fn table(table: &TablePlan, limits: Limits, jobs: usize) -> Duration {
    let connections = jobs.min(table.parts.len()).max(1);
    let (rows, bytes) = size(table);
    Duration::from_secs_f64((work(table) / connections as f64).max(limited(rows, bytes, limits)))
}

/// All of them: a table in one part can't be faster than its connection, and all can't be faster than the limits.
pub(super) fn whole(tables: &[TablePlan], limits: Limits, jobs: usize) -> Duration {
    let shared = tables.iter().map(work).sum::<f64>() / jobs.max(1) as f64;
    let slowest = tables.iter().map(|table| work(table) / table.parts.len().max(1) as f64).fold(0.0, f64::max);
    let rows = tables.iter().map(|table| size(table).0).sum();
    let bytes = tables.iter().map(|table| size(table).1).sum();
    Duration::from_secs_f64(shared.max(slowest).max(limited(rows, bytes, limits)))
}

fn size(table: &TablePlan) -> (f64, f64) {
    (table.rows as f64, table.bytes.unwrap_or(0) as f64)
}

/// Seconds of one connection.
fn work(table: &TablePlan) -> f64 {
    let (rows, bytes) = size(table);
    rows * SECONDS_PER_ROW + bytes / BYTES_PER_SECOND
}

fn limited(rows: f64, bytes: f64, limits: Limits) -> f64 {
    let by_rows = limits.rows_per_second.map_or(0.0, |rate| rows / rate as f64);
    by_rows.max(limits.bytes_per_second.map_or(0.0, |rate| bytes / rate as f64))
}
