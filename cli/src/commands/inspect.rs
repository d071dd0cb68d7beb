//! `etl inspect`: the source's tables, and how each would be read.

use std::io::Write;
use std::path::Path;

use etl_extract::run::{Gentleness, Inspect, inspect};
use etl_extract::survey::{Cast, Reading, Survey, TableSurvey};
use etl_schemas::dump::KeyRange;
use etl_schemas::project::Project;
use serde_json::{Value, json};

use super::extract;
use crate::arguments::InspectArguments;
use crate::failure::{Interrupted, Outcome};
use crate::interrupt;
use crate::output::{count, stdout, table};
use crate::sizes::{show_bytes, show_duration};

pub(super) fn run(project: &Path, arguments: &InspectArguments) -> anyhow::Result<Outcome> {
    let project = Project::open(project)?;
    let (source, url, password) = extract::source(&project)?;
    let (client, casts) = (arguments.client.unwrap_or(source.client), project.casts.clone());
    let options = Inspect { url, password, client, casts, gentleness: Gentleness::default() };
    let survey = inspect(&options, interrupt::flag())?.ok_or(Interrupted)?;
    show(&survey, arguments.json)
}

/// Prints a survey; `etl extract --plan` does so too.
pub(super) fn show(survey: &Survey, json: bool) -> anyhow::Result<Outcome> {
    let mut out = stdout();
    match json {
        true => writeln!(out, "{:#}", as_json(survey))?,
        false => write!(out, "{}", as_text(survey))?,
    }
    out.flush()?;
    Ok(Outcome::Done)
}

fn as_text(survey: &Survey) -> String {
    let server = &survey.server;
    let mut text = format!(
        "{} on SQL Server {}, {}, read by {}\n\n",
        server.database, server.version, server.edition, server.client
    );
    let rows = survey.tables.iter().map(|table| {
        vec![
            table.table.to_string(),
            count(table.rows),
            table.bytes.map_or_else(|| "-".to_string(), show_bytes),
            if table.key.is_empty() { "none".to_string() } else { table.key.join(", ") },
            table.time.map_or_else(|| "-".to_string(), show_duration),
            reading(table),
        ]
    });
    text.push_str(&table(&["table", "rows", "bytes", "key", "about", "read"], rows));
    if let Some(time) = survey.time {
        text.push_str(&format!("all of it in about {}\n", show_duration(time)));
    }
    for TableSurvey { table, casts, unsupported, reading, .. } in &survey.tables {
        for Cast { column, sql_type, expressions } in casts {
            text.push_str(&format!("{table}.{column} ({sql_type}) is asked for as {}\n", expressions.join(", ")));
        }
        for column in unsupported {
            text.push_str(&format!("{column}, which can't be carried: exclude {table} under [tables] of etl.toml\n"));
        }
        if let Reading::Chunks { ranges, .. } = reading
            && ranges.len() > 1
        {
            let lines =
                ranges.iter().enumerate().map(|(part, range)| format!("{table} part {part}: {}\n", keys(range)));
            text.extend(lines);
        }
    }
    text
}

/// How a table is read, in words.
fn reading(table: &TableSurvey) -> String {
    match &table.reading {
        _ if !table.unsupported.is_empty() => "not at all, as it is".to_string(),
        Reading::SinglePass { reason } => format!("in a single pass: {reason}"),
        Reading::Chunks { parts: 1, .. } => "by chunks".to_string(),
        Reading::Chunks { parts, .. } => format!("by chunks, in {} parts", count(*parts)),
    }
}

fn keys(range: &KeyRange) -> String {
    let text = |values: &[String]| (!values.is_empty()).then(|| values.join(", "));
    match (text(&range.after), text(&range.through)) {
        (None, None) => "all keys".to_string(),
        (None, Some(through)) => format!("keys through {through}"),
        (Some(after), None) => format!("keys after {after}"),
        (Some(after), Some(through)) => format!("keys after {after} through {through}"),
    }
}

fn as_json(survey: &Survey) -> Value {
    let server = &survey.server;
    json!({
        "server": {"version": server.version, "edition": server.edition, "collation": server.collation},
        "client": server.client.to_string(),
        "database": {"name": server.database, "collation": server.database_collation},
        "seconds": survey.time.map(|time| time.as_secs_f64()),
        "tables": survey.tables.iter().map(table_json).collect::<Vec<_>>(),
    })
}

fn table_json(table: &TableSurvey) -> Value {
    let casts = table
        .casts
        .iter()
        .map(|cast| json!({"column": cast.column, "type": cast.sql_type, "expressions": cast.expressions}));
    let unsupported = table.unsupported.iter().map(|column| json!({"column": column.column, "type": column.sql_type}));
    let (parts, ranges, reason) = match &table.reading {
        Reading::SinglePass { reason } => (1, Vec::new(), Some(reason)),
        Reading::Chunks { parts, ranges } => (*parts, ranges.iter().map(range_json).collect(), None),
    };
    json!({
        "table": table.table.to_string(),
        "rows": table.rows,
        "bytes": table.bytes,
        "seconds": table.time.map(|time| time.as_secs_f64()),
        "key": table.key,
        "parts": parts,
        "ranges": ranges,
        "single_pass_because": reason,
        "casts": casts.collect::<Vec<_>>(),
        "unsupported": unsupported.collect::<Vec<_>>(),
    })
}

fn range_json(range: &KeyRange) -> Value {
    json!({"after": range.after, "through": range.through})
}
