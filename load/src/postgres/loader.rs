//! The Postgres sink: events of a module into its database, a transaction at a time.
//!
//! In: batches in total order. Out: committed transactions, each the rows of consecutive events and the checkpoint
//! behind the last of them. Events are encoded as they come, so a transaction ends wherever it is full, also within a
//! batch. Batches are kept until their rows are committed: when the server refuses a row, everything since the last
//! commit is encoded again without it, in smaller transactions that grow again. Faults that may pass are waited out.

mod commit;
mod opening;
mod pending;
mod planning;
mod recovery;
mod rejected;
pub(super) mod script;

use std::sync::Arc;
use std::time::Instant;

use etl_schemas::event::{EventBatch, EventCatalog};
use etl_schemas::ticks::Ticks;

use self::pending::Pending;
use self::rejected::RejectedRows;
use super::checkpoint::{Checkpoint, Counts, Fingerprints, Mover, load_anew};
use super::connection::{Backend, Connection};
use super::copy::CopyBuffer;
use super::database::refused;
use super::encode::put_int4;
use super::generation::Generation;
use super::plan::RowPlan;
use super::staging::Staging;
use super::{PostgresOptions, PostgresTarget, StreamFingerprint};
use crate::LoadError;
use crate::module::Module;
use crate::patience::Patience;
use crate::sink::{EVERYTHING, Sink, SinkReport, TableRows};

/// Takes the events of one type.
struct Handler {
    plan: RowPlan,
    /// Which of the loader's buffers its rows go to.
    buffer: usize,
    /// Its place among those whose events are staged, and whether it takes them one by one; `None` for a plain copy.
    staged: Option<(usize, bool)>,
}

/// What is loaded, and where: all that another session needs when one breaks.
struct Job {
    target: PostgresTarget,
    module: Module,
    catalog: Arc<EventCatalog>,
    fingerprints: Fingerprints,
    options: PostgresOptions,
    database: String,
    /// The live one, or the next one beside it.
    generation: Generation,
}

/// A connection, and what was prepared on it.
struct Session {
    connection: Connection,
    backend: Backend,
    /// By rank of the event type.
    handlers: Vec<Option<Handler>>,
    buffers: Vec<CopyBuffer>,
    /// What is done with staged events, if any are.
    staging: Option<Staging>,
    mover: Mover,
}

/// Loads one module.
pub struct PostgresSink {
    job: Job,
    session: Session,
    rejected: RejectedRows,
    checkpoint: Checkpoint,
    /// What the open transaction will add to the checkpoint.
    open: OpenTransaction,
    pending: Pending,
    patience: Patience,
    /// Rows after which a transaction is full: as the options say, or fewer for a while after a refused row.
    rows_max: usize,
    /// The last position handed to [`Sink::write`], 0 before the first.
    seen: u64,
    /// Whether the tables are live.
    published: bool,
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
        self.session.connection.database()
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
            self.pass_over_to(batch.last_position() + 1);
            if let Some(ends_at) = batch.ends_at() {
                self.open.occurred_at = ends_at;
            }
            self.pending.advance_over_empty();
        }
        self.is_full()
    }

    /// Counts what lies between the last event and the one at `position`: events that a sparse batch leaves out.
    fn pass_over_to(&mut self, position: u64) {
        let last = self.open.position.max(self.checkpoint.position);
        self.open.passed_over += position - 1 - last;
        self.open.position = position - 1;
    }

    fn is_full(&self) -> bool {
        self.open.taken + self.open.rejected >= self.rows_max as u64
            || self.open.bytes >= self.job.options.bytes_per_transaction
            || self.pending.is_long()
    }

    /// Adds one event to the open transaction: as a row, as a rejected row, or as passed over.
    fn encode(&mut self, batch: &EventBatch, index: usize) {
        let header = batch.headers()[index];
        self.pass_over_to(batch.position(index));
        self.open.position += 1;
        self.open.occurred_at = header.occurred_at;
        let Session { handlers, buffers, staging, .. } = &mut self.session;
        let Some(handler) = &mut handlers[usize::from(header.rank)] else {
            self.open.passed_over += 1;
            return;
        };
        let event = batch.event(index);
        let buffer = &mut buffers[handler.buffer];
        let mut staged = match (handler.staged, staging) {
            (Some((place, one_by_one)), Some(staging)) => {
                let stage = staging.stages.of_next(event.stream(), place, one_by_one);
                Some((&mut staging.stages, stage, place))
            }
            _ => None,
        };
        let before = buffer.bytes();
        // A row that the server has refused isn't sent again.
        let encoded = match self.rejected.refusal(event.position) {
            Some(reason) => Err(reason),
            None => buffer.put_row(event.position, |out| {
                handler.plan.encode(&event, out)?;
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
            name: self.job.module.name.clone(),
            complete: self.checkpoint.complete && self.published,
            resumed_after: self.resumed_after,
            position: self.checkpoint.position,
            taken,
            passed_over,
            rejected,
            tables: rows.into_iter().map(|(table, rows)| TableRows { table, rows }).collect(),
            repeated: 0,
            elapsed: self.opened.elapsed(),
        }
    }
}

impl Sink for PostgresSink {
    fn name(&self) -> &str {
        &self.job.module.name
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
            let (sink, found) = (self.job.module.name.clone(), batch.first_position());
            return Err(LoadError::Gap { sink, expected: due, found });
        }
        self.seen = self.seen.max(batch.last_position());
        if self.checkpoint.complete || batch.last_position() < due {
            return Ok(());
        }
        self.pending.push(batch.clone(), batch.count_up_to(due - 1));
        while self.fill() {
            self.commit()?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), LoadError> {
        self.flush()
    }

    fn finish(&mut self) -> Result<SinkReport, LoadError> {
        if !self.checkpoint.complete {
            self.flush()?;
            if self.seen < self.checkpoint.position {
                let problem =
                    format!("the stream ended at event {}, but {} are loaded", self.seen, self.checkpoint.position);
                let help = load_anew(&self.job.module.name, self.job.options.origin);
                return Err(refused(self.database(), problem, help));
            }
            self.complete()?;
        }
        self.publish()?;
        Ok(self.report())
    }

    fn stop(&mut self) -> Result<SinkReport, LoadError> {
        match self.flush() {
            // Nothing is handed over again in this run.
            Ok(()) | Err(LoadError::WentBack { .. }) => Ok(self.report()),
            Err(error) => Err(error),
        }
    }
}
