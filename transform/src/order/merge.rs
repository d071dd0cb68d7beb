//! The merge: runs come in block by block, batches in total order go out.
//!
//! Events wait in memory until the frontier has passed them. When they take more than their budget, or lie in too
//! many runs, they go to disk as one sorted run, of which a frame at a time comes back when it is due.

mod output;
mod taken;

use std::cmp::Ordering;
use std::sync::Arc;

use etl_schemas::event::{EventBatch, EventCatalog};
use etl_schemas::ticks::Ticks;

pub(crate) use self::output::Duplicate;
use self::output::Output;
use self::taken::Taken;
use super::cursor;
use super::entry::{Entry, Run};
use super::plan::Frontier;
use super::spill::{SpillRun, SpillWriter};
use super::spill_folder::SpillFolder;
use crate::error::TransformError;

/// About this many events are sorted at a time, and a batch has no more.
const BATCH_EVENTS: usize = 16_384;
/// Fewer wait for the next block, as long as there is one.
const BATCH_EVENTS_LEAST: usize = 4_096;
/// A batch numbers its arenas in 16 bits; past this many, runs are merged into one.
const RUNS_MAX: usize = 4_096;
/// Past this many spill files they are merged into one, so that their loaded frames stay few.
const SPILLS_MAX: usize = 128;

/// How far the events may go.
#[derive(Clone, Copy)]
enum Limit {
    /// All before the frontier.
    Frontier,
    /// Up to this entry of this source, itself included.
    Entry(usize, usize),
}

/// Pending events, and what became of those before.
pub(crate) struct Merge {
    folder: SpillFolder,
    budget_bytes: usize,
    frame_bytes: usize,
    runs: Vec<Run>,
    runs_bytes: usize,
    spills: Vec<SpillRun>,
    output: Output,
    spilled_events: u64,
}

impl Merge {
    /// `budget_bytes` bounds the pending events and the loaded frames of spill files.
    pub(crate) fn new(catalog: Arc<EventCatalog>, folder: SpillFolder, budget_bytes: usize) -> Merge {
        Merge {
            folder,
            budget_bytes,
            frame_bytes: (budget_bytes / (8 * SPILLS_MAX)).clamp(16 << 10, 256 << 10),
            runs: Vec::new(),
            runs_bytes: 0,
            spills: Vec::new(),
            output: Output::new(catalog),
            spilled_events: 0,
        }
    }

    /// Takes a run of a block that was just read.
    pub(crate) fn add(&mut self, run: Run) {
        if run.left() > 0 {
            self.runs_bytes += run.bytes();
            self.runs.push(run);
        }
    }

    /// Events released so far.
    #[cfg(test)]
    pub(crate) fn events(&self) -> u64 {
        self.output.events()
    }

    /// Events that went by way of the disk.
    pub(crate) fn spilled_events(&self) -> u64 {
        self.spilled_events
    }

    /// Duplicates found since the last call.
    pub(crate) fn take_duplicates(&mut self) -> Vec<Duplicate> {
        self.output.take_duplicates()
    }

    /// The next batch before the frontier, if enough has come together for one; past the end of the plan, whatever
    /// is left.
    pub(crate) fn next_batch(&mut self, frontier: Frontier) -> Result<Option<EventBatch>, TransformError> {
        loop {
            if let Some(batch) = self.output.next() {
                return Ok(Some(batch));
            }
            let full = self.is_full();
            let least = if full || frontier == Frontier::End { 1 } else { BATCH_EVENTS_LEAST };
            match self.due(frontier) >= least {
                true => self.release(frontier)?,
                false if full => self.spill(frontier)?,
                false => return Ok(None),
            }
        }
    }

    /// An eighth of the budget is the loaded frames', whose size follows from it; what is kept when the others go to disk
    /// takes another; three quarters are the runs'.
    fn is_full(&self) -> bool {
        self.runs.len() > RUNS_MAX || self.runs_bytes > self.budget_bytes / 4 * 3
    }

