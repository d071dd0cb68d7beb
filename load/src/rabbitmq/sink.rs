//! The RabbitMQ sink: events as messages, in order within each stream, each confirmed by the broker.
//!
//! In: batches in total order. Out: messages on the exchange, and a checkpoint behind the oldest one that isn't confirmed.
//! At most a window of messages is sent behind the checkpoint's file. When the connection breaks, or the broker refuses one for
//! now, everything on the way is sent again in order, with the same ids. A message that no queue takes stops the sink; an
//! event that is too large for one is rejected and listed.

mod channels;
mod pace;
mod recovery;
mod sending;
mod window;

use std::sync::Arc;
use std::time::{Duration, Instant};

use etl_schemas::event::{EventBatch, EventCatalog};
use etl_schemas::ticks::Ticks;

use self::channels::Channels;
use self::pace::Pace;
use self::window::Window;
use super::checkpoint::{Checkpoint, Keeper};
use super::connection::Link;
use super::topology::Topology;
use super::{PublishOptions, RabbitTarget, Routes, declare};
use crate::LoadError;
use crate::patience::Patience;
use crate::postgres::StreamFingerprint;
use crate::sink::{EVERYTHING, Sink, SinkReport};

/// The sink's name in reports.
const NAME: &str = "rabbitmq";
/// How often the checkpoint is written.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// The checkpoint that is on disk.
struct Saved {
    position: u64,
    at: Instant,
    /// Messages settled since.
    settled: usize,
}

/// Publishes all modules' events.
pub struct RabbitSink {
    target: RabbitTarget,
    options: PublishOptions,
    routes: Routes,
    link: Link,
    channels: Channels,
    keeper: Keeper,
    /// What is confirmed.
    checkpoint: Checkpoint,
    saved: Saved,
    /// For each module the position of its last event that was sent.
    chain: Vec<u64>,
    window: Window,
    pace: Pace,
    patience: Patience,
    /// The last position handed over, and when that event happened.
    seen: (u64, Ticks),
    repeated: u64,
    resumed_after: u64,
    opened: Instant,
}

impl RabbitSink {
    /// Connects, looks whether everything is declared, and reads the checkpoint.
    ///
    /// # Errors
    /// When the broker can't be used, something isn't declared, or something else was published before.
    pub fn open(
        target: &RabbitTarget,
        topology: &Topology,
        routes: Routes,
        catalog: &EventCatalog,
        stream: &StreamFingerprint,
        options: &PublishOptions,
    ) -> Result<RabbitSink, LoadError> {
        let opened = Instant::now();
        let link = Link::open(target, options.stop)?;
        declare::require(&link, target, topology)?;
        let keeper = Keeper::new(&options.folder, target, &topology.exchange);
        let fingerprints = [stream.dump.clone(), stream.mappings.clone(), routes.fingerprint()];
        let checkpoint = keeper.begin(fingerprints, routes.modules.len(), options.if_published)?;
        keeper.save(&checkpoint)?;
        let channels = Channels::open(&link, &topology.exchange, &routes, catalog, stream, options)?;
        Ok(RabbitSink {
            target: target.clone(),
            routes,
            link,
            channels,
            keeper,
            saved: Saved { position: checkpoint.position, at: Instant::now(), settled: 0 },
            chain: checkpoint.chain.clone(),
            // Half of what may be sent again is on the way, the other half confirmed and not yet in the file.
            window: Window::new(options.window.div_ceil(2)),
            pace: Pace::new(options.rate),
            patience: Patience::default(),
            seen: (0, Ticks::default()),
            repeated: 0,
            resumed_after: if checkpoint.complete { EVERYTHING } else { checkpoint.position },
            opened,
            checkpoint,
            options: options.clone(),
        })
    }

    fn save(&mut self) -> Result<(), LoadError> {
        // Behind the last confirmed message nothing is on the way that could be lost, only events that nobody takes.
        if self.window.is_empty() {
            self.checkpoint.position = self.checkpoint.position.max(self.seen.0);
        }
        if self.saved.position != self.checkpoint.position || self.checkpoint.complete {
            self.keeper.save(&self.checkpoint)?;
        }
        self.saved = Saved { position: self.checkpoint.position, at: Instant::now(), settled: 0 };
        Ok(())
    }

    fn report(&self) -> SinkReport {
        let Checkpoint { position, complete, published, rejected, .. } = self.checkpoint;
        SinkReport {
            name: NAME.to_string(),
            complete,
            resumed_after: self.resumed_after,
            position,
            taken: published,
            passed_over: position - published - rejected,
            rejected,
            repeated: self.repeated,
            tables: Vec::new(),
            elapsed: self.opened.elapsed(),
        }
    }
}

impl Sink for RabbitSink {
    fn name(&self) -> &str {
        NAME
    }

    fn durable_position(&self) -> u64 {
        match self.checkpoint.complete {
            true => EVERYTHING,
            false => self.checkpoint.position,
        }
    }

    fn rejected(&self) -> u64 {
        self.checkpoint.rejected
    }

    fn write(&mut self, batch: &Arc<EventBatch>) -> Result<(), LoadError> {
        if self.checkpoint.complete {
            return Ok(());
        }
        let due = self.seen.0.max(self.checkpoint.position) + 1;
        if batch.first_position() > due {
            let (sink, found) = (NAME.to_string(), batch.first_position());
            return Err(LoadError::Gap { sink, expected: due, found });
        }
        for index in batch.count_up_to(due - 1)..batch.len() {
            self.publish(batch, index)?;
        }
        self.seen = (self.seen.0.max(batch.last_position()), batch.ends_at().unwrap_or(self.seen.1));
        Ok(())
    }

    fn settle(&mut self) -> Result<(), LoadError> {
        while !self.window.is_empty() {
            self.settle_oldest()?;
        }
        self.save()
    }

    fn finish(&mut self) -> Result<SinkReport, LoadError> {
        if !self.checkpoint.complete {
            self.settle()?;
            self.publish_ends()?;
            self.checkpoint.complete = true;
            self.save()?;
        }
        Ok(self.report())
    }

    fn stop(&mut self) -> Result<SinkReport, LoadError> {
        // What is confirmed by now counts; the rest is sent again by the next run.
        self.settle_ready()?;
        self.keeper.save(&self.checkpoint)?;
        Ok(self.report())
    }
}
