//! The Postgres sink: events of a module into its database, a transaction at a time.
//!
//! In: batches in total order. Out: committed transactions, each the rows of consecutive events and the checkpoint
//! behind the last of them. Events are encoded as they come, so a transaction ends wherever it is full, also within a
//! batch; while the server works on it, the next one is encoded. Batches are kept until their rows are committed: when
//! the server refuses a row, everything since the last commit is encoded again without it, in smaller transactions that
//! grow again. Faults that may pass are waited out.

mod commit;
mod line;
mod opening;
mod pending;
mod planning;
mod recovery;
mod rejected;
pub(super) mod script;
mod transaction;

use std::sync::Arc;
use std::time::Instant;

use etl_schemas::event::{EventBatch, EventCatalog};

use self::line::Line;
use self::pending::Pending;
use self::rejected::Refusals;
use self::transaction::Transaction;
use super::checkpoint::{Checkpoint, Counts, Fingerprints, Mover, load_anew};
use super::connection::{Backend, Connection};
use super::database::refused;
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
    /// What is done with staged events, if any are.
    staging: Option<Staging>,
    mover: Mover,
    /// Begins each transaction.
    begin: String,
}

/// Loads one module.
pub struct PostgresSink {
    job: Job,
    line: Line,
    /// By rank of the event type.
    handlers: Vec<Option<Handler>>,
    /// Takes what is encoded.
    filling: Transaction,
    /// Takes its place when it is sent; `None` while it is on its way itself.
    spare: Option<Transaction>,
    refusals: Refusals,
    last_reject: Option<String>,
    checkpoint: Checkpoint,
    pending: Pending,
    patience: Patience,
    /// Events after which a transaction is full: as the options say, or fewer for a while after a refused row.
    rows_max: usize,
    /// The last position handed to [`Sink::write`], 0 before the first.
    seen: u64,
    /// Whether the tables are live.
    published: bool,
    resumed_after: u64,
    opened: Instant,
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
        &self.job.database
    }

    /// Encodes pending events until a transaction is full; says whether it is.
    fn fill(&mut self) -> bool {
        while let Some((batch, indexes)) = self.pending.next() {
            for index in indexes {
                if self.is_full() {
                    return true;
                }
                self.filling.add(&batch, index, &mut self.handlers, &self.refusals);
                self.pending.advance();
            }
            self.filling.pass_over_to(batch.last_position() + 1);
            if let Some(ends_at) = batch.ends_at() {
                self.filling.occurred_at = ends_at;
            }
            self.pending.advance_over_empty();
        }
        self.is_full()
    }

    fn is_full(&self) -> bool {
        self.filling.is_full(self.rows_max, self.job.options.bytes_per_transaction) || self.pending.is_long()
    }

    /// Commits everything that was handed over.
    fn flush(&mut self) -> Result<(), LoadError> {
        loop {
            self.fill();
            self.submit()?;
            self.wait_for_commit()?;
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
            self.submit()?;
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
