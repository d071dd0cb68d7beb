//! `etl dump`: looks into a dump, and proves it whole.

use std::fs;
use std::io::{BufWriter, StdoutLock, Write};
use std::path::Path;

use anyhow::Context;
use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::dump::{BlockBuffer, Dump, DumpTable, RowJson, verify};
use etl_schemas::table::Column;
use etl_schemas::ticks::Ticks;
use serde_json::json;

use super::pipeline::all_cores;
use crate::arguments::DumpCommand;
use crate::failure::Outcome;
use crate::interrupt;
use crate::output::{count, stdout, table};
use crate::progress::Progress;
use crate::sizes::show_bytes;

pub(super) fn run(command: &DumpCommand) -> anyhow::Result<Outcome> {
    match command {
        DumpCommand::Ls { dump, json } => list(&dump.folder, *json),
        DumpCommand::Verify { dump, json } => prove(&dump.folder, *json),
        DumpCommand::Cat { dump, table, limit } => print_rows(&dump.folder, table, limit.unwrap_or(u64::MAX)),
        DumpCommand::Schema { dump, table } => print_schema(&dump.folder, table.as_deref()),
    }
}

fn list(folder: &Path, json: bool) -> anyhow::Result<Outcome> {
    let dump = Dump::open(folder)?;
    let mut out = stdout();
    if json {
        let tables: Vec<_> = dump.tables().iter().map(table_json).collect();
        let source = &dump.manifest().source;
        let shown = json!({
            "id": dump.manifest().id.to_string(), "fingerprint": dump.fingerprint(),
            "source": {"server": source.server, "database": source.database, "started_at": source.started_at.to_string()},
            "tables": tables,
        });
        writeln!(out, "{shown:#}")?;
    } else {
        let source = &dump.manifest().source;
        // To the second: the fraction tells a person nothing.
        let (seconds, _) = source.started_at.to_timestamp();
        let read = Ticks::from_timestamp(seconds, 0).unwrap_or_default();
        writeln!(out, "{} on {}, read {read} UTC", source.database, source.server)?;
        let rows = dump.tables().iter().map(|table| {
            let key = table.schema.key.as_ref().map_or("heap".to_string(), |key| {
                let names: Vec<&str> =
                    key.columns.iter().map(|place| table.schema.columns[*place].name.as_str()).collect();
                names.join(", ")
            });
            vec![
                table.schema.name.to_string(),
                count(table.rows()),
                show_bytes(table.content_bytes()),
                show_bytes(table.bytes()),
                count(table.parts.len() as u64),
                key,
            ]
        });
        write!(out, "{}", crate::output::table(&["table", "rows", "content", "files", "parts", "key"], rows))?;
        for noted in dump.tables() {
            for note in &noted.notes {
                writeln!(out, "{}: {note}", noted.schema.name)?;
            }
        }
    }
    out.flush()?;
    Ok(Outcome::Done)
}

fn table_json(table: &DumpTable) -> serde_json::Value {
    let columns: Vec<_> = table.schema.columns.iter().map(column_json).collect();
    json!({
        "table": table.schema.name.to_string(), "rows": table.rows(), "content_bytes": table.content_bytes(),
        "file_bytes": table.bytes(), "parts": table.parts.len(), "columns": columns, "notes": table.notes,
    })
}

fn column_json(column: &Column) -> serde_json::Value {
    json!({"name": column.name, "type": column.sql_type.to_string(), "nullable": column.nullable})
}

