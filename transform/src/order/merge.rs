//! The merge: runs come in block by block, batches in total order go out.
//!
//! Events wait in memory until the frontier has passed them. When they take more than their budget, or lie in too
//! many runs, they go to disk as one sorted run, of which a frame at a time comes back when it is due.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use etl_schemas::event::{EventBatch, EventCatalog, EventHeader, EventKey};
use etl_schemas::ticks::Ticks;

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

/// A second event with the order of one before it: it is not released.
#[derive(Debug)]
pub(crate) struct Duplicate {
    pub entry: Entry,
    /// The key as text.
    pub key: String,
    /// Source of the event that was released: place in the plan, row, mapping.
    pub first: (u32, u32, u16),
}

/// How far the events may go.
#[derive(Clone, Copy)]
enum Limit {
    /// All before the frontier.
    Frontier,
    /// Up to this entry of this source, itself included.
    Entry(usize, usize),
}

/// The last event that was released.
struct Released {
    entry: Entry,
    key: Vec<u8>,
}

/// Pending events, and what became of those before.
pub(crate) struct Merge {
    catalog: Arc<EventCatalog>,
    folder: SpillFolder,
    budget_bytes: usize,
    frame_bytes: usize,
    runs: Vec<Run>,
    runs_bytes: usize,
    spills: Vec<SpillRun>,
    released: Option<Released>,
    next_position: u64,
    ready: VecDeque<EventBatch>,
    duplicates: Vec<Duplicate>,
    spilled_events: u64,
}

impl Merge {
    /// `budget_bytes` bounds the pending events and the loaded frames of spill files.
    pub(crate) fn new(catalog: Arc<EventCatalog>, folder: SpillFolder, budget_bytes: usize) -> Merge {
        Merge {
            catalog,
            folder,
            budget_bytes,
            frame_bytes: (budget_bytes / (2 * SPILLS_MAX)).clamp(16 << 10, 256 << 10),
            runs: Vec::new(),
            runs_bytes: 0,
            spills: Vec::new(),
            released: None,
            next_position: 1,
            ready: VecDeque::new(),
            duplicates: Vec::new(),
            spilled_events: 0,
        }
    }

    /// Takes a run of a block that was just read.
    pub(crate) fn add(&mut self, run: Run) {
        if !run.entries.is_empty() {
            self.runs_bytes += run.bytes();
            self.runs.push(run);
        }
    }

    /// Events released so far.
    pub(crate) fn events(&self) -> u64 {
        self.next_position - 1
    }

    /// Events that went by way of the disk.
    pub(crate) fn spilled_events(&self) -> u64 {
        self.spilled_events
    }

    /// Duplicates found since the last call.
    pub(crate) fn take_duplicates(&mut self) -> Vec<Duplicate> {
        std::mem::take(&mut self.duplicates)
    }

    /// The next batch before the frontier, if enough has come together for one; past the end of the plan, whatever
    /// is left.
    pub(crate) fn next_batch(&mut self, frontier: Frontier) -> Result<Option<EventBatch>, TransformError> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
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

    /// Half of the budget is the runs', half the loaded frames', whose size follows from it.
    fn is_full(&self) -> bool {
        self.runs.len() > RUNS_MAX || self.runs_bytes > self.budget_bytes / 2
    }

