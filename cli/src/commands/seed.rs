//! `etl seed`: loads the ordered events into modules' databases, or writes them elsewhere.

mod report;
mod target;

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use etl_load::LoadError;
use etl_load::drive::{Drive, Ending, SinkProgress};
use etl_load::sink::{EVERYTHING, Sink, SinkReport};
use etl_transform::{EventStream, Ledger, TransformError};

use super::pipeline::Pipeline;
use super::work_folder::{self, WorkFolder};
use crate::arguments::SeedArguments;
use crate::failure::Outcome;
use crate::interrupt;
use crate::output::stdout;
use crate::progress::Progress;

pub(super) use report::{ledger_table, module_table};
pub(super) use target::{Target, open_sinks, selected};

/// Batches that wait for a sink at most: enough to keep it busy, few enough to stay within memory.
const QUEUE_BATCHES: usize = 4;

/// What a seed did.
pub(super) struct Seeded {
    /// Where the source's rows went; `None` when every sink was complete before.
    pub(super) ledger: Option<Ledger>,
    /// What each sink did, in the order of their names.
    pub(super) sinks: Vec<SinkReport>,
    /// From start to end.
    pub(super) elapsed: Duration,
}

pub(super) fn run(project: &Path, arguments: &SeedArguments) -> anyhow::Result<Outcome> {
    let pipeline = Pipeline::open(project, &arguments.transform.from)?;
    let target = Target::parse(&pipeline.project, &arguments.to)?;
    let work = arguments.transform.work.clone().unwrap_or_else(|| work_folder::of_project(&pipeline.project));
    let work = WorkFolder::kept(&work)?;
    let sinks = open_sinks(&pipeline, &target, arguments)?;
    let seeded = seed(&pipeline, sinks, arguments, &work)?;
    // With `jsonl:-` stdout carries the events, so the report goes where logs go.
    let text = match arguments.json {
        true => format!("{:#}\n", report::as_json(&seeded)),
        false => report::as_text(&seeded),
    };
    match target.takes_stdout() {
        true => std::io::stderr().write_all(text.as_bytes())?,
        false => {
            let mut out = stdout();
            out.write_all(text.as_bytes())?;
            out.flush()?;
        }
    }
    Ok(if report::has_rejects(&seeded) { Outcome::Rejects } else { Outcome::Done })
}

/// Feeds open sinks from the dump until they have everything.
pub(super) fn seed(
    pipeline: &Pipeline,
    sinks: Vec<Box<dyn Sink>>,
    arguments: &SeedArguments,
    work: &WorkFolder,
) -> anyhow::Result<Seeded> {
    let started = Instant::now();
    let drive = Drive::new(sinks, QUEUE_BATCHES);
    if drive.resume_position() == EVERYTHING {
        let outcome = drive.run(std::iter::empty::<Result<_, TransformError>>(), interrupt::flag());
        let sinks = outcome.sinks.into_iter().map(|sink| sink.result).collect::<Result<_, LoadError>>()?;
        return Ok(Seeded { ledger: None, sinks, elapsed: started.elapsed() });
    }
    let mut stream = pipeline.run(&arguments.transform, work)?;
    let progress = Progress::new();
    let watched = drive.progress().to_vec();
    let outcome = {
        let task = progress.task("seed", stream.progress().rows_all, "rows");
        let batches = std::iter::from_fn(|| {
            task.set(stream.progress().rows_read);
            stream.next_batch().transpose()
        });
        drive.run(batches, interrupt::flag())
    };
    let sinks = settle(outcome.sinks.into_iter().map(|sink| (sink.name, sink.result)), outcome.ending, &watched)?;
    let ledger = finish(stream)?;
    Ok(Seeded { ledger: Some(ledger), sinks, elapsed: started.elapsed() })
}

/// The reports of all sinks, or the errors of those that failed. What the others loaded stays loaded.
fn settle(
    sinks: impl Iterator<Item = (String, Result<SinkReport, LoadError>)>,
    ending: Ending<TransformError>,
    watched: &[std::sync::Arc<SinkProgress>],
) -> anyhow::Result<Vec<SinkReport>> {
    let (mut reports, mut failures) = (Vec::new(), Vec::new());
    for (name, result) in sinks {
        match result {
            Ok(report) => reports.push(report),
            Err(error @ LoadError::BrokenPipe { .. }) => return Err(error.into()),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    match ending {
        Ending::Producer(error) => return Err(error.into()),
        Ending::Stopped => return Err(anyhow!("interrupted")),
        Ending::Finished | Ending::NoSinkLeft => {}
    }
    if failures.is_empty() {
        return Ok(reports);
    }
    let kept: Vec<String> =
        watched.iter().map(|sink| format!("{}: up to event {}", sink.name(), shown(sink.durable()))).collect();
    Err(anyhow!(
        "{}\nwhat is loaded stays ({}); run the same command again to go on",
        failures.join("\n"),
        kept.join(", ")
    ))
}

fn shown(position: u64) -> String {
    match position {
        EVERYTHING => "the last".to_string(),
        other => crate::output::count(other),
    }
}

/// The ledger, which must account for every row.
fn finish(stream: EventStream) -> anyhow::Result<Ledger> {
    let ledger = stream.finish()?;
    match ledger.adds_up() {
        true => Ok(ledger),
        false => {
            Err(anyhow!("the ledger doesn't add up, so rows may be missing; this is a defect of etl, please report it"))
        }
    }
}
