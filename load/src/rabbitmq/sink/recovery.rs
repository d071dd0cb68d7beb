//! After a fault: what may pass is waited out, then everything on the way is sent again from the checkpoint on.
//!
//! In: the error. Out: a new connection, and a window of which nothing is sent; or the error, when waiting can't help. A
//! message that came back is such an error.

use super::{NAME, RabbitSink};
use crate::LoadError;

impl RabbitSink {
    /// Waits out the fault and connects anew; everything on the way counts as not sent.
    pub(super) fn recover(&mut self, mut error: LoadError) -> Result<(), LoadError> {
        if let Some(returned) = self.window.returned() {
            // It may have been confirmed a moment before we knew that it came back: then all is published anew.
            if returned.position <= self.checkpoint.position {
                self.keeper.forget()?;
            }
            return Err(self.link.returned(returned.text));
        }
        let again = self.window.rewind();
        self.chain.clone_from(&self.checkpoint.chain);
        loop {
            self.patience.wait(NAME, error, self.options.retry_time_max, self.options.stop)?;
            match self.link.connect().and_then(|()| self.channels.reopen(&self.link)) {
                Ok(()) => break,
                Err(next) => error = next,
            }
        }
        self.repeated += again;
        tracing::warn!("{}: connected again; {again} messages that weren't confirmed are sent again", self.target);
        Ok(())
    }
}