    /// How many events are due, counted as far as the answer needs.
    fn due(&self, frontier: Frontier) -> usize {
        let mut due = 0;
        for run in self.runs.iter().chain(self.spills.iter().map(|spill| &spill.loaded)) {
            due += run.remaining().partition_point(|entry| frontier.passed(entry.occurred_at));
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
                if due && spill.loaded.remaining().is_empty() {
                    spill.load()?;
                }
            }
            let limit = self.limit(frontier);
            self.take(frontier, limit, &mut taken);
            self.runs.retain(|run| !run.remaining().is_empty());
            self.spills.retain(|spill| !spill.is_empty());
            // A step adds an arena for each source at most; a batch numbers them in 16 bits.
            let has_room = taken.arenas.len() + self.runs.len() + self.spills.len() < usize::from(u16::MAX);
            if taken.events.len() >= BATCH_EVENTS_LEAST || !has_room || self.due(frontier) == 0 {
                break;
            }
        }
        self.runs_bytes = self.runs.iter().map(Run::bytes).sum();
        self.emit(taken)
    }

    /// The least of: the last loaded event of every spill file that goes on, and an event so far into each run that
    /// all together make about a batch.
    fn limit(&self, frontier: Frontier) -> Limit {
        let sources = self.runs.len() + self.spills.len();
        let share = (BATCH_EVENTS / sources.max(1)).max(64);
        let mut limit: Option<(usize, usize)> = None;
        for place in 0..sources {
            let run = self.source(place);
            let remaining = run.remaining();
            let spill = place.checked_sub(self.runs.len()).map(|place| &self.spills[place]);
            // Events behind the loaded frame lie on disk and may come right behind its last one.
            let goes_on = spill.is_some_and(SpillRun::has_more);
            let last = match remaining.len() {
                0 => continue,
                length if length > share => run.next + share - 1,
                length if goes_on => run.next + length - 1,
                _ => continue,
            };
            if !frontier.passed(run.entries[last].occurred_at) {
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
        let Taken { events, arenas } = taken;
        let before = events.len();
        for run in self.runs.iter_mut().chain(self.spills.iter_mut().map(|spill| &mut spill.loaded)) {
            let arena = &run.arena;
            let count = run.remaining().partition_point(|entry| match &bound {
                None => frontier.passed(entry.occurred_at),
                Some((last, last_arena)) => entry.compare_event(arena, last, last_arena).is_le(),
            });
            if count > 0 {
                let place = arenas.len() as u16;
                events.extend(run.remaining()[..count].iter().map(|entry| (*entry, place)));
                arenas.push(Arc::clone(&run.arena));
                run.next += count;
            }
        }
        // The stable sort finds the runs and merges them.
        events[before..].sort_by(|(left, left_arena), (right, right_arena)| {
            left.compare(&arenas[usize::from(*left_arena)], right, &arenas[usize::from(*right_arena)])
        });
    }

    /// Makes batches, without the duplicates, and checks the order once more.
    fn emit(&mut self, taken: Taken) -> Result<(), TransformError> {
        let Taken { events, arenas } = taken;
        let mut headers = Vec::with_capacity(events.len().min(BATCH_EVENTS));
        let mut previous = self.released.take();
        for (entry, place) in &events {
            let arena = &arenas[usize::from(*place)];
            let key = entry.key(arena);
            let order = previous.as_ref().map_or(Ordering::Greater, |previous| {
                (entry.occurred_at, entry.rank, key).cmp(&(
                    previous.entry.occurred_at,
                    previous.entry.rank,
                    previous.key.as_slice(),
                ))
            });
            match (order, &mut previous) {
                (Ordering::Less, Some(previous)) => return Err(self.out_of_order(entry, key, previous)),
                (Ordering::Equal, Some(Released { entry: first, .. })) => {
                    let first = (first.block, first.row, first.mapping);
                    self.duplicates.push(Duplicate { entry: *entry, key: key_text(key), first });
                    continue;
                }
                (_, Some(previous)) => {
                    previous.entry = *entry;
                    previous.key.clear();
                    previous.key.extend_from_slice(key);
                }
                (_, previous @ None) => *previous = Some(Released { entry: *entry, key: key.to_vec() }),
            }
            headers.push(EventHeader {
                occurred_at: entry.occurred_at,
                rank: entry.rank,
                arena: *place,
                key_len: entry.key_len,
                stream_len: entry.stream_len,
                body_len: entry.body_len,
                offset: entry.offset,
            });
            if headers.len() == BATCH_EVENTS {
                let headers = std::mem::replace(&mut headers, Vec::with_capacity(BATCH_EVENTS));
                self.push_batch(headers, &arenas);
            }
        }
        self.released = previous;
        if !headers.is_empty() {
            self.push_batch(headers, &arenas);
        }
        Ok(())
    }

    fn push_batch(&mut self, headers: Vec<EventHeader>, arenas: &[Arc<Vec<u8>>]) {
        let first = self.next_position;
        self.next_position += headers.len() as u64;
        self.ready.push_back(EventBatch::new(Arc::clone(&self.catalog), first, headers, arenas.to_vec()));
    }

    fn out_of_order(&self, entry: &Entry, key: &[u8], previous: &Released) -> TransformError {
        let name = |entry: &Entry, key: &[u8]| {
            let event_type = &self.catalog.types[usize::from(entry.rank)].name;
            format!("{event_type} {} at {}", key_text(key), entry.occurred_at)
        };
        TransformError::OutOfOrder { event: name(entry, key), released: name(&previous.entry, &previous.key) }
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
        self.add(Run { entries, next: 0, arena: Arc::new(kept) });
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
        for spill in spills.iter_mut().filter(|spill| spill.loaded.remaining().is_empty()) {
            spill.load()?;
        }
        let mut writer = SpillWriter::create(self.folder.next_file(), self.frame_bytes)?;
        cursor::merge(&mut spills, |entry, arena| writer.add(entry, arena))?;
        self.spills.push(writer.finish()?);
        Ok(())
    }
}

/// Events on their way into batches, in order, each with the place of its arena.
#[derive(Default)]
struct Taken {
    events: Vec<(Entry, u16)>,
    arenas: Vec<Arc<Vec<u8>>>,
}

fn cost(entry: &Entry) -> usize {
    entry.payload_len() + size_of::<Entry>()
}

fn key_text(key: &[u8]) -> String {
    EventKey::from_bytes(key).map_or_else(|| format!("{key:02x?}"), |key| key.to_string())
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