    /// How many events are due, counted as far as the answer needs.
    fn due(&self, frontier: Frontier) -> usize {
        let mut due = 0;
        for run in self.runs.iter().chain(self.spills.iter().map(|spill| &spill.loaded)) {
            due += run.passed(frontier);
            if due >= BATCH_EVENTS_LEAST {
                return due;
            }
        }
        // What lies on disk isn't counted; one frame holds enough to be worth a batch.
        let on_disk = |spill: &SpillRun| spill.first_on_disk().is_some_and(|first| frontier.passed(first));
        if self.spills.iter().any(on_disk) { due.max(BATCH_EVENTS_LEAST) } else { due }
    }

    fn source(&self, place: usize) -> &Run {
        match self.runs.get(place) {
            Some(run) => run,
            None => &self.spills[place - self.runs.len()].loaded,
        }
    }

    /// Releases enough events for a batch, or all that are due, in steps that stay small.
    fn release(&mut self, frontier: Frontier) -> Result<(), TransformError> {
        let mut taken = Taken::default();
        loop {
            for spill in &mut self.spills {
                let due = spill.first_on_disk().is_some_and(|first| frontier.passed(first));
                if due && spill.loaded.left() == 0 {
                    spill.load()?;
                }
            }
            let limit = self.limit(frontier);
            self.take(frontier, limit, &mut taken);
            self.runs.retain(|run| run.left() > 0);
            self.spills.retain(|spill| !spill.is_empty());
            // A step adds an arena for each source at most; a batch numbers them in 16 bits.
            let has_room = taken.sources.len() + self.runs.len() + self.spills.len() < usize::from(u16::MAX);
            if taken.events.len() >= BATCH_EVENTS_LEAST || !has_room || self.due(frontier) == 0 {
                break;
            }
        }
        self.runs_bytes = self.runs.iter().map(Run::bytes).sum();
        self.output.emit(&taken)
    }

    /// The least of: the last loaded event of every spill file that goes on, and an event so far into each run that
    /// all together make about a batch.
    fn limit(&self, frontier: Frontier) -> Limit {
        let sources = self.runs.len() + self.spills.len();
        let share = (BATCH_EVENTS / sources.max(1)).max(64);
        let mut limit: Option<(usize, usize)> = None;
        for place in 0..sources {
            let run = self.source(place);
            let spill = place.checked_sub(self.runs.len()).map(|place| &self.spills[place]);
            // Events behind the loaded frame lie on disk and may come right behind its last one.
            let goes_on = spill.is_some_and(SpillRun::has_more);
            let last = match run.left() {
                0 => continue,
                left if left > share => run.next() + share - 1,
                left if goes_on => run.next() + left - 1,
                _ => continue,
            };
            let is_due = |at: Ticks| frontier.passed(at);
            if !run.head().is_some_and(is_due) || !is_due(run.entries[last].occurred_at) {
                continue;
            }
            let before = |other: (usize, usize)| self.order((place, last), other).is_lt();
            if limit.is_none_or(before) {
                limit = Some((place, last));
            }
        }
        limit.map_or(Limit::Frontier, |(place, last)| Limit::Entry(place, last))
    }

    fn order(&self, left: (usize, usize), right: (usize, usize)) -> Ordering {
        let (left_run, right_run) = (self.source(left.0), self.source(right.0));
        let (left, right) = (&left_run.entries[left.1], &right_run.entries[right.1]);
        left.compare_event(&left_run.arena, right, &right_run.arena)
    }

    /// Takes all events within the limit, in order, behind those taken before.
    fn take(&mut self, frontier: Frontier, limit: Limit, taken: &mut Taken) {
        let bound = match limit {
            Limit::Frontier => None,
            Limit::Entry(place, at) => {
                let run = self.source(place);
                Some((run.entries[at], Arc::clone(&run.arena)))
            }
        };
        let before = taken.events.len();
        for run in self.runs.iter_mut().chain(self.spills.iter_mut().map(|spill| &mut spill.loaded)) {
            let arena = &run.arena;
            let count = match &bound {
                None => run.passed(frontier),
                Some((last, _)) if run.head().is_none_or(|head| head > last.occurred_at) => 0,
                Some((last, last_arena)) => run.count(|entry| entry.compare_event(arena, last, last_arena).is_le()),
            };
            if count > 0 {
                taken.add(run, count);
            }
        }
        taken.sort_from(before);
    }

