//! `etl extract`: reads the source's tables into a dump.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context, anyhow};
use etl_extract::progress::{PlannedTable, Progress as Watch};
use etl_extract::report::{ExtractReport, Outcome as Ending, TableReport};
use etl_extract::run::{Extract, extract};
use etl_extract::url::SourceUrl;
use etl_schemas::dump::Level;
use etl_schemas::project::{Project, Setting};
use etl_schemas::table::TableName;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::arguments::ExtractArguments;
use crate::failure::Outcome;
use crate::interrupt;
use crate::output::{count, rate, stdout, table};
use crate::progress::{Progress, Task};
use crate::sizes::show_bytes;

/// Connections when neither the command line nor the project says how many.
const JOBS: usize = 4;

pub(super) fn run(project: &Path, arguments: &ExtractArguments) -> anyhow::Result<Outcome> {
    let project = Project::open(project)?;
    let options = options(&project, arguments)?;
    let progress = Progress::new();
    let report = extract(&options, &Bars::new(&progress), interrupt::flag())?;
    let mut out = stdout();
    match arguments.json {
        true => writeln!(out, "{:#}", as_json(&report))?,
        false => write!(out, "{}", as_text(&report))?,
    }
    out.flush()?;
    outcome(&report, &arguments.out)
}

/// What the project and the command line say together, checked.
pub(super) fn options(project: &Project, arguments: &ExtractArguments) -> anyhow::Result<Extract> {
    let source = project.source.as_ref().with_context(|| {
        format!("{}: no [source] in etl.toml, so there is nothing to read from", project.folder.display())
    })?;
    let url = source.url.resolve()?;
    let url: SourceUrl =
        url.expose_secret().parse().map_err(|error| anyhow!("{}", source.url.diagnostic(format!("{error}"), "")))?;
    Ok(Extract {
        url,
        password: source.password.as_ref().map(Setting::resolve).transpose()?,
        tables: project.tables.clone(),
        jobs: arguments.jobs.map(usize::from).or(source.jobs).unwrap_or(JOBS),
        out: arguments.out.clone(),
        level: Level::new(arguments.level).context("compression levels are 1 to 9")?,
        restart: arguments.restart,
    })
}

/// What the run came to; tables that failed are named with what to do.
fn outcome(report: &ExtractReport, out: &Path) -> anyhow::Result<Outcome> {
    match report.outcome {
        Ending::Complete => Ok(Outcome::Done),
        Ending::Cancelled => Err(anyhow!("interrupted")),
        Ending::TablesFailed => {
            let failed: Vec<String> =
                report.failed.iter().map(|failed| format!("{}: {}", failed.table, failed.reason)).collect();
            let (failed, folder) = (failed.join("\n"), out.display());
            Err(anyhow!("{failed}\n{folder} is unfinished; run the same command again to read what is missing"))
        }
    }
}

fn as_text(report: &ExtractReport) -> String {
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
    text.push_str(&format!("{} queries", count(report.load.queries)));
    if let Some((longest, table)) = &report.load.longest {
        text.push_str(&format!(", the longest {:.1} s ({table})", longest.as_secs_f64()));
    }
    text.push_str(&format!(
        "; {} read again; {} characters replaced\n",
        count(report.load.retries),
        count(report.replaced_characters)
    ));
    text
}

fn as_json(report: &ExtractReport) -> serde_json::Value {
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
        "queries": report.load.queries,
        "longest_query_seconds": longest.map(|(longest, _)| longest.as_secs_f64()),
        "longest_query_table": longest.map(|(_, table)| table.to_string()),
        "retries": report.load.retries,
        "replaced_characters": report.replaced_characters,
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

/// A bar for each table that is being read.
pub(super) struct Bars<'a> {
    progress: &'a Progress,
    tables: Mutex<HashMap<TableName, Bar<'a>>>,
}

enum Bar<'a> {
    /// Nothing of it was read yet; the estimate of its rows.
    Waiting(u64),
    Reading(Task<'a>),
}

impl<'a> Bars<'a> {
    pub(super) fn new(progress: &'a Progress) -> Bars<'a> {
        Bars { progress, tables: Mutex::new(HashMap::new()) }
    }

    fn with(&self, act: impl FnOnce(&mut HashMap<TableName, Bar<'a>>)) {
        // A watcher that panicked has spoilt its picture, not the run.
        if let Ok(mut tables) = self.tables.lock() {
            act(&mut tables);
        }
    }
}

impl Watch for Bars<'_> {
    fn planned(&self, tables: &[PlannedTable]) {
        self.with(|bars| bars.extend(tables.iter().map(|table| (table.name.clone(), Bar::Waiting(table.rows)))));
    }

    fn advanced(&self, table: &TableName, rows: u64, _bytes: u64) {
        self.with(|bars| {
            let Some(bar) = bars.get_mut(table) else { return };
            if let Bar::Waiting(total) = bar {
                *bar = Bar::Reading(self.progress.task(&table.to_string(), *total, "rows"));
            }
            if let Bar::Reading(task) = bar {
                task.advance(rows);
            }
        });
    }

    fn restarted(&self, table: &TableName, rows: u64, _bytes: u64, reason: &str) {
        self.progress.say(&format!("{table}: {reason}; reading it again"));
        self.with(|bars| {
            if let Some(Bar::Reading(task)) = bars.get(table) {
                task.retreat(rows);
            }
        });
    }

    fn finished(&self, table: &TableName) {
        self.with(|bars| drop(bars.remove(table)));
    }

    fn failed(&self, table: &TableName, _reason: &str) {
        // The report at the end tells the reason.
        self.with(|bars| drop(bars.remove(table)));
    }
}
