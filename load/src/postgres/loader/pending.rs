//! Events handed over and not committed yet, with three marks: what is committed, sent, and encoded.

use std::ops::Range;
use std::sync::Arc;

use etl_schemas::event::EventBatch;

/// Batches in a transaction at most: a module that takes few events commits at least this often, so that it doesn't hold
/// the memory of a long stream.
const BATCHES_MAX: usize = 32;

/// A place in the pending events.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    batch: usize,
    event: usize,
}

/// Pending events in order.
#[derive(Debug, Default)]
pub(super) struct Pending {
    batches: Vec<Arc<EventBatch>>,
    committed: Mark,
    sent: Mark,
    encoded: Mark,
}

impl Pending {
    /// Adds a batch, of which the first `skip` events are committed already.
    pub(super) fn push(&mut self, batch: Arc<EventBatch>, skip: usize) {
        if self.batches.is_empty() {
            let mark = Mark { batch: 0, event: skip };
            (self.committed, self.sent, self.encoded) = (mark, mark, mark);
        } else {
            debug_assert_eq!(skip, 0, "only the first batch of a resumed run overlaps with what is committed");
        }
        self.batches.push(batch);
    }

    /// The batch with the next events to be encoded, and their indexes there.
    pub(super) fn next(&self) -> Option<(Arc<EventBatch>, Range<usize>)> {
        let batch = self.batches.get(self.encoded.batch)?;
        Some((batch.clone(), self.encoded.event..batch.len()))
    }

    /// The next event is encoded.
    pub(super) fn advance(&mut self) {
        self.encoded.event += 1;
        if self.encoded.event >= self.batches[self.encoded.batch].len() {
            self.encoded = Mark { batch: self.encoded.batch + 1, event: 0 };
        }
    }

    /// A batch without any more events is encoded by being looked at.
    pub(super) fn advance_over_empty(&mut self) {
        if self.batches.get(self.encoded.batch).is_some_and(|batch| self.encoded.event >= batch.len()) {
            self.encoded = Mark { batch: self.encoded.batch + 1, event: 0 };
        }
    }

    /// Whether so many batches are encoded that they should be sent.
    pub(super) fn is_long(&self) -> bool {
        self.encoded.batch - self.sent.batch >= BATCHES_MAX
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Pending::default();
    }

    /// Whether all is committed.
    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// What is encoded is sent now.
    pub(super) fn send(&mut self) {
        self.sent = self.encoded;
    }

    /// What is sent is committed now.
    pub(super) fn release(&mut self) {
        let done = self.sent.batch;
        self.batches.drain(..done);
        (self.sent.batch, self.encoded.batch) = (0, self.encoded.batch - done);
        self.committed = self.sent;
    }

    /// What is encoded and not committed has to be encoded again.
    pub(super) fn rewind(&mut self) {
        (self.sent, self.encoded) = (self.committed, self.committed);
    }
}
