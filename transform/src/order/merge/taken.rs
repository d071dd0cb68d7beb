//! Events that the merge takes from its sources: brought into order, and pointing at where they lie.

use std::sync::Arc;

use etl_schemas::ticks::Ticks;

use super::super::entry::{Entry, Run};

/// Entries of a run and their arena.
pub(super) type TakenFrom = (Arc<Vec<Entry>>, Arc<Vec<u8>>);

/// Events on their way into batches, in order.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) events: Vec<TakenEvent>,
    pub(super) sources: Vec<TakenFrom>,
}

impl Taken {
    /// Takes the first `count` of a run's remaining events.
    pub(super) fn add(&mut self, run: &mut Run, count: usize) {
        let source = self.sources.len() as u16;
        let places = run.next as u32..;
        self.events.extend(run.remaining()[..count].iter().zip(places).map(|(entry, at)| TakenEvent {
            occurred_at: entry.occurred_at,
            key_prefix: entry.key_prefix,
            rank: entry.rank,
            source,
            at,
        }));
        self.sources.push((Arc::clone(&run.entries), Arc::clone(&run.arena)));
        run.next += count;
    }

    /// Puts the events from a place on in order. The stable sort finds the runs and merges them.
    pub(super) fn sort_from(&mut self, place: usize) {
        let Taken { events, sources } = self;
        events[place..].sort_by(|left, right| {
            (left.occurred_at, left.rank, left.key_prefix)
                .cmp(&(right.occurred_at, right.rank, right.key_prefix))
                .then_with(|| {
                    let ((left, left_arena), (right, right_arena)) = (left.of(sources), right.of(sources));
                    left.compare(left_arena, right, right_arena)
                })
        });
    }
}

/// An event that is being sorted: what settles nearly every comparison, and where the rest is.
#[derive(Clone, Copy)]
pub(super) struct TakenEvent {
    occurred_at: Ticks,
    key_prefix: u64,
    /// Place among the entries of its source.
    at: u32,
    rank: u16,
    pub(super) source: u16,
}

impl TakenEvent {
    /// The whole entry, and its arena.
    pub(super) fn of(self, sources: &[TakenFrom]) -> (&Entry, &[u8]) {
        let (entries, arena) = &sources[usize::from(self.source)];
        (&entries[self.at as usize], arena)
    }
}
