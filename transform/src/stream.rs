//! A run: from a program and a dump to the stream of events.
//!
//! In: compiled mappings and a dump that they were compiled against. Out: batches in total order, the same for any
//! number of threads and any memory; at the end the ledger. Nothing of the dump is trusted: damage ends the stream
//! with an error that names file and block, and no event behind it is released.

mod account;

use std::path::PathBuf;
use std::sync::Arc;

use etl_schemas::dump::{Dump, Part};
use etl_schemas::event::EventBatch;

use crate::error::TransformError;
use crate::ledger::Ledger;
use crate::mapping::Program;
use crate::order::{MappingPlan, Merge, Plan, SpillFolder};
use crate::scan::{Lookups, Source, Workers};
use account::Account;

/// How a run is carried out. None of this changes its events.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Threads that read and evaluate blocks; at least one.
    pub threads: usize,
    /// What lookups, pending events and blocks on their way may take together, in bytes; batches that the caller holds
    /// come on top.
    pub memory_bytes: usize,
    /// For `spill/` (removed at the end) and `quarantine/`.
    pub work_folder: PathBuf,
    /// More rejected rows than this stop the run; `None` sets no limit.
    pub max_rejects: Option<u64>,
}

impl RunOptions {
    /// As many threads as the machine has, 512 MB, no limit of rejects.
    pub fn new(work_folder: impl Into<PathBuf>) -> RunOptions {
        RunOptions {
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: 512 << 20,
            work_folder: work_folder.into(),
            max_rejects: None,
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows read of the tables that drive mappings.
    pub rows_read: u64,
    /// Rows that they have.
    pub rows_all: u64,
    /// Events released.
    pub events: u64,
    /// Events that went by way of the disk.
    pub events_spilled: u64,
    /// Rows rejected.
    pub rejects: u64,
}

/// A block on its way takes about four times its size: content, arenas, entries.
const BLOCK_BYTES_ON_THE_WAY: usize = 4 << 20;
/// Pending events get at least this much, however little memory is given.
const MERGE_BYTES_LEAST: usize = 1 << 20;

/// The ordered events of a dump. Dropping it early ends its threads and removes its spill files.
pub struct EventStream {
    source: Arc<Source>,
    workers: Workers,
    merge: Merge,
    account: Account,
    rows_all: u64,
    /// The last batch was given, or an error ended the stream.
    done: bool,
    failed: bool,
}

/// Starts a run.
pub fn run(program: &Arc<Program>, dump: &Arc<Dump>, options: &RunOptions) -> Result<EventStream, TransformError> {
    let parts = open_parts(program, dump)?;
    let plan = Plan::new(program, &parts);
    let lookups = Lookups::load(program, dump, options.memory_bytes / 2)?;
    let taken = lookups.bytes() + 2 * options.threads.max(1) * BLOCK_BYTES_ON_THE_WAY;
    let budget_bytes = options.memory_bytes.saturating_sub(taken).max(MERGE_BYTES_LEAST);
    let folder = SpillFolder::create(&options.work_folder)?;
    let account = Account::new(program, dump, options)?;
    let rows_all = parts.iter().flatten().map(Part::rows).sum();
    let source = Arc::new(Source { program: Arc::clone(program), dump: Arc::clone(dump), parts, plan, lookups });
    Ok(EventStream {
        workers: Workers::start(&source, options.threads)?,
        merge: Merge::new(Arc::clone(&program.catalog), folder, budget_bytes),
        account,
        rows_all,
        source,
        done: false,
        failed: false,
    })
}

/// What a run of this program over this dump would do, mapping by mapping. Reads the dump's indexes only.
pub fn plan(program: &Program, dump: &Dump) -> Result<Vec<MappingPlan>, TransformError> {
    let parts = open_parts(program, dump)?;
    Ok(Plan::new(program, &parts).describe(program, &parts))
}

fn open_parts(program: &Program, dump: &Dump) -> Result<Vec<Vec<Part>>, TransformError> {
    let mut all = Vec::with_capacity(program.scans.len());
    for scan in &program.scans {
        let table = dump.table(&scan.table.name).ok_or_else(|| TransformError::OtherDump {
            dump: dump.dir().to_path_buf(),
            message: format!("it has no table {}", scan.table.name),
        })?;
        let parts: Result<Vec<Part>, _> = (0..table.parts.len()).map(|part| table.open_part(part)).collect();
        all.push(parts?);
    }
    Ok(all)
}

impl EventStream {
    /// The next batch in the total order; `None` at the end. After an error there is nothing more.
    pub fn next_batch(&mut self) -> Result<Option<EventBatch>, TransformError> {
        if self.done {
            return Ok(None);
        }
        let next = self.advance();
        if !matches!(next, Ok(Some(_))) {
            self.done = true;
            self.failed = next.is_err();
        }
        next
    }

    fn advance(&mut self) -> Result<Option<EventBatch>, TransformError> {
        loop {
            let frontier = self.source.plan.frontier(self.workers.read());
            let batch = self.merge.next_batch(frontier)?;
            for duplicate in self.merge.take_duplicates() {
                self.account.duplicate(&self.source, &duplicate)?;
            }
            if let Some(batch) = batch {
                self.account.released(self.merge.events());
                return Ok(Some(batch));
            }
            let place = self.workers.read();
            let Some(scanned) = self.workers.next() else { return Ok(None) };
            let scanned = scanned?;
            self.account.block(&self.source, place, &scanned)?;
            for (_, run) in scanned.runs {
                self.merge.add(run);
            }
        }
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        Progress {
            rows_read: self.account.rows_read(),
            rows_all: self.rows_all,
            events: self.merge.events(),
            events_spilled: self.merge.spilled_events(),
            rejects: self.account.rejects(),
        }
    }

    /// Ends the run and closes the quarantine. The ledger is complete when [`EventStream::next_batch`] gave `None`.
    pub fn finish(self) -> Result<Ledger, TransformError> {
        let complete = self.done && !self.failed;
        self.account.finish(complete)
    }
}
