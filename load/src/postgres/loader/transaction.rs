//! The rows of one transaction: encoded on the sink's thread, then sent on the session's.
//!
//! There are two of them for a sink, which take turns: while the server works on one, the next is encoded.

use std::sync::Arc;

use etl_schemas::event::{Event, EventBatch};
use etl_schemas::ticks::Ticks;

use super::Handler;
use super::rejected::{Refusals, RejectedRows};
use crate::postgres::checkpoint::Counts;
use crate::postgres::copy::CopyBuffer;
use crate::postgres::encode::put_int4;
use crate::postgres::stages::Stages;

/// What consecutive events become, and how many of them became what.
pub(super) struct Transaction {
    pub(super) buffers: Vec<CopyBuffer>,
    /// In which steps handlers take the staged rows, if any are staged.
    pub(super) stages: Option<Stages>,
    pub(super) rejects: RejectedRows,
    /// Position of the last event of the transaction before.
    pub(super) behind: u64,
    /// Of the last event.
    pub(super) position: u64,
    pub(super) occurred_at: Ticks,
    taken: u64,
    passed_over: u64,
    rejected: u64,
    /// Bytes encoded.
    bytes: usize,
}

impl Transaction {
    /// An empty one.
    pub(super) fn new(buffers: Vec<CopyBuffer>, stages: Option<Stages>, rejects: RejectedRows) -> Transaction {
        Transaction {
            buffers,
            stages,
            rejects,
            behind: 0,
            position: 0,
            occurred_at: Ticks::default(),
            taken: 0,
            passed_over: 0,
            rejected: 0,
            bytes: 0,
        }
    }

    /// An empty one for the same statements.
    pub(super) fn twin(&self) -> Transaction {
        let buffers = self.buffers.iter().map(CopyBuffer::twin).collect();
        Transaction::new(buffers, self.stages.as_ref().map(Stages::twin), self.rejects.twin())
    }

    /// Forgets everything and begins behind an event.
    pub(super) fn begin(&mut self, behind: u64) {
        self.buffers.iter_mut().for_each(CopyBuffer::clear);
        self.stages.iter_mut().for_each(Stages::clear);
        self.rejects.clear();
        (self.behind, self.position, self.occurred_at) = (behind, behind, Ticks::default());
        (self.taken, self.passed_over, self.rejected, self.bytes) = (0, 0, 0, 0);
    }

    /// Puts its rows in the order in which they are sent; no more are added.
    pub(super) fn sort(&mut self) {
        self.buffers.iter_mut().for_each(CopyBuffer::sort);
    }

    /// Whether no event has gone into it.
    pub(super) fn is_empty(&self) -> bool {
        self.position == self.behind
    }

    /// Rows that the server is to take for the module.
    pub(super) fn rows(&self) -> usize {
        self.buffers.iter().map(CopyBuffer::rows).sum()
    }

    /// Whether it has so many events that count, or so many bytes.
    pub(super) fn is_full(&self, events_max: usize, bytes_max: usize) -> bool {
        self.taken + self.rejected >= events_max as u64 || self.bytes >= bytes_max
    }

    /// Position of the only row, if there is but one.
    pub(super) fn only_row(&self) -> Option<u64> {
        self.buffers.iter().find_map(CopyBuffer::only_position).filter(|_| self.rows() == 1)
    }

    /// What the checkpoint counts with it, when `before` is what it counted so far.
    pub(super) fn counts(&self, before: &Counts) -> Counts {
        let mut counts = before.clone();
        counts.taken += self.taken;
        counts.passed_over += self.passed_over;
        counts.rejected += self.rejected;
        for buffer in &self.buffers {
            if let Some(table) = buffer.counted_table() {
                *counts.rows.entry(table).or_default() += buffer.rows() as u64;
            }
        }
        counts
    }

    /// Counts what lies between the last event and the one at `position`: events that a sparse batch leaves out.
    pub(super) fn pass_over_to(&mut self, position: u64) {
        self.passed_over += position - 1 - self.position;
        self.position = position - 1;
    }

    /// Adds one event: as a row, as a rejected row, or as passed over.
    pub(super) fn add(
        &mut self,
        batch: &Arc<EventBatch>,
        index: usize,
        handlers: &mut [Option<Handler>],
        refusals: &Refusals,
    ) {
        let header = batch.headers()[index];
        self.pass_over_to(batch.position(index));
        self.position += 1;
        self.occurred_at = header.occurred_at;
        match &mut handlers[usize::from(header.rank)] {
            Some(handler) => self.encode(&batch.event(index), handler, refusals),
            None => self.passed_over += 1,
        }
    }

    fn encode(&mut self, event: &Event<'_>, handler: &mut Handler, refusals: &Refusals) {
        let buffer = &mut self.buffers[handler.buffer];
        let mut staged = match (handler.staged, &mut self.stages) {
            (Some((place, one_by_one)), Some(stages)) => {
                let stage = stages.of_next(event.stream(), place, one_by_one);
                Some((stages, stage, place))
            }
            _ => None,
        };
        let before = buffer.bytes();
        // A row that the server has refused isn't sent again.
        let encoded = match refusals.reason(event.position) {
            Some(reason) => Err(reason),
            None => buffer.put_row(event.position, |out| {
                handler.plan.encode(event, out)?;
                if let Some((_, stage, _)) = staged {
                    put_int4(out, stage as i32);
                }
                Ok(())
            }),
        };
        match encoded {
            Ok(()) => {
                if let Some((stages, stage, place)) = &mut staged {
                    stages.take(*stage, *place);
                }
                self.taken += 1;
                self.bytes += buffer.bytes() - before;
            }
            Err(reason) => {
                self.rejected += 1;
                self.bytes += event.body.len();
                self.rejects.put(event, &buffer.destination(), &reason);
            }
        }
    }
}
