//! A run: from a program and a dump to the stream of events.
//!
//! In: compiled mappings and a dump that they were compiled against. Out: batches in total order, the same for any
//! number of threads and any memory; at the end the ledger. Nothing of the dump is trusted: damage ends the stream
//! with an error that names file and block, and no event behind it is released.

mod account;
mod offenders;

use std::path::PathBuf;
use std::sync::Arc;

use etl_schemas::dump::{Dump, Part};
use etl_schemas::event::EventBatch;

use crate::causality::{self, Causality, Constraint, Numbering, Observer, Tally};
use crate::error::TransformError;
use crate::ledger::Ledger;
use crate::mapping::Program;
use crate::order::{KeyCheck, MappingPlan, Merge, Plan, PlannedBlock, SpillFolder, Window};
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
    /// How many blocks may be on their way at a time.
    pub(crate) fn blocks_on_the_way(&self) -> usize {
        let room = self.memory_bytes / BLOCKS_SHARE / BLOCK_BYTES_ON_THE_WAY;
        room.clamp(1, BLOCKS_A_THREAD * self.threads.max(1))
    }

    /// What pending events may take beside lookups of so many bytes, and what the observer of constraints has.
    fn merge_bytes(&self, lookups: usize, observer: usize) -> usize {
        let others = lookups + observer + self.blocks_on_the_way() * BLOCK_BYTES_ON_THE_WAY;
        let usual = MERGE_BYTES_USUAL.max(self.memory_bytes / MERGE_SHARE);
        let grown = lookups + lookups.min(usual / GROWTH_SHARE);
        let wanted = usual.saturating_sub(grown).max(MERGE_BYTES_BESIDE_LOOKUPS);
        self.memory_bytes.saturating_sub(others).min(wanted).max(MERGE_BYTES_LEAST)
    }

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
    /// Events given.
    pub events: u64,
    /// Events that went by way of the disk.
    pub events_spilled: u64,
    /// Rows rejected.
    pub rejects: u64,
}

/// A block on its way takes about four times its size: content, arenas, entries.
const BLOCK_BYTES_ON_THE_WAY: usize = 4 << 20;
/// Blocks on their way get no more than a share of the memory, however many threads there are to read them.
const BLOCKS_SHARE: usize = 3;
/// Two for each thread keep all of them busy while the blocks are taken in their order.
const BLOCKS_A_THREAD: usize = 2;
/// Pending events get at least this much, however little memory is given ...
const MERGE_BYTES_LEAST: usize = 1 << 20;
/// ... and together with the lookups no more than this or a share of it: most of those that wait, wait long, and come back
/// from the disk in order at little cost. So a dump of ten times the rows takes hardly more memory.
const MERGE_BYTES_USUAL: usize = 80 << 20;
const MERGE_SHARE: usize = 6;
/// What else grows with a dump, its indexes and the frames of what is spilled, is taken off with the lookups: as much again,
/// up to this share. At 93 million events that were 10 MB beside lookups of 16.
const GROWTH_SHARE: usize = 5;
/// Beside large lookups they get this much where there is room: with less, nearly every block would go to disk by itself.
const MERGE_BYTES_BESIDE_LOOKUPS: usize = 32 << 20;

/// The ordered events of a dump. Dropping it early ends its threads and removes its spill files.
pub struct EventStream {
    source: Arc<Source>,
    workers: Workers<Source>,
    merge: Merge,
    keys: KeyCheck,
    account: Account,
    /// Gathers what constraints are counted by, where there are any.
    observer: Option<Observer>,
    /// What was found for the constraints that are repaired.
    repaired: Vec<Tally>,
    rows_all: u64,
    window: Window,
    /// Events given; the merge counts those outside the window as well.
    given: u64,
    /// The last batch was given, or an error ended the stream.
    done: bool,
    failed: bool,
}

/// Starts a run.
pub fn run(program: &Arc<Program>, dump: &Arc<Dump>, options: &RunOptions) -> Result<EventStream, TransformError> {
    seek(program, dump, options, Window::default())
}