fn prove(folder: &Path, json: bool) -> anyhow::Result<Outcome> {
    let progress = Progress::new();
    let all = Dump::open(folder).map_or(0, |dump| dump.manifest().bytes());
    let report = {
        let task = progress.task("verify", all, "bytes");
        verify(folder, all_cores(), &|bytes| task.advance(bytes))?
    };
    let mut out = stdout();
    if json {
        let findings: Vec<_> = report
            .findings
            .iter()
            .map(|found| json!({"file": found.path, "block": found.block, "problem": found.problem}))
            .collect();
        let shown = json!({
            "whole": report.is_whole(), "tables": report.tables, "parts": report.parts, "blocks": report.blocks,
            "rows": report.rows, "bytes": report.bytes, "findings": findings,
        });
        writeln!(out, "{shown:#}")?;
    } else {
        for finding in &report.findings {
            writeln!(out, "{finding}")?;
        }
        let state = if report.is_whole() { "whole" } else { "DAMAGED" };
        writeln!(
            out,
            "{state}: {} tables, {} parts, {} blocks, {} rows, {} read; {} findings",
            count(report.tables),
            count(report.parts),
            count(report.blocks),
            count(report.rows),
            show_bytes(report.bytes),
            count(report.findings.len() as u64)
        )?;
    }
    out.flush()?;
    Ok(if report.is_whole() { Outcome::Done } else { Outcome::Rejects })
}

fn print_rows(folder: &Path, name: &str, limit: u64) -> anyhow::Result<Outcome> {
    let dump = Dump::open(folder)?;
    let table = find_table(&dump, name)?;
    let json = RowJson::new(&table.schema, table.layout());
    let mut out = stdout();
    let mut left = limit;
    for part in 0..table.parts.len() {
        if left == 0 {
            break;
        }
        left = print_part(table, part, &json, left, &mut out)?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}

/// Prints up to `left` rows of a part, and gives back how many are still left to print.
fn print_part(
    table: &DumpTable,
    part: usize,
    json: &RowJson,
    mut left: u64,
    out: &mut BufWriter<StdoutLock<'static>>,
) -> anyhow::Result<u64> {
    let part = table.open_part(part)?;
    let mut buffer = BlockBuffer::default();
    let mut line = Vec::new();
    for block in 0..part.blocks().len() {
        part.read(block, &mut buffer)?;
        let mut cells = Vec::new();
        for (place, row) in buffer.rows().enumerate() {
            interrupt::check()?;
            if left == 0 {
                return Ok(0);
            }
            line.clear();
            let shown = || format!("{}: block {block}, row {place}", part.path().display());
            json.write(row, &mut cells, &mut line).with_context(shown)?;
            line.push(b'\n');
            out.write_all(&line)?;
            left -= 1;
        }
    }
    Ok(left)
}

fn print_schema(folder: &Path, name: Option<&str>) -> anyhow::Result<Outcome> {
    let dump = Dump::open(folder)?;
    let mut out = stdout();
    match name {
        None => {
            let path = folder.join("schema.proto");
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            out.write_all(text.as_bytes())?;
        }
        Some(name) => {
            let found = find_table(&dump, name)?;
            writeln!(out, "message {}", found.schema.full_name())?;
            let rows = found.schema.columns.iter().map(|column| {
                let null = if column.nullable { "NULL" } else { "NOT NULL" };
                vec![
                    column.name.clone(),
                    format!("{} {null}", column.sql_type),
                    format!("{:?}", column.kind()),
                    column.field.clone(),
                    column.id.to_string(),
                    column.sql_type.carried().postgres,
                ]
            });
            write!(out, "{}", table(&["column", "SQL Server", "protobuf", "field", "number", "Postgres"], rows))?;
        }
    }
    out.flush()?;
    Ok(Outcome::Done)
}

fn find_table<'a>(dump: &'a Dump, name: &str) -> anyhow::Result<&'a DumpTable> {
    let wanted = match name.parse() {
        Ok(wanted) => wanted,
        Err(never) => match never {},
    };
    dump.table(&wanted).with_context(|| {
        let names: Vec<String> = dump.tables().iter().map(|table| table.schema.name.to_string()).collect();
        let help = did_you_mean(&wanted.to_string(), names.iter().map(String::as_str));
        format!("{}: no table `{wanted}` in this dump; {help}", dump.dir().display())
    })
}
