//! The module's database, and what was taken for it and isn't written yet.
//!
//! In: messages by way of the chain. Out: batches of events in total order, each covering everything up to its last position.

use std::sync::Arc;
use std::time::{Duration, Instant};

use etl_schemas::event::{EventBatch, EventHeader};
use etl_schemas::ticks::Ticks;
use lapin::message::Delivery;

use super::Job;
use super::chain::Chain;
use crate::LoadError;
use crate::postgres::StreamFingerprint;
use crate::rabbitmq::envelope::Envelope;
use crate::sink::Sink;

/// How long what has come may lie uncommitted while more comes.
const AGE_MAX: Duration = Duration::from_secs(1);
/// How many bytes of events may lie uncommitted.
const BYTES_MAX: usize = 16 << 20;

/// A message on its way through the chain.
pub(super) struct Message {
    pub(super) envelope: Envelope,
    pub(super) delivery: Delivery,
}

/// The database, opened by the first message, and what was taken for it and isn't written yet.
pub(super) struct Loading {
    pub(super) sink: Box<dyn Sink>,
    pub(super) stream: StreamFingerprint,
    pub(super) chain: Chain<Message>,
    /// Up to where the sink was given everything.
    pub(super) written: u64,
    pub(super) events: Vec<(u64, EventHeader)>,
    pub(super) arena: Vec<u8>,
    /// When the first of them came.
    pub(super) since: Instant,
}

impl Loading {
    pub(super) fn new(sink: Box<dyn Sink>, stream: StreamFingerprint) -> Loading {
        let at = sink.durable_position();
        let (chain, since) = (Chain::new(at), Instant::now());
        Loading { sink, stream, chain, written: at, events: Vec::new(), arena: Vec::new(), since }
    }

    pub(super) fn is_due(&self) -> bool {
        !self.events.is_empty() && (self.since.elapsed() >= AGE_MAX || self.arena.len() >= BYTES_MAX)
    }

    /// Hands what was taken to the sink, as a batch that covers everything up to `to`; says whether there was anything.
    pub(super) fn write(&mut self, job: &Job<'_>, to: u64, ends_at: Ticks) -> Result<bool, LoadError> {
        if to <= self.written {
            return Ok(false);
        }
        let arena = Arc::new(std::mem::take(&mut self.arena));
        let events = std::mem::take(&mut self.events);
        let batch = EventBatch::sparse(job.catalog.clone(), self.written + 1..=to, ends_at, events, vec![arena]);
        self.sink.write(&Arc::new(batch))?;
        self.written = to;
        Ok(true)
    }
}
