//! `etl events`: the ordered stream as JSON lines on stdout.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use etl_load::jsonl::JsonLines;
use etl_load::sink::Sink;

use super::pipeline::Pipeline;
use super::work_folder::{self, WorkFolder};
use crate::arguments::EventsArguments;
use crate::failure::Outcome;
use crate::interrupt;
use crate::output::count;

pub(super) fn run(project: &Path, arguments: &EventsArguments) -> anyhow::Result<Outcome> {
    let pipeline = Pipeline::open(project, &arguments.transform.from)?;
    let parent = arguments.transform.work.clone().unwrap_or_else(|| work_folder::of_project(&pipeline.project));
    let work = WorkFolder::passing(&parent)?;
    let mut stream = pipeline.run(&arguments.transform, &work)?;
    let limit = arguments.limit.unwrap_or(u64::MAX);
    let mut lines = JsonLines::new("stdout", io::stdout(), &pipeline.catalog).limit(limit);
    while !lines.is_full() {
        if interrupt::requested() {
            bail!("interrupted");
        }
        let Some(batch) = stream.next_batch()? else {
            lines.finish()?;
            return told(stream.finish()?.rows_quarantined());
        };
        lines.write(&Arc::new(batch))?;
    }
    lines.finish()?;
    Ok(Outcome::Done)
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
