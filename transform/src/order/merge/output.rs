//! What the merge has released: batches in total order, without events that have the place of one before them.
//!
//! In: events in order, step after step. Out: [`EventBatch`]es, numbered from 1, and [`Duplicate`]s. An event that comes
//! out of order is an error, never a batch.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use etl_schemas::event::{EventBatch, EventCatalog, EventHeader, EventKey};

use super::super::entry::Entry;
use super::BATCH_EVENTS;
use super::taken::{Taken, TakenEvent};
use crate::error::TransformError;

/// A second event with the order of one before it: it is not released.
#[derive(Debug)]
pub(crate) struct Duplicate {
    pub entry: Entry,
    /// The key as text.
    pub key: String,
    /// Source of the event that was released: place in the plan, row, mapping.
    pub first: (u32, u32, u16),
}

/// The last event that was released, with nothing but its key in its arena.
struct Released {
    entry: Entry,
    key: Vec<u8>,
}

impl Released {
    fn new(entry: &Entry, arena: &[u8]) -> Released {
        Released { entry: Entry { offset: 0, ..*entry }, key: entry.key(arena).to_vec() }
    }
}

/// See the module.
pub(super) struct Output {
    catalog: Arc<EventCatalog>,
    released: Option<Released>,
    next_position: u64,
    ready: VecDeque<EventBatch>,
    duplicates: Vec<Duplicate>,
}

impl Output {
    pub(super) fn new(catalog: Arc<EventCatalog>) -> Output {
        Output { catalog, released: None, next_position: 1, ready: VecDeque::new(), duplicates: Vec::new() }
    }

    /// The next batch that is ready.
    pub(super) fn next(&mut self) -> Option<EventBatch> {
        self.ready.pop_front()
    }

    /// Events released so far.
    #[cfg(test)]
    pub(super) fn events(&self) -> u64 {
        self.next_position - 1
    }

    /// Duplicates found since the last call.
    pub(super) fn take_duplicates(&mut self) -> Vec<Duplicate> {
        std::mem::take(&mut self.duplicates)
    }

    /// Makes batches, without the duplicates, and checks the order once more.
    pub(super) fn emit(&mut self, taken: &Taken) -> Result<(), TransformError> {
        let arenas: Vec<Arc<Vec<u8>>> = taken.sources.iter().map(|source| Arc::clone(&source.arena)).collect();
        let mut headers = Vec::with_capacity(taken.events.len().min(BATCH_EVENTS));
        let released = self.released.take();
        let released = || released.as_ref().map(|released| (&released.entry, released.key.as_slice()));
        let mut last: Option<&TakenEvent> = None;
        for event in &taken.events {
            let order = match (last, released()) {
                (Some(last), _) => taken.compare_events(event, last),
                (None, Some((released, released_key))) => {
                    let (entry, arena) = taken.entry(event);
                    entry.compare_event(arena, released, released_key)
                }
                (None, None) => Ordering::Greater,
            };
            if order.is_le() {
                let previous = last.map(|last| taken.entry(last)).or_else(released);
                self.duplicate(taken.entry(event), previous.expect("what is compared with is there"), order)?;
                continue;
            }
            last = Some(event);
            headers.push(taken.header(event));
            if headers.len() == BATCH_EVENTS {
                let headers = std::mem::replace(&mut headers, Vec::with_capacity(BATCH_EVENTS));
                self.push_batch(headers, &arenas);
            }
        }
        let last = last.map(|last| taken.entry(last)).or_else(released);
        self.released = last.map(|(entry, arena)| Released::new(entry, arena));
        if !headers.is_empty() {
            self.push_batch(headers, &arenas);
        }
        Ok(())
    }

    /// Notes an event with the place of the one before it; one before its place is a defect.
    #[cold]
    fn duplicate(
        &mut self,
        event: (&Entry, &[u8]),
        previous: (&Entry, &[u8]),
        order: Ordering,
    ) -> Result<(), TransformError> {
        if order.is_lt() {
            return Err(self.out_of_order(event, previous));
        }
        let ((entry, arena), (first, _)) = (event, previous);
        let first = (first.block, first.row, first.mapping);
        self.duplicates.push(Duplicate { entry: *entry, key: key_text(entry.key(arena)), first });
        Ok(())
    }

    fn push_batch(&mut self, headers: Vec<EventHeader>, arenas: &[Arc<Vec<u8>>]) {
        let first = self.next_position;
        self.next_position += headers.len() as u64;
        self.ready.push_back(EventBatch::new(Arc::clone(&self.catalog), first, headers, arenas.to_vec()));
    }

    fn out_of_order(&self, event: (&Entry, &[u8]), previous: (&Entry, &[u8])) -> TransformError {
        let name = |(entry, arena): (&Entry, &[u8])| {
            let event_type = &self.catalog.types[usize::from(entry.rank)].name;
            format!("{event_type} {} at {}", key_text(entry.key(arena)), entry.occurred_at)
        };
        TransformError::OutOfOrder { event: name(event), released: name(previous) }
    }
}

fn key_text(key: &[u8]) -> String {
    EventKey::from_bytes(key).map_or_else(|| format!("{key:02x?}"), |key| key.to_string())
}
