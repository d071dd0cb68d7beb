//! A sink that reads every payload and keeps nothing: what the stream costs without a destination.

use std::sync::Arc;
use std::time::Instant;

use etl_schemas::event::EventBatch;

use crate::LoadError;
use crate::sink::{Sink, SinkReport};

/// Counts events and touches every byte of their keys and bodies.
#[derive(Debug)]
pub struct NullSink {
    events: u64,
    bytes: u64,
    /// Sum of all bytes: without it the compiler could leave the reading out.
    sum: u64,
    position: u64,
    opened: Instant,
}

impl NullSink {
    /// A sink that has seen nothing yet.
    pub fn new() -> NullSink {
        NullSink { events: 0, bytes: 0, sum: 0, position: 0, opened: Instant::now() }
    }

    /// Bytes of keys and bodies seen.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sum of all bytes of keys and bodies.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    fn report(&self, complete: bool) -> SinkReport {
        SinkReport {
            name: self.name().to_string(),
            complete,
            position: self.position,
            taken: self.events,
            elapsed: self.opened.elapsed(),
            ..SinkReport::default()
        }
    }
}

impl Default for NullSink {
    fn default() -> NullSink {
        NullSink::new()
    }
}

impl Sink for NullSink {
    fn name(&self) -> &str {
        "null"
    }

    fn durable_position(&self) -> u64 {
        0
    }

    fn write(&mut self, batch: &Arc<EventBatch>) -> Result<(), LoadError> {
        for event in batch.events() {
            for bytes in [event.key_bytes(), event.body] {
                self.bytes += bytes.len() as u64;
                self.sum += bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
            }
        }
        self.events += batch.len() as u64;
        self.position = batch.last_position();
        Ok(())
    }

    fn finish(&mut self) -> Result<SinkReport, LoadError> {
        Ok(self.report(true))
    }

    fn stop(&mut self) -> Result<SinkReport, LoadError> {
        Ok(self.report(false))
    }
}
