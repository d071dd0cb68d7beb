//! stdout for results, stderr for everything else; tables that a person reads; numbers with separators.

use std::io::{self, BufWriter, StdoutLock};

use comfy_table::{CellAlignment, Table, presets};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Logs go to stderr: our own warnings, or more with `-v` and `-vv`; `RUST_LOG` says it in detail.
///
/// Libraries stay silent unless asked: what goes wrong in them comes back as an error, and is told once.
pub(crate) fn log_to_stderr(verbose: u8) {
    let level = [LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG][usize::from(verbose.min(2))];
    // A target covers all that begin with it, so this one is every crate of ours.
    let ours = Targets::new().with_target("etl", level);
    let asked = std::env::var("RUST_LOG").ok().and_then(|asked| asked.parse::<Targets>().ok());
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr).without_time();
    tracing_subscriber::registry().with(layer.with_filter(asked.unwrap_or(ours))).init();
}

/// stdout, buffered. Flush it before the end: an error on the last bytes counts as well.
pub(crate) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 * 1024, io::stdout().lock())
}

/// A table as plain text. A column whose every cell begins with a digit, or has none, is one of numbers.
pub(crate) fn table(headers: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(headers);
    for row in rows {
        table.add_row(row);
    }
    for index in 0..headers.len() {
        let is_number = |text: String| text == "-" || text.starts_with(|first: char| first.is_ascii_digit());
        let numbers =
            table.row_iter().filter_map(|row| row.cell_iter().nth(index)).all(|cell| is_number(cell.content()));
        if let Some(column) = table.column_mut(index).filter(|_| numbers) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Things per second, `0` when no time has passed.
pub(crate) fn rate(number: u64, seconds: f64) -> String {
    match seconds > 0.0 {
        true => format!("{}/s", count((number as f64 / seconds).round() as u64)),
        false => "-".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_columns_aligned() {
        assert_eq!(count(0), "0");
        assert_eq!(count(1_234_567), "1,234,567");
        let shown = table(&["table", "rows"], [vec!["dbo.A".into(), count(1000)], vec!["dbo.Long".into(), count(2)]]);
        assert_eq!(shown, " table      rows\n dbo.A     1,000\n dbo.Long      2\n");
    }
}
