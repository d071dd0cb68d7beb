//! `etl seed`: loads the ordered events into modules' databases, or writes them elsewhere.

mod report;
mod sinks;

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use etl_load::LoadError;
use etl_load::drive::{Drive, Ending, SinkProgress};
use etl_load::sink::{EVERYTHING, Sink, SinkReport};
use etl_schemas::event::EventBatch;
use etl_transform::{EventStream, Ledger};

use super::pipeline::Pipeline;
use super::target;
use super::work_folder::{self, WorkFolder};
use crate::arguments::SeedArguments;
use crate::failure::{Interrupted, Outcome, was_stopped};
use crate::interrupt;
use crate::output::stdout;
use crate::progress::{Progress, Task};

pub(super) use report::{ledger_table, module_table, sink_json};
pub(super) use sinks::open_sinks;

/// Events that wait for the slowest sink, in bytes: a sink that is farther behind gets a pass of its own.
const QUEUE_BYTES: usize = 64 << 20;

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
    let pipeline = Pipeline::open(project, &arguments.transform)?;
    let target = target::of_any_kind(&pipeline.project, "--to", &arguments.to)?;
    let work = arguments.transform.work.clone().unwrap_or_else(|| work_folder::of_project(&pipeline.project));
    let work = WorkFolder::kept(&work)?;
    let sinks = open_sinks(&pipeline, &target, arguments, &work)?;
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
    let drive = Drive::new(sinks, QUEUE_BYTES);
    if drive.resume_position() == EVERYTHING {
        let nothing = |_| Ok::<_, anyhow::Error>(std::iter::empty());
        let outcome = drive.run(nothing, interrupt::flag());
        let sinks = outcome.sinks.into_iter().map(|sink| sink.result).collect::<Result<_, LoadError>>()?;
        return Ok(Seeded { ledger: None, sinks, elapsed: started.elapsed() });
    }
    let progress = Progress::new();
    let watched = drive.progress().to_vec();
    let ledger = RefCell::new(None);
    let outcome = drive.run(|_| Pass::begin(pipeline, arguments, work, &progress, &ledger), interrupt::flag());
    let sinks = settle(outcome.sinks.into_iter().map(|sink| (sink.name, sink.result)), outcome.ending, &watched)?;
    // Without a whole pass every sink had failed, and that was told above.
    Ok(Seeded { ledger: ledger.into_inner(), sinks, elapsed: started.elapsed() })
}

/// The stream of events, read once. The first pass that comes to its end leaves the ledger; another one, for sinks that
/// were let go, makes the same events and keeps nothing.
struct Pass<'a> {
    stream: Option<EventStream>,
    task: Task<'a>,
    ledger: &'a RefCell<Option<Ledger>>,
    _passing: Option<WorkFolder>,
}

impl<'a> Pass<'a> {
    fn begin(
        pipeline: &Pipeline,
        arguments: &SeedArguments,
        work: &WorkFolder,
        progress: &'a Progress,
        ledger: &'a RefCell<Option<Ledger>>,
    ) -> anyhow::Result<Pass<'a>> {
        let again = ledger.borrow().is_some();
        let passing = if again { Some(WorkFolder::passing(work.path())?) } else { None };
        let stream = pipeline.run(&arguments.transform, passing.as_ref().unwrap_or(work))?;
        let name = if again { "seed, slower modules" } else { "seed" };
        let task = progress.task(name, stream.progress().rows_all, "rows");
        Ok(Pass { stream: Some(stream), task, ledger, _passing: passing })
    }
}

impl Iterator for Pass<'_> {
    type Item = anyhow::Result<EventBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let stream = self.stream.as_mut()?;
        self.task.set(stream.progress().rows_read);
        match stream.next_batch() {
            Ok(Some(batch)) => Some(Ok(batch)),
            Ok(None) => {
                let ledger = finish(self.stream.take()?);
                match ledger {
                    Ok(ledger) => {
                        self.ledger.borrow_mut().get_or_insert(ledger);
                        None
                    }
                    Err(error) => Some(Err(error)),
                }
            }
            Err(error) => Some(Err(error.into())),
        }
    }
}

/// The reports of all sinks, or the errors of those that failed. What the others loaded stays loaded.
fn settle(
    sinks: impl Iterator<Item = (String, Result<SinkReport, LoadError>)>,
    ending: Ending<anyhow::Error>,
    watched: &[std::sync::Arc<SinkProgress>],
) -> anyhow::Result<Vec<SinkReport>> {
    let (mut reports, mut failures, mut stopped) = (Vec::new(), Vec::new(), false);
    for (name, result) in sinks {
        match result {
            Ok(report) => reports.push(report),
            Err(error @ LoadError::BrokenPipe { .. }) => return Err(error.into()),
            Err(error) if was_stopped(&error) => {
                tracing::warn!("{error}");
                stopped = true;
            }
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    match ending {
        Ending::Producer(error) => return Err(error),
        Ending::Stopped => stopped = true,
        Ending::Finished | Ending::NoSinkLeft => {}
    }
    match (failures.is_empty(), stopped) {
        (true, false) => return Ok(reports),
        (true, true) => return Err(Interrupted.into()),
        (false, _) => {}
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
