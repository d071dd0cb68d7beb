//! A run: the plan's parts, read by `jobs` connections at a time.
//!
//! In: an [`Extract`]. Out: a dump directory and an [`ExtractReport`]. Each connection has a thread of its own, which
//! takes parts off one list, the largest table first; blocks are compressed on rayon's threads meanwhile. What was
//! finished stays, however the run ends: a part appears under its name only when it is whole and synced.

mod backoff;
mod changes;
mod options;
mod packer;
mod part;
mod prepare;
mod source;
mod state;

use std::collections::HashMap;
use std::future::Future;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use etl_schemas::dump::{DumpWriter, FinishedTable, SourceInfo};
use etl_schemas::table::{TableName, TableSchema};
use etl_schemas::ticks::Ticks;
use futures_util::future::{Either, select};

use crate::begun::Begun;
use crate::catalog::ServerInfo;
use crate::database_snapshot::drop_statement;
use crate::error::ExtractError;
pub use crate::pace::Limits;
use crate::pace::Pace;
use crate::plan::TablePlan;
pub use crate::plan::ranges::PartSize;
use crate::progress::Progress;
use crate::report::{ExtractReport, Outcome, SourceLoad, TableReport};
use crate::survey::Survey;
pub use options::{Extract, Gentleness, Inspect};
use part::Reader;
use prepare::Prepared;
use source::Source;
use state::State;

/// How often a waiting run looks whether it was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// Looks at all tables of a source, and reads its catalog only.
pub fn inspect(options: &Inspect, cancelled: &AtomicBool) -> Result<Option<Survey>, ExtractError> {
    let source = options.source();
    let catalog = in_runtime(unless_cancelled(source.catalog(), || cancelled.load(Ordering::Relaxed)))?.transpose()?;
    catalog.map(|catalog| Survey::of_catalog(catalog, &options.casts, PartSize::default())).transpose()
}

/// What [`extract`] would do with these options and a new dump. Besides the catalog it reads single keys only, to find
/// the ranges of parts. `None` when it was cancelled.
pub fn plan(options: &Extract, cancelled: &AtomicBool) -> Result<Option<Survey>, ExtractError> {
    let work = prepare::survey(options, None);
    let prepared = in_runtime(unless_cancelled(work, || cancelled.load(Ordering::Relaxed)))?.transpose()?;
    Ok(prepared.map(|Prepared { server, plan, .. }| Survey::of_plan(server, &plan, options)))
}

/// Reads the source into a dump. Blocks until it is done or `cancelled` becomes true, which it notices within moments.
///
/// An error is what kept the run from its work as a whole. A table that can't be read doesn't end the run: it is in
/// the report.
pub fn extract(
    options: &Extract,
    progress: &dyn Progress,
    cancelled: &AtomicBool,
) -> Result<ExtractReport, ExtractError> {
    let started = Instant::now();
    let earlier = DumpWriter::unfinished_plan(&options.out)?;
    let kept = earlier.as_deref().filter(|_| !options.restart);
    let work = prepare::prepare(options, kept, progress);
    let prepared = in_runtime(unless_cancelled(work, || cancelled.load(Ordering::Relaxed)))?.transpose()?;
    let Some(prepared) = prepared else {
        let nothing = State::new(&[], SourceLoad::default());
        return Ok(nothing.report(&[], Outcome::Cancelled, Duration::ZERO, started.elapsed()));
    };
    let dump = begin(options, &prepared, earlier.as_deref())?;
    read(options, prepared, dump, progress, cancelled, started)
}

/// Begins the dump. A snapshot that no dump's plan names is dropped: no later run would know of it.
fn begin(options: &Extract, prepared: &Prepared, earlier: Option<&str>) -> Result<DumpWriter, ExtractError> {
    let Prepared { source, server, plan, .. } = prepared;
    let create = || {
        if options.restart {
            DumpWriter::discard(&options.out)?;
        }
        let schemas: Vec<TableSchema> = plan.tables.iter().map(|table| table.schema.clone()).collect();
        DumpWriter::create(&options.out, &plan.describe(&server.database), &schemas)
    };
    let created = create();
    if prepared.made_snapshot && created.is_err() {
        in_runtime(source.drop_snapshot())??;
    }
    let abandoned = earlier.filter(|_| options.restart).and_then(Begun::read).and_then(|begun| begun.snapshot);
    if let (Ok(_), Some(name)) = (&created, abandoned) {
        in_runtime(Source { snapshot: Some(name), ..source.clone() }.drop_snapshot())??;
    }
    Ok(created?)
}

