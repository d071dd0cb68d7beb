//! `etl events`: the ordered stream as JSON lines on stdout, whole or a selection; or what became of one row.

mod explain;

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use etl_load::jsonl::JsonLines;
use etl_load::sink::Sink;
use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::event::EventCatalog;
use etl_transform::Window;

use super::pipeline::Pipeline;
use super::work_folder::{self, WorkFolder};
use crate::arguments::EventsArguments;
use crate::failure::Outcome;
use crate::interrupt;
use crate::output::count;

pub(super) fn run(project: &Path, arguments: &EventsArguments) -> anyhow::Result<Outcome> {
    etl_transform::share_one_heap();
    let pipeline = Pipeline::open(project, &arguments.transform)?;
    if let Some([table, key]) = arguments.explain.as_deref() {
        return explain::run(&pipeline, arguments, table, key);
    }
    let mut lines = lines(&pipeline.catalog, arguments)?;
    let parent = arguments.transform.work.clone().unwrap_or_else(|| work_folder::of_project(&pipeline.project));
    let work = WorkFolder::passing(&parent)?;
    let window = Window { since: arguments.seek, until: arguments.until };
    let mut stream = pipeline.seek(&arguments.transform, &work, window)?;
    while !lines.is_full() {
        interrupt::check()?;
        let Some(batch) = stream.next_batch()? else {
            lines.finish()?;
            return told(stream.finish()?.rows_quarantined());
        };
        lines.write(&Arc::new(batch))?;
    }
    lines.finish()?;
    Ok(Outcome::Done)
}

/// The writer, which leaves out what isn't asked for.
fn lines(catalog: &EventCatalog, arguments: &EventsArguments) -> anyhow::Result<JsonLines<io::Stdout>> {
    let mut ranks = Vec::new();
    for name in &arguments.types {
        match catalog.event_type(name) {
            Some(event_type) => ranks.push(event_type.rank),
            None => {
                let known = catalog.types.iter().map(|known| known.name.as_str());
                bail!("--type {name}: events.proto has no such message; {}", did_you_mean(name, known));
            }
        }
    }
    let mut lines = JsonLines::new("stdout", io::stdout(), catalog).limit(arguments.limit.unwrap_or(u64::MAX));
    if arguments.seek.is_some() {
        lines = lines.without_positions();
    }
    let (streams, since) = (arguments.stream.clone(), arguments.since);
    if ranks.is_empty() && streams.is_empty() && since.is_none() {
        return Ok(lines);
    }
    Ok(lines.only(move |event| {
        since.is_none_or(|since| event.occurred_at >= since)
            && (ranks.is_empty() || ranks.contains(&event.rank))
            && (streams.is_empty() || streams.iter().any(|stream| stream == event.stream()))
    }))
}

/// A stream that was read to its end also says what isn't in it.
fn told(quarantined: u64) -> anyhow::Result<Outcome> {
    if quarantined == 0 {
        return Ok(Outcome::Done);
    }
    writeln!(
        io::stderr(),
        "{} rows couldn't be taken by every mapping; `etl seed` keeps them in quarantine",
        count(quarantined)
    )?;
    Ok(Outcome::Rejects)
}