    /// Brings the pending events of all runs together: the earliest of them, on whose way the frontier is, into one
    /// new run, the others on disk. Where few events keep many arenas alive, all find room in the new run.
    fn spill(&mut self, frontier: Frontier) -> Result<(), TransformError> {
        let mut runs = std::mem::take(&mut self.runs);
        self.runs_bytes = 0;
        let pending: usize = runs.iter().flat_map(Run::remaining).map(cost).sum();
        let keep = match frontier {
            Frontier::Unknown => 0,
            _ if pending <= self.budget_bytes / 8 => pending,
            _ => self.budget_bytes / 8,
        };
        let mut kept_cost = 0;
        let (mut entries, mut kept) = (Vec::new(), Vec::with_capacity(keep));
        let mut writer: Option<SpillWriter> = None;
        cursor::merge(&mut runs, |entry, arena| {
            self.spilled_events += u64::from(writer.is_some());
            if let Some(writer) = &mut writer {
                return writer.add(entry, arena);
            }
            kept_cost += cost(entry);
            if kept_cost <= keep {
                entries.push(Entry { offset: kept.len() as u32, ..*entry });
                kept.extend_from_slice(entry.payload(arena));
                return Ok(());
            }
            self.spilled_events += 1;
            let created = SpillWriter::create(self.folder.next_file(), self.frame_bytes)?;
            writer.insert(created).add(entry, arena)
        })?;
        drop(runs);
        entries.shrink_to_fit();
        kept.shrink_to_fit();
        self.add(Run::new(entries, kept));
        if let Some(writer) = writer {
            self.spills.push(writer.finish()?);
        }
        if self.spills.len() > SPILLS_MAX {
            self.merge_spills()?;
        }
        Ok(())
    }

    /// Merges all spill files into one.
    fn merge_spills(&mut self) -> Result<(), TransformError> {
        let mut spills = std::mem::take(&mut self.spills);
        for spill in spills.iter_mut().filter(|spill| spill.loaded.left() == 0) {
            spill.load()?;
        }
        let mut writer = SpillWriter::create(self.folder.next_file(), self.frame_bytes)?;
        cursor::merge(&mut spills, |entry, arena| writer.add(entry, arena))?;
        self.spills.push(writer.finish()?);
        Ok(())
    }
}

fn cost(entry: &Entry) -> usize {
    entry.payload_len() + size_of::<Entry>()
}

impl Run {
    /// How many of the remaining events, which are in order, satisfy a condition that all before one that does satisfy.
    /// Most often that is none or all.
    fn count(&self, holds: impl Fn(&Entry) -> bool) -> usize {
        let remaining = self.remaining();
        // Few of many are counted at a time, and what lies further on isn't in the cache: steps double from the first.
        let mut bound = 1;
        while bound <= remaining.len() && holds(&remaining[bound - 1]) {
            bound *= 2;
        }
        let known = bound / 2;
        known + remaining[known..remaining.len().min(bound)].partition_point(holds)
    }

    fn passed(&self, frontier: Frontier) -> usize {
        if !self.head().is_some_and(|head| frontier.passed(head)) {
            return 0;
        }
        self.count(|entry| frontier.passed(entry.occurred_at))
    }
}

/// The time from which on nothing may go.
impl Frontier {
    /// Whether an event of this time may go: no unread block brings an earlier one, nor one of the same time.
    #[inline]
    fn passed(self, occurred_at: Ticks) -> bool {
        match self {
            Frontier::Unknown => false,
            Frontier::Before(ticks) => occurred_at < ticks,
            Frontier::End => true,
        }
    }
}

#[cfg(test)]
mod tests;