/// Reads what no earlier run has read, and ends the dump when all of it is there.
fn read(
    options: &Extract,
    Prepared { source, server, plan, load, .. }: Prepared,
    dump: DumpWriter,
    progress: &dyn Progress,
    cancelled: &AtomicBool,
    started: Instant,
) -> Result<ExtractReport, ExtractError> {
    progress.planned(&plan.by_size().into_iter().map(|place| plan.tables[place].announced()).collect::<Vec<_>>());
    let state = State::new(&plan.tables, load);
    state.queue_parts(&plan, &dump, progress);
    let jobs = options.jobs.clamp(1, state.parts_queued().max(1));
    let pace = Pace::new(options.gentleness.limits, jobs);
    let reader =
        Reader { options, source: &source, plan: &plan, dump: &dump, state: &state, pace: &pace, progress, cancelled };
    let read = read_parts(jobs, &reader);
    let read = read.and_then(|()| state.stopped_by().map_or(Ok(()), |error| Err(ExtractError::from(error))));
    let outcome = state.outcome();
    if let (Some(name), true) = (source.snapshot(), outcome != Outcome::Complete || read.is_err()) {
        progress.note(&format!(
            "the database snapshot {name} stays for the run that goes on; if there will be none, drop it with {}",
            drop_statement(name)
        ));
    }
    read?;
    let mut report = state.report(&plan.tables, outcome, pace.waited(), started.elapsed());
    if outcome == Outcome::Complete {
        let changes = match source.snapshot() {
            // What it shows doesn't change.
            Some(_) => HashMap::new(),
            None => in_runtime(changes::since(&source, &plan.begun))??,
        };
        let info = source_info(options, server, plan.begun.at, started.elapsed());
        report.fingerprint = Some(dump.finish(info, &finished_tables(&plan.tables, &report, &changes))?.fingerprint);
        if let Err(error) = in_runtime(source.drop_snapshot())? {
            progress.note(&format!("the dump is complete, but {error}"));
        }
        report.elapsed = started.elapsed();
    }
    Ok(report)
}

/// One thread per connection, until no part is left. Fewer threads than asked for do as well; none is an error.
fn read_parts(jobs: usize, reader: &Reader<'_>) -> Result<(), ExtractError> {
    thread::scope(|scope| {
        let spawned: Vec<_> = (0..jobs)
            .map(|job| {
                let name = format!("extract-{job}");
                thread::Builder::new().name(name).spawn_scoped(scope, || in_runtime(reader.work()))
            })
            .collect();
        let ended = spawned.into_iter().map(|thread| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(error) => Err(ExtractError::Thread(error)),
        });
        let (worked, failed): (Vec<_>, Vec<_>) = ended.partition(Result::is_ok);
        match failed.into_iter().next() {
            Some(error) if worked.is_empty() => error,
            _ => Ok(()),
        }
    })
}

/// Runs `work` on a runtime of this thread. A name that is still being resolved doesn't hold up its end.
fn in_runtime<T>(work: impl Future<Output = T>) -> Result<T, ExtractError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ExtractError::Thread)?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(result)
}

/// The result of `work`, or `None` when the run is cancelled first. What `work` had under way is dropped then.
async fn unless_cancelled<T>(work: impl Future<Output = T>, cancelled: impl Fn() -> bool) -> Option<T> {
    let cancellation = async {
        while !cancelled() {
            tokio::time::sleep(CANCEL_POLL).await;
        }
    };
    match select(std::pin::pin!(cancellation), std::pin::pin!(work)).await {
        Either::Left(_) => None,
        Either::Right((result, _)) => Some(result),
    }
}

fn source_info(options: &Extract, server: ServerInfo, begun: Ticks, elapsed: Duration) -> SourceInfo {
    let elapsed = i64::try_from(elapsed.as_nanos() / 100).unwrap_or(i64::MAX);
    SourceInfo {
        server: options.url.address(),
        version: server.version,
        edition: server.edition,
        database: server.database,
        collation: server.database_collation,
        consistency: options.consistency.to_string(),
        started_at: begun,
        finished_at: Ticks(server.clock.0.saturating_add(elapsed)).checked().unwrap_or(Ticks::MAX),
    }
}

/// What the manifest is to say of each table.
fn finished_tables(
    tables: &[TablePlan],
    report: &ExtractReport,
    changes: &HashMap<TableName, String>,
) -> Vec<FinishedTable> {
    let finished = |(table, figures): (&TablePlan, &TableReport)| {
        let mut notes = Vec::new();
        if let Some(reason) = &table.obstacle {
            notes.push(format!("Read in a single pass, because {reason}."));
        }
        if figures.parts_kept > 0 {
            let (kept, all) = (figures.parts_kept, table.parts.len());
            notes.push(format!("Parts kept from a run that was interrupted before this one: {kept} of {all}."));
        }
        notes.extend(changes.get(table.name()).cloned());
        FinishedTable { name: table.name().clone(), parts: table.parts.len() as u32, notes }
    };
    tables.iter().zip(&report.tables).map(finished).collect()
}
