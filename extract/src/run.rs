//! A run: the plan's parts, read by `jobs` connections at a time.
//!
//! In: an [`Extract`]. Out: a dump directory and an [`ExtractReport`]. Each connection has a thread of its own, which
//! takes parts off one list, the largest table first; blocks are compressed on rayon's threads meanwhile. What was
//! finished stays, however the run ends: a part appears under its name only when it is whole and synced.

mod packer;
mod part;
mod state;

use std::future::Future;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use etl_schemas::dump::{DumpWriter, FinishedTable, Level, SourceInfo};
use etl_schemas::project::Tables;
use etl_schemas::table::TableSchema;
use etl_schemas::ticks::Ticks;
use futures_util::future::{Either, select};
use secrecy::SecretString;

use crate::catalog::{self, ServerInfo, SourceCatalog};
use crate::connect::connect;
use crate::error::ExtractError;
use crate::plan::{Plan, TablePlan};
use crate::progress::Progress;
use crate::report::{ExtractReport, Outcome, TableReport};
use crate::url::SourceUrl;
use part::Reader;
use state::State;

/// How often a waiting run looks whether it was cancelled.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// What to read, and where to put it.
#[derive(Debug)]
pub struct Extract {
    /// The source.
    pub url: SourceUrl,
    /// Its password.
    pub password: Option<SecretString>,
    /// Which tables.
    pub tables: Tables,
    /// Connections to read with at the same time; at least one is used.
    pub jobs: usize,
    /// The dump's directory. An unfinished dump of the same plan is gone on with.
    pub out: PathBuf,
    /// How hard blocks are compressed.
    pub level: Level,
    /// Whether an unfinished dump in the directory is thrown away first.
    pub restart: bool,
}

/// Reads the catalog of the source, and nothing else.
pub fn inspect(options: &Extract) -> Result<SourceCatalog, ExtractError> {
    let never = AtomicBool::new(false);
    // Nothing cancels it, so there is always a catalog.
    Ok(read_catalog(options, &never)?.expect("a run that can't be cancelled comes to its end"))
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
    let Some(catalog) = read_catalog(options, cancelled)? else {
        return Ok(State::new(&[]).report(&[], Outcome::Cancelled, started.elapsed()));
    };
    let server = catalog.server.clone();
    let plan = Plan::new(&options.url, catalog, &options.tables)?;
    if options.restart {
        DumpWriter::discard(&options.out)?;
    }
    let schemas: Vec<TableSchema> = plan.tables.iter().map(|table| table.schema.clone()).collect();
    let dump = DumpWriter::create(&options.out, &plan.describe(&server.database), &schemas)?;
    progress.planned(&plan.by_size().into_iter().map(|place| plan.tables[place].announced()).collect::<Vec<_>>());

    let state = State::new(&plan.tables);
    state.queue_parts(&plan, &dump, progress);
    read_parts(&Reader { options, plan: &plan, dump: &dump, state: &state, progress, cancelled })?;
    if let Some(error) = state.stopped_by() {
        return Err(error.into());
    }
    let outcome = state.outcome();
    let mut report = state.report(&plan.tables, outcome, started.elapsed());
    if outcome == Outcome::Complete {
        let source = source_info(options, server, started.elapsed());
        report.fingerprint = Some(dump.finish(source, &finished_tables(&plan.tables, &report))?.fingerprint);
        report.elapsed = started.elapsed();
    }
    Ok(report)
}

fn read_catalog(options: &Extract, cancelled: &AtomicBool) -> Result<Option<SourceCatalog>, ExtractError> {
    in_runtime(async {
        let work = async {
            let mut client = connect(&options.url, options.password.as_ref()).await?;
            catalog::read(&options.url, &mut client).await
        };
        unless_cancelled(work, || cancelled.load(Ordering::Relaxed)).await.transpose()
    })?
}

/// One thread per connection, until no part is left. Fewer threads than asked for do as well; none is an error.
fn read_parts(reader: &Reader<'_>) -> Result<(), ExtractError> {
    let jobs = reader.options.jobs.clamp(1, reader.state.parts_queued().max(1));
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

fn source_info(options: &Extract, server: ServerInfo, elapsed: Duration) -> SourceInfo {
    let elapsed = i64::try_from(elapsed.as_nanos() / 100).unwrap_or(i64::MAX);
    SourceInfo {
        server: options.url.address(),
        version: server.version,
        edition: server.edition,
        database: server.database,
        collation: server.database_collation,
        consistency: "read-committed".to_string(),
        started_at: server.clock,
        finished_at: Ticks(server.clock.0.saturating_add(elapsed)).checked().unwrap_or(Ticks::MAX),
    }
}

/// What the manifest is to say of each table.
fn finished_tables(tables: &[TablePlan], report: &ExtractReport) -> Vec<FinishedTable> {
    let finished = |(table, figures): (&TablePlan, &TableReport)| {
        let mut notes = Vec::new();
        if table.schema.key.is_none() {
            notes.push("The table has no usable key: it was read in one pass, in the server's order.".to_string());
        }
        if figures.parts_kept > 0 {
            let (kept, all) = (figures.parts_kept, table.parts.len());
            notes.push(format!("Parts kept from a run that was interrupted before this one: {kept} of {all}."));
        }
        FinishedTable { name: table.name().clone(), parts: table.parts.len() as u32, notes }
    };
    tables.iter().zip(&report.tables).map(finished).collect()
}
