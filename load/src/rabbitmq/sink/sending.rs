//! From the window to the broker, and the checkpoint behind what is confirmed.
//!
//! In: events in total order. Out: messages on their way, at most a window of them and not too many bytes; the checkpoint stands behind the oldest
//! that isn't confirmed, and never moves over one that isn't.

use std::sync::Arc;

use etl_schemas::event::EventBatch;

use super::super::checkpoint::Rejected;
use super::super::routes::end_key;
use super::channels::Answer;
use super::window::Way;
use super::{NAME, RabbitSink, SAVE_EVERY};
use crate::LoadError;

impl RabbitSink {
    /// Sends one event, when there is room for it in the window.
    pub(super) fn publish(&mut self, batch: &Arc<EventBatch>, index: usize) -> Result<(), LoadError> {
        let event = batch.event(index);
        if self.routes.takers(event.rank).is_empty() {
            return self.settle_ready();
        }
        while self.window.is_full() {
            self.settle_oldest()?;
        }
        if !self.pace.wait(self.options.stop) {
            return Err(self.link.stopped("publishing"));
        }
        self.window.push(batch.clone(), index);
        self.send_waiting();
        Ok(())
    }

    /// Sends what is in the window and not on the way, until all of it is.
    fn send_waiting(&mut self) {
        while let Some((batch, index)) = self.window.next_unsent() {
            let event = batch.event(index);
            let takers = self.routes.takers(event.rank);
            match self.channels.publish(&event, takers, &self.chain) {
                Answer::Sent(confirm, bytes) => {
                    takers.iter().for_each(|module| self.chain[*module] = event.position);
                    self.window.sent(Way::Sent(confirm), bytes);
                }
                Answer::Rejected(reason) => {
                    let event_type = event.event_type().name.clone();
                    let (position, event_id) = (event.position, event.id().to_string());
                    tracing::warn!("event {event_id} ({event_type}, position {position}) is rejected: {reason}");
                    let rejected = Rejected { position, event_id, event_type, reason };
                    self.window.sent(Way::Rejected(rejected), 0);
                }
            }
        }
    }

    /// Waits for the oldest message's confirmation.
    pub(super) fn settle_oldest(&mut self) -> Result<(), LoadError> {
        match self.window.wait_for_oldest(&self.link) {
            Ok(()) => self.settle_ready(),
            Err(error) => {
                self.recover(error)?;
                self.send_waiting();
                Ok(())
            }
        }
    }

    /// Moves the checkpoint over all that is confirmed at the window's beginning.
    pub(super) fn settle_ready(&mut self) -> Result<(), LoadError> {
        if let Err(error) = self.settle_first() {
            self.recover(error)?;
            self.send_waiting();
        }
        match self.saved.at.elapsed() >= SAVE_EVERY || self.saved.settled >= self.options.window / 2 {
            true => self.save(),
            false => Ok(()),
        }
    }

    fn settle_first(&mut self) -> Result<(), LoadError> {
        while let Some((batch, index, rejected)) = self.window.pop_settled(&self.link)? {
            self.checkpoint.position = batch.position(index);
            self.saved.settled += 1;
            match rejected {
                Some(rejected) => {
                    self.checkpoint.reject(rejected);
                    self.check_rejects()?;
                }
                None => {
                    self.checkpoint.published += 1;
                    for module in self.routes.takers(batch.headers()[index].rank) {
                        self.checkpoint.chain[*module] = batch.position(index);
                    }
                }
            }
            self.patience.forget();
        }
        Ok(())
    }

    fn check_rejects(&self) -> Result<(), LoadError> {
        match self.options.rejects_max {
            Some(allowed) if self.checkpoint.rejected > allowed => Err(LoadError::TooManyRejects {
                sink: NAME.to_string(),
                rejected: self.checkpoint.rejected,
                allowed,
                last: self.checkpoint.listed.last().map_or_else(String::new, |last| last.reason.clone()),
                place: self.keeper.path().display().to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// Tells every module that this was all, and waits until the broker has that too.
    pub(super) fn publish_ends(&mut self) -> Result<(), LoadError> {
        let (position, at) = self.seen;
        loop {
            let mut ends = Ok(());
            for (module, name) in self.routes.modules.iter().enumerate() {
                let after = self.checkpoint.chain[module];
                ends = ends.and_then(|()| {
                    self.channels.publish_end(&self.link, module, &end_key(name), (position, at), after)
                });
            }
            match ends {
                Ok(()) => return Ok(()),
                Err(error) => self.recover(error)?,
            }
        }
    }
}
