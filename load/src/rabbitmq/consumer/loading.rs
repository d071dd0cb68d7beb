//! The module's database, and what was taken for it and isn't written yet.
//!
//! In: messages by way of the chain. Out: batches of events in total order, each covering everything up to its last position.

use std::sync::Arc;
use std::time::{Duration, Instant};

use etl_schemas::event::{EventBatch, EventHeader};
use etl_schemas::ticks::Ticks;
use lapin::message::Delivery;

use super::chain::Chain;
use super::{Fault, Job, OpenSink};
use crate::postgres::StreamFingerprint;
use crate::rabbitmq::envelope::Envelope;
use crate::sink::{EVERYTHING, Sink, SinkReport};

/// How long what has come may lie uncommitted while more comes.
const AGE_MAX: Duration = Duration::from_secs(1);
/// How many bytes of events may lie uncommitted, and how many bytes of bodies are taken from the broker at a time.
pub(super) const BYTES_MAX: usize = 16 << 20;

/// A message on its way through the chain.
pub(super) struct Message {
    pub(super) envelope: Envelope,
    pub(super) delivery: Delivery,
}

/// The database, opened by the first message, and what was taken for it and isn't written yet.
pub(super) struct Loading {
    sink: Box<dyn Sink>,
    pub(super) stream: StreamFingerprint,
    pub(super) chain: Chain<Message>,
    /// Up to where the sink was given everything, and whether any of it in this session.
    written: u64,
    has_written: bool,
    pub(super) events: Vec<(u64, EventHeader)>,
    pub(super) arena: Vec<u8>,
    /// When the first of them came.
    pub(super) since: Instant,
}

impl Loading {
    pub(super) fn open(open: &mut OpenSink<'_>, stream: StreamFingerprint) -> Result<Loading, Fault> {
        let sink = open(&stream).map_err(Fault::Sink)?;
        let at = sink.durable_position();
        Ok(Loading {
            sink,
            stream,
            chain: Chain::new(at),
            written: at,
            has_written: false,
            events: Vec::new(),
            arena: Vec::new(),
            since: Instant::now(),
        })
    }

    /// Whether so much lies here that it has to be written before more is taken.
    pub(super) fn is_full(&self) -> bool {
        self.arena.len() >= BYTES_MAX
    }

    pub(super) fn is_due(&self) -> bool {
        !self.events.is_empty() && (self.since.elapsed() >= AGE_MAX || self.is_full())
    }

    /// Up to where the sink was given everything.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Up to where everything has taken effect.
    pub(super) fn durable(&self) -> u64 {
        self.sink.durable_position()
    }

    /// Commits what was taken, up to the last event that came out of the chain; says whether there was anything.
    pub(super) fn settle(&mut self, job: &Job<'_>) -> Result<bool, Fault> {
        let to = self.chain.at();
        let ends_at = self.events.last().map_or(Ticks::default(), |(_, header)| header.occurred_at);
        if to <= self.written {
            return Ok(false);
        }
        self.write(job, to, ends_at)?;
        self.sink.settle().map_err(Fault::Sink)?;
        Ok(true)
    }

    /// Everything up to the last event of all has come.
    pub(super) fn finish(&mut self, job: &Job<'_>, last: u64, ends_at: Ticks) -> Result<SinkReport, Fault> {
        if self.durable() != EVERYTHING && (last > self.written || !self.has_written) {
            // A sink that goes on from a checkpoint at the very end is told by an empty batch that the stream came so far.
            self.written = self.written.min(last.saturating_sub(1));
            self.write(job, last, ends_at)?;
        }
        self.sink.finish().map_err(Fault::Sink)
    }

    /// Makes durable what was written, and leaves the rest to another run.
    pub(super) fn stop(&mut self) -> Result<SinkReport, Fault> {
        self.sink.stop().map_err(Fault::Sink)
    }

    /// Hands what was taken to the sink, as a batch that covers everything up to `to`.
    fn write(&mut self, job: &Job<'_>, to: u64, ends_at: Ticks) -> Result<(), Fault> {
        let arena = Arc::new(std::mem::take(&mut self.arena));
        let events = std::mem::take(&mut self.events);
        let batch = EventBatch::sparse(job.catalog.clone(), self.written + 1..=to, ends_at, events, vec![arena]);
        self.sink.write(&Arc::new(batch)).map_err(Fault::Sink)?;
        (self.written, self.has_written) = (to, true);
        Ok(())
    }
}
