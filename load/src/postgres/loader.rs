//! The Postgres sink: events of a module into its database, a transaction at a time.
//!
//! In: batches in total order. Out: committed transactions, each the rows of consecutive events and the checkpoint
//! behind the last of them. Events are encoded as they come, so a transaction ends wherever it is full, also within a
//! batch. Batches are kept until their rows are committed: when the server refuses a row, everything since the last
//! commit is encoded again without it, in smaller transactions that grow again.

mod commit;
pub(super) mod opening;
mod pending;
mod rejected;

use std::sync::Arc;
use std::time::Instant;

use etl_schemas::event::{EventBatch, EventCatalog};
use etl_schemas::ticks::Ticks;

use self::pending::Pending;
use self::rejected::RejectedRows;
use super::checkpoint::{Checkpoint, Counts, Mover};
use super::connection::Connection;
use super::copy::CopyBuffer;
use super::database::refused;
use super::plan::RowPlan;
use super::staging::Staging;
use super::{PostgresOptions, PostgresTarget, StreamFingerprint};
use crate::LoadError;
use crate::module::{Module, Script};
use crate::sink::{EVERYTHING, Sink, SinkReport, TableRows};

/// Takes the events of one type.
struct Handler {
    plan: RowPlan,
    /// Which of the loader's buffers its rows go to.
    buffer: usize,
    /// Its place among those whose events are staged, and whether it takes them one by one; `None` for a plain copy.
    staged: Option<(usize, bool)>,
}

/// Loads one module.
pub struct PostgresSink {
    module: String,
    indexes: Option<Script>,
    connection: Connection,
    /// By rank of the event type.
    handlers: Vec<Option<Handler>>,
    buffers: Vec<CopyBuffer>,
    /// What is done with staged events, if any are.
    staging: Option<Staging>,
    rejected: RejectedRows,
    mover: Mover,
    options: PostgresOptions,
    checkpoint: Checkpoint,
    /// What the open transaction will add to the checkpoint.
    open: OpenTransaction,
    pending: Pending,
    /// Rows after which a transaction is full: as the options say, or fewer for a while after a refused row.
    rows_max: usize,
    /// The last position handed to [`Sink::write`], 0 before the first.
    seen: u64,
    resumed_after: u64,
    opened: Instant,
}

/// What has been encoded since the last commit.
#[derive(Clone, Copy, Debug, Default)]
struct OpenTransaction {
    taken: u64,
    passed_over: u64,
    rejected: u64,
    /// Bytes encoded.
    bytes: usize,
    /// Of the last event.
    position: u64,
    occurred_at: Ticks,
}

impl PostgresSink {
    /// Opens the module's database, makes its tables if it is new, and checks that every handler fits them. Nothing of
    /// it remains when something doesn't fit.
    pub fn open(
        target: &PostgresTarget,
        module: &Module,
        catalog: &Arc<EventCatalog>,
        stream: &StreamFingerprint,
        options: &PostgresOptions,
    ) -> Result<PostgresSink, LoadError> {
        opening::open(target, module, catalog, stream, options)
    }

    /// The module's database, with its prefix.
    pub fn database(&self) -> &str {
        self.connection.database()
    }

    /// Encodes pending events until a transaction is full; says whether it is.
    fn fill(&mut self) -> bool {
        while let Some((batch, indexes)) = self.pending.next() {
            for index in indexes {
                if self.is_full() {
                    return true;
                }
                self.encode(&batch, index);
                self.pending.advance();
            }
        }
        self.is_full()
    }

    fn is_full(&self) -> bool {
        self.open.taken + self.open.rejected >= self.rows_max as u64
            || self.open.bytes >= self.options.bytes_per_transaction
            || self.pending.is_long()
    }

    /// Adds one event to the open transaction: as a row, as a rejected row, or as passed over.
    fn encode(&mut self, batch: &EventBatch, index: usize) {
        let header = batch.headers()[index];
        self.open.position = batch.first_position() + index as u64;
        self.open.occurred_at = header.occurred_at;
        let Some(handler) = &mut self.handlers[usize::from(header.rank)] else {
            self.open.passed_over += 1;
            return;
        };
        let event = batch.event(index);
        let buffer = &mut self.buffers[handler.buffer];
        let before = buffer.bytes();
        // A row that the server has refused isn't sent again.
        let encoded = match self.rejected.refusal(event.position) {
            Some(reason) => Err(reason),
            None => buffer.put_row(event.position, |out| handler.plan.encode(&event, out)),
        };
        match encoded {
            Ok(()) => {
                if let (Some((place, one_by_one)), Some(staging)) = (handler.staged, &mut self.staging) {
                    staging.stages.put(event.position, event.stream(), place, one_by_one);
                }
                self.open.taken += 1;
                self.open.bytes += buffer.bytes() - before;
            }
            Err(reason) => {
                self.open.rejected += 1;
                self.open.bytes += event.body.len();
                self.rejected.put(&event, &buffer.destination(), &reason);
            }
        }
    }

    /// Commits everything that was handed over.
    fn flush(&mut self) -> Result<(), LoadError> {
        loop {
            self.fill();
            self.commit()?;
            if self.pending.is_empty() {
                return Ok(());
            }
        }
    }

    fn report(&self) -> SinkReport {
        let Counts { taken, passed_over, rejected, rows } = self.checkpoint.counts.clone();
        SinkReport {
            name: self.module.clone(),
            complete: self.checkpoint.complete,
            resumed_after: self.resumed_after,
            position: self.checkpoint.position,
            taken,
            passed_over,
            rejected,
            tables: rows.into_iter().map(|(table, rows)| TableRows { table, rows }).collect(),
            elapsed: self.opened.elapsed(),
        }
    }
}

impl Sink for PostgresSink {
    fn name(&self) -> &str {
        &self.module
    }

    fn durable_position(&self) -> u64 {
        match self.checkpoint.complete {
            true => EVERYTHING,
            false => self.checkpoint.position,
        }
    }

    fn rejected(&self) -> u64 {
        self.checkpoint.counts.rejected
    }

    fn write(&mut self, batch: &Arc<EventBatch>) -> Result<(), LoadError> {
        let due = self.seen.max(self.checkpoint.position) + 1;
        if batch.first_position() > due || batch.first_position() <= self.seen {
            let (sink, found) = (self.module.clone(), batch.first_position());
            return Err(LoadError::Gap { sink, expected: due, found });
        }
        self.seen = self.seen.max(batch.last_position());
        if self.checkpoint.complete || batch.last_position() < due {
            return Ok(());
        }
        self.pending.push(batch.clone(), (due - batch.first_position()) as usize);
        while self.fill() {
            self.commit()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<SinkReport, LoadError> {
        if !self.checkpoint.complete {
            self.flush()?;
            if self.seen < self.checkpoint.position {
                let problem =
                    format!("the stream ended at event {}, but {} are loaded", self.seen, self.checkpoint.position);
                return Err(refused(self.database(), problem, "load it anew with --if-exists replace"));
            }
            self.complete()?;
        }
        Ok(self.report())
    }

    fn stop(&mut self) -> Result<SinkReport, LoadError> {
        self.flush()?;
        Ok(self.report())
    }
}