/// Starts a run over the events of a window: the same events as in a whole run, in the same order. Blocks whose zone maps
/// rule such events out aren't read, so positions count from the window's first event, and the ledger stays incomplete.
pub fn seek(
    program: &Arc<Program>,
    dump: &Arc<Dump>,
    options: &RunOptions,
    window: Window,
) -> Result<EventStream, TransformError> {
    let parts = open_parts(program, dump)?;
    let plan = Plan::new(program, &parts);
    let lookups = Lookups::load(program, dump, options, options.memory_bytes / 2)?;
    let causality = Causality::default();
    let (program, dump) = (Arc::clone(program), Arc::clone(dump));
    let source = Source { program, dump, parts, plan, lookups, causality };
    let (mut source, repaired) = causality::repair(source, options)?;
    let numbering = Numbering::new(&source.parts);
    // A part of the events doesn't tell whether a cause ever comes.
    let is_watched = |constraint: &Constraint| !constraint.repair && window == Window::default();
    source.causality = Causality::new(&source.program, numbering, repaired.moves, is_watched);
    let Source { program, parts, plan, causality, .. } = &mut source;
    plan.keep(program, parts, window, |planned| causality.moves_within(planned));
    let observer_bytes =
        if source.causality.watches() { (options.memory_bytes / 8).clamp(1 << 20, 64 << 20) } else { 0 };
    let budget_bytes = options.merge_bytes(source.lookups.bytes(), observer_bytes);
    let mut folder = SpillFolder::create(&options.work_folder)?;
    let keys = KeyCheck::create(&source.program, &source.parts, &mut folder)?;
    let account = Account::new(&source.program, &source.dump, options)?;
    let rows =
        |planned: &PlannedBlock| u64::from(source.parts[planned.scan][planned.part].blocks()[planned.block].rows);
    let rows_all = source.plan.blocks.iter().map(rows).sum();
    let observer = match source.causality.watches() {
        true => Some(Observer::new(SpillFolder::create(&options.work_folder)?, observer_bytes)),
        false => None,
    };
    let source = Arc::new(source);
    Ok(EventStream {
        workers: Workers::start(&source, options.threads, options.blocks_on_the_way())?,
        merge: Merge::new(Arc::clone(&source.program.catalog), folder, budget_bytes),
        keys,
        account,
        observer,
        repaired: repaired.tallies,
        rows_all,
        window,
        given: 0,
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

pub(crate) fn open_parts(program: &Program, dump: &Dump) -> Result<Vec<Vec<Part>>, TransformError> {
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

/// Batch after batch, as [`EventStream::next_batch`] gives them; [`EventStream::finish`] gives the ledger afterwards.
impl Iterator for EventStream {
    type Item = Result<EventBatch, TransformError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
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
            let frontier = self.source.plan.frontier(self.workers.done());
            let batch = self.merge.next_batch(frontier)?;
            for duplicate in self.merge.take_duplicates() {
                self.account.duplicate(&self.source, &duplicate)?;
            }
            if let Some(batch) = batch {
                let (batch, is_last) = self.within(batch);
                self.account.released(self.given);
                match (batch.is_empty(), is_last) {
                    (false, _) => return Ok(Some(batch)),
                    (true, true) => return Ok(None),
                    (true, false) => continue,
                }
            }
            let place = self.workers.done();
            let Some(scanned) = self.workers.next() else { return self.end() };
            let mut scanned = scanned?;
            self.account.block(&self.source, place, &scanned)?;
            if let Some(observer) = &mut self.observer {
                observer.add(&mut scanned)?;
            }
            for (_, run) in scanned.runs {
                if let Some(repeated) = self.keys.look_at(&run)? {
                    return Err(self.source.repeated_key(&repeated));
                }
                self.merge.add(run);
            }
        }
    }

    /// Every event is released; what is left is whether each had a key of its own.
    fn end(&mut self) -> Result<Option<EventBatch>, TransformError> {
        match self.keys.finish()? {
            Some(repeated) => Err(self.source.repeated_key(&repeated)),
            None => Ok(None),
        }
    }

    /// The part of a batch that lies in the window, and whether all that follows is behind it.
    fn within(&mut self, batch: EventBatch) -> (EventBatch, bool) {
        let headers = batch.headers();
        let start = headers.partition_point(|header| self.window.is_after(header.occurred_at));
        let end = headers.partition_point(|header| !self.window.is_before(header.occurred_at));
        let is_last = end < headers.len();
        let first = self.given + 1;
        self.given += end.saturating_sub(start) as u64;
        match (start, is_last) {
            (0, false) if first == batch.first_position() => (batch, false),
            _ => (batch.part(start..end.max(start), first), is_last),
        }
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        Progress {
            rows_read: self.account.rows_read(),
            rows_all: self.rows_all,
            events: self.given,
            events_spilled: self.merge.spilled_events(),
            rejects: self.account.rejects(),
        }
    }

    /// Ends the run and closes the quarantine. The ledger is complete when [`EventStream::next_batch`] gave `None`.
    pub fn finish(self) -> Result<Ledger, TransformError> {
        let complete = self.done && !self.failed;
        let observed = match (complete, self.observer) {
            (true, Some(observer)) => observer.tallies(&self.source.program.constraints)?,
            _ => Vec::new(),
        };
        let causality = match complete && self.window == Window::default() {
            true => offenders::causality(&self.source, &self.repaired, &observed)?,
            false => Vec::new(),
        };
        self.account.finish(complete, causality)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_on_the_way_keep_to_their_share_of_the_memory() {
        let blocks = |threads, megabytes: usize| {
            RunOptions { threads, memory_bytes: megabytes << 20, ..RunOptions::new("") }.blocks_on_the_way()
        };
        assert_eq!([blocks(2, 512), blocks(64, 512), blocks(64, 64), blocks(0, 0)], [4, 42, 5, 1]);
    }

    #[test]
    fn pending_events_make_room_for_lookups_and_keep_enough_to_work_with() {
        let pending = |megabytes: usize, lookups: usize| {
            let options = RunOptions { threads: 2, memory_bytes: megabytes << 20, ..RunOptions::new("") };
            options.merge_bytes(lookups << 20, 0) >> 20
        };
        assert_eq!([pending(512, 0), pending(512, 16), pending(512, 100), pending(4096, 2000)], [85, 53, 32, 32]);
        assert_eq!([pending(6000, 500), pending(64, 0), pending(64, 30), pending(64, 60)], [300, 48, 18, 1]);
    }
}
