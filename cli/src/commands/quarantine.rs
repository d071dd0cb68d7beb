//! `etl quarantine`: the rows of the last seed that a mapping couldn't take, and why.

use std::io::{BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use etl_schemas::dump::{BlockBuffer, Cell, Dump, Part, RowJson, RowLayout, RowReader};
use etl_schemas::project::Project;
use etl_schemas::table::TableName;
use etl_transform::quarantine_schema;
use serde_json::json;

use super::work_folder;
use crate::arguments::QuarantineArguments;
use crate::failure::Outcome;
use crate::output::stdout;

/// How many columns of the quarantine's schema are printed as they are; the row's own message follows them.
const PLACES: [&str; 7] = ["table", "key", "mapping", "reason", "part", "block", "row"];

pub(super) fn run(project: &Path, arguments: &QuarantineArguments) -> anyhow::Result<Outcome> {
    let work = match &arguments.work {
        Some(work) => work.clone(),
        None => work_folder::of_project(&Project::open(project)?),
    };
    let dump = arguments.from.as_deref().map(Dump::open).transpose()?;
    let layout = Arc::new(RowLayout::new(&quarantine_schema()));
    let mut out = stdout();
    for path in files(&work.join("quarantine"))? {
        let part = Part::open(&path, Arc::clone(&layout))?;
        print_part(&part, &RowReader::all(&layout), dump.as_ref(), &mut out)?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}

/// The quarantine's files by name; none when the last seed took every row.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let told = || folder.display().to_string();
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(told)? {
        let path = entry.with_context(told)?.path();
        if path.to_string_lossy().ends_with(".pb.gz") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn print_part(
    part: &Part,
    reader: &RowReader,
    dump: Option<&Dump>,
    out: &mut BufWriter<StdoutLock<'static>>,
) -> anyhow::Result<()> {
    let mut buffer = BlockBuffer::default();
    for block in 0..part.blocks().len() {
        part.read(block, &mut buffer)?;
        let mut cells = Vec::new();
        for (place, row) in buffer.rows().enumerate() {
            reader.read(row, &mut cells).map_err(|error| part.row_error(block, place as u64, error))?;
            print_row(&cells, dump, out)?;
        }
    }
    Ok(())
}

fn print_row(cells: &[Cell<'_>], dump: Option<&Dump>, out: &mut BufWriter<StdoutLock<'static>>) -> anyhow::Result<()> {
    let mut line = b"{".to_vec();
    for (name, cell) in PLACES.iter().zip(cells) {
        let value = match cell {
            Cell::Text(text) => json!(text),
            Cell::Integer(number) => json!(number),
            other => bail!("the quarantine holds {other:?} as {name}; seed again to have it written anew"),
        };
        write!(line, "\"{name}\":{value},")?;
    }
    if let (Some(dump), Some(Cell::Text(table)), Some(Cell::Bytes(content))) = (dump, cells.first(), cells.last()) {
        let name: TableName = table.parse().unwrap_or_else(|never| match never {});
        match dump.table(&name) {
            Some(table) => {
                line.extend_from_slice(b"\"content\":");
                RowJson::new(&table.schema, table.layout())
                    .write(content, &mut Vec::new(), &mut line)
                    .with_context(|| format!("the quarantined row of {name} isn't of this dump"))?;
                line.push(b',');
            }
            // The dump itself doesn't have derived tables; `etl events --explain` shows their rows.
            None if name.schema == "derived" => {}
            None => bail!("{}: no table {name} here", dump.dir().display()),
        }
    }
    line.pop();
    line.extend_from_slice(b"}\n");
    out.write_all(&line)?;
    Ok(())
}
