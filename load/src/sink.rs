//! What a sink is and what each one guarantees.
//!
//! In: batches in total order, positions consecutive. Out: events at their destination, and a [`SinkReport`].
//!
//! | sink | order | duplicates after a crash and a resume | an event is durable |
//! |---|---|---|---|
//! | Postgres | of the stream | none: rows and checkpoint commit together | when its transaction has committed |
//! | RabbitMQ | of each stream | at most one window, with the same ids; `etl consume` drops them | when the broker has confirmed it and all before |
//! | JSON lines | of the stream | the whole stream is written again | when the output was flushed at the end |
//! | null | - | - | never |

use std::sync::Arc;
use std::time::Duration;

use etl_schemas::event::EventBatch;

use crate::LoadError;

/// The durable position of a sink that has the whole stream already.
pub const EVERYTHING: u64 = u64::MAX;

/// A destination of events, driven by one thread.
///
/// Whoever drives a sink calls `write` with batches whose positions follow each other without a gap, and then either
/// `finish` (the stream has ended) or `stop` (it was cut short), once. After [`LoadError::WentBack`] it goes on with the
/// events behind that position. After any other error no method is called any more, and the sink is dropped; what was
/// durable before stays durable, and nothing of a half-done transaction remains.
pub trait Sink: Send {
    /// Name for reports: the module's, or `jsonl`.
    fn name(&self) -> &str;

    /// Position up to which every event is durable at the destination, now. Rises while the sink works. A new run may
    /// begin behind it; events up to it are passed over when they come again. [`EVERYTHING`] once the sink is complete.
    fn durable_position(&self) -> u64;

    /// Events rejected so far, over all runs.
    fn rejected(&self) -> u64 {
        0
    }

    /// Takes a batch. It need not be durable on return; see [`Sink::durable_position`].
    fn write(&mut self, batch: &Arc<EventBatch>) -> Result<(), LoadError>;

    /// Makes durable what was taken so far; more may come.
    fn settle(&mut self) -> Result<(), LoadError> {
        Ok(())
    }

    /// The stream has ended: makes all of it durable and completes the destination (indexes, statistics, flag).
    fn finish(&mut self) -> Result<SinkReport, LoadError>;

    /// The stream was cut short: makes durable what was taken, and leaves the destination incomplete and resumable.
    fn stop(&mut self) -> Result<SinkReport, LoadError>;
}

/// What a sink did. Counts are over all runs where the sink can resume, so that they add up to the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkReport {
    /// The sink's name.
    pub name: String,
    /// Whether it has the whole stream.
    pub complete: bool,
    /// Position that an earlier run had reached; 0 when there was none, [`EVERYTHING`] when nothing was left to do.
    pub resumed_after: u64,
    /// Position of the last durable event.
    pub position: u64,
    /// Events that took effect.
    pub taken: u64,
    /// Events of types that the sink doesn't take.
    pub passed_over: u64,
    /// Events that couldn't take effect, each with its reason in the database's `etl.rejected`.
    pub rejected: u64,
    /// Events that came or were sent more than once and took effect once, this run.
    pub repeated: u64,
    /// Rows by table, in order of the tables' names.
    pub tables: Vec<TableRows>,
    /// Time from opening the sink to its end, this run.
    pub elapsed: Duration,
}

/// Rows written to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRows {
    /// `table`, or `schema.table` outside `public`.
    pub table: String,
    /// Number of rows.
    pub rows: u64,
}
