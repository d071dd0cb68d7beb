//! Events that the merge takes from its sources: brought into order, and pointing at where they lie.

use std::cmp::Ordering;
use std::sync::Arc;

use etl_schemas::event::EventHeader;
use etl_schemas::ticks::Ticks;

use super::super::entry::{Entry, Run};

/// A run that events were taken from.
pub(super) struct Source {
    entries: Arc<Vec<Entry>>,
    pub(super) arena: Arc<Vec<u8>>,
    /// Among the run's entries, the place of the first that was taken.
    first: usize,
    /// Among all headers, the place of that one.
    first_header: usize,
}

/// Events on their way into batches, in order.
///
/// A run's entries were written by another thread and lie in memory that this one hasn't seen. So they are read once,
/// one behind another; what a batch needs of them is copied, and sorting and batching stay within the cache.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) events: Vec<TakenEvent>,
    headers: Vec<EventHeader>,
    pub(super) sources: Vec<Source>,
}

impl Taken {
    /// Takes the first `count` of a run's remaining events.
    pub(super) fn add(&mut self, run: &mut Run, count: usize) {
        let (source, first_header) = (self.sources.len() as u16, self.headers.len());
        for (entry, header) in run.remaining()[..count].iter().zip(first_header as u32..) {
            let Entry { occurred_at, key_prefix, rank, .. } = *entry;
            self.events.push(TakenEvent { occurred_at, key_prefix, rank, header, source });
            self.headers.push(EventHeader {
                occurred_at,
                rank,
                arena: source,
                key_len: entry.key_len,
                stream_len: entry.stream_len,
                body_len: entry.body_len,
                offset: entry.offset,
            });
        }
        let (entries, arena) = (Arc::clone(&run.entries), Arc::clone(&run.arena));
        self.sources.push(Source { entries, arena, first: run.next(), first_header });
        run.skip(count);
    }

    /// Puts the events from a place on in order. The stable sort finds the runs and merges them.
    pub(super) fn sort_from(&mut self, place: usize) {
        let mut events = std::mem::take(&mut self.events);
        events[place..].sort_by(|left, right| {
            left.settled(right).then_with(|| {
                let ((left, left_arena), (right, right_arena)) = (self.entry(left), self.entry(right));
                left.compare(left_arena, right, right_arena)
            })
        });
        self.events = events;
    }

    /// The events' order, which two different events never share.
    pub(super) fn compare_events(&self, left: &TakenEvent, right: &TakenEvent) -> Ordering {
        left.settled(right).then_with(|| {
            let ((left, left_arena), (right, right_arena)) = (self.entry(left), self.entry(right));
            left.compare_event(left_arena, right, right_arena)
        })
    }

    /// The whole entry of an event, and its arena.
    pub(super) fn entry(&self, event: &TakenEvent) -> (&Entry, &[u8]) {
        let Source { entries, arena, first, first_header } = &self.sources[usize::from(event.source)];
        (&entries[first + event.header as usize - first_header], arena)
    }

    /// What a batch holds of an event.
    pub(super) fn header(&self, event: &TakenEvent) -> EventHeader {
        self.headers[event.header as usize]
    }
}

/// An event that is being sorted: what settles nearly every comparison, and where the rest is.
#[derive(Clone, Copy)]
pub(super) struct TakenEvent {
    occurred_at: Ticks,
    key_prefix: u64,
    /// Place among the headers.
    header: u32,
    rank: u16,
    source: u16,
}

impl TakenEvent {
    /// The order, as far as it shows here.
    #[inline]
    fn settled(&self, other: &TakenEvent) -> Ordering {
        (self.occurred_at, self.rank, self.key_prefix).cmp(&(other.occurred_at, other.rank, other.key_prefix))
    }
}
