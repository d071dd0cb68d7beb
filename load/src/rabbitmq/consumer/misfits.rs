//! Messages that can't be taken, and what becomes of them.
//!
//! One that isn't ours goes to the dead letters. One of ours that can't be read, or that waits for a lost one, is an error
//! and stays in the queue: what can't be passed over is never passed over.

use lapin::message::Delivery;
use lapin::options::BasicRejectOptions;

use super::session::Session;
use crate::LoadError;

impl Session<'_> {
    /// Messages that fill all that the broker hands out, and wait for one that can't come then.
    pub(super) fn check_stuck(&self) -> Result<(), LoadError> {
        let Some(loading) = &self.loading else { return Ok(()) };
        if loading.chain.waiting() < usize::from(self.job.options.prefetch) {
            return Ok(());
        }
        let at = loading.chain.at();
        Err(LoadError::Broker {
            broker: self.job.target.to_string().into(),
            doing: format!("consuming `{}`", self.job.module.name),
            problem: format!("{} messages wait for the event that follows event {at}", loading.chain.waiting()),
            help:
                "raise --prefetch above the publisher's --window; if it doesn't help, that message was lost: publish \
                   anew with --if-exists replace"
                    .to_string(),
            may_pass: false,
        })
    }

    /// A message that isn't ours goes to the dead letters.
    pub(super) fn bury(&mut self, delivery: &Delivery, reason: &str) -> Result<(), LoadError> {
        let id = delivery.properties.message_id().as_ref().map_or("without an id", |id| id.as_str());
        tracing::warn!("{}: message {id} goes to `{}`: {reason}", self.job.module.name, self.job.topology.dead);
        self.totals.dead += 1;
        let reject = self.channel.basic_reject(delivery.delivery_tag, BasicRejectOptions { requeue: false });
        self.link.run("rejecting a message", reject)
    }

    pub(super) fn unreadable(&self, delivery: &Delivery, reason: &str) -> LoadError {
        let id = delivery.properties.message_id().as_ref().map_or("?", |id| id.as_str());
        LoadError::Broker {
            broker: self.job.target.to_string().into(),
            doing: format!("consuming `{}`", self.job.module.name),
            problem: format!("message {id} can't be taken: {reason}"),
            help: "use the project that published it, or purge the queue and publish anew".to_string(),
            may_pass: false,
        }
    }
}
