//! What an extraction did, as text and as JSON: tables, then what the source had to bear.

use std::time::Duration;

use etl_extract::report::{ExtractReport, Outcome as Ending, SourceLoad, TableReport};
use serde_json::json;

use crate::output::{count, rate, table};
use crate::sizes::show_bytes;

pub(super) fn as_text(report: &ExtractReport) -> String {
    let rows = report.tables.iter().map(|table| {
        vec![
            table.table.to_string(),
            count(table.rows),
            show_bytes(table.content_bytes),
            show_bytes(table.file_bytes),
            format!("{:.1}", table.elapsed.as_secs_f64()),
            rate(table.rows, table.elapsed.as_secs_f64()),
        ]
    });
    let mut text = table(&["table", "rows", "content", "files", "seconds", "rows"], rows);
    let seconds = report.elapsed.as_secs_f64();
    let all: u64 = report.tables.iter().map(|table| table.rows).sum();
    text.push_str(&format!("\n{} rows in {seconds:.1} s, {}\n", count(all), rate(all, seconds)));
    if report.replaced_characters > 0 {
        text.push_str(&format!("{} characters replaced\n", count(report.replaced_characters)));
    }
    text.push_str(&load_text(&report.load));
    text
}

/// The harm report.
fn load_text(load: &SourceLoad) -> String {
    let mut text = format!("on the source: {} queries", count(load.queries));
    if let Some((longest, table)) = &load.longest {
        text.push_str(&format!(", the longest {:.2} s ({table})", longest.as_secs_f64()));
    }
    text.push_str(&format!("; {} rows, {} read\n", count(load.rows), show_bytes(load.bytes)));
    let times = |number: u64, what: &str| (number > 0).then(|| format!("{} {what}", count(number)));
    let waited =
        (load.paced > Duration::ZERO).then(|| format!("{:.1} s waited for the rate", load.paced.as_secs_f64()));
    let troubles = [
        waited,
        times(load.slow_downs, "rests because queries became slower"),
        times(load.cut_short, "queries cut short"),
        times(load.lock_timeouts, "lock timeouts"),
        times(load.retries, "parts read again"),
    ];
    let troubles: Vec<String> = troubles.into_iter().flatten().collect();
    if !troubles.is_empty() {
        text.push_str(&format!("  {}\n", troubles.join("; ")));
    }
    text
}

pub(super) fn as_json(report: &ExtractReport) -> serde_json::Value {
    let tables: Vec<_> = report.tables.iter().map(table_json).collect();
    let failed: Vec<_> = report
        .failed
        .iter()
        .map(|failed| json!({"table": failed.table.to_string(), "reason": failed.reason}))
        .collect();
    let longest = report.load.longest.as_ref();
    json!({
        "complete": report.outcome == Ending::Complete,
        "fingerprint": report.fingerprint,
        "seconds": report.elapsed.as_secs_f64(),
        "tables": tables,
        "failed": failed,
        "replaced_characters": report.replaced_characters,
        "queries": report.load.queries,
        "longest_query_seconds": longest.map(|(longest, _)| longest.as_secs_f64()),
        "longest_query_table": longest.map(|(_, table)| table.to_string()),
        "rows_read": report.load.rows,
        "bytes_read": report.load.bytes,
        "seconds_waited_for_rate": report.load.paced.as_secs_f64(),
        "slow_downs": report.load.slow_downs,
        "queries_cut_short": report.load.cut_short,
        "lock_timeouts": report.load.lock_timeouts,
        "retries": report.load.retries,
    })
}

fn table_json(table: &TableReport) -> serde_json::Value {
    json!({
        "table": table.table.to_string(),
        "rows": table.rows,
        "content_bytes": table.content_bytes,
        "file_bytes": table.file_bytes,
        "seconds": table.elapsed.as_secs_f64(),
        "parts_kept": table.parts_kept,
        "replaced_characters": table.replaced_characters,
    })
}
