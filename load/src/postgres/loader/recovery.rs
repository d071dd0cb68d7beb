//! Faults that may pass: a server that restarts, a connection that breaks, a full disk, a lock.
//!
//! In: an error. Out: another session, ready to go on, and the checkpoint as it is in the database, which says whether
//! the last commit happened; or the error, when [`Patience`](crate::patience::Patience) is at its end, and a later run
//! goes on.

use super::{Counts, PostgresSink, opening};
use crate::LoadError;
use crate::postgres::PostgresOptions;
use crate::postgres::checkpoint::Checkpoint;
use crate::postgres::database::refused;
use crate::postgres::generation::{self, NEXT, Waiting};

impl PostgresSink {
    /// Waits out the fault and opens another session: the checkpoint as it is now.
    pub(super) fn recover(&mut self, mut error: LoadError) -> Result<Checkpoint, LoadError> {
        loop {
            self.wait(error)?;
            match self.reopen() {
                Ok(checkpoint) => return Ok(checkpoint),
                Err(next) => error = next,
            }
        }
    }

    fn wait(&mut self, error: LoadError) -> Result<(), LoadError> {
        let PostgresOptions { retry_time_max, stop, .. } = self.job.options;
        self.patience.wait(&self.job.module.name, error, retry_time_max, stop)
    }

    fn reopen(&mut self) -> Result<Checkpoint, LoadError> {
        let (checkpoint, opened) = opening::reopen(&self.job, &mut self.line.session().backend)?;
        self.line.replace(opened.session);
        (self.handlers, self.filling, self.spare) = (opened.handlers, opened.empty, None);
        Ok(checkpoint)
    }

    /// Goes on with what the database holds: the transaction that was sent, up to a position and with these counts, was
    /// committed, or it wasn't, or even earlier ones are gone.
    pub(super) fn go_on_from(&mut self, found: Checkpoint, sent: Option<(u64, Counts)>) -> Result<(), LoadError> {
        if found.position == self.checkpoint.position {
            self.checkpoint.complete = found.complete;
            self.encode_again();
            return Ok(());
        }
        if let Some((position, counts)) = sent
            && found.position == position
        {
            self.committed(position, counts)?;
            self.encode_again();
            return Ok(());
        }
        if found.position > self.checkpoint.position {
            let help = "let one loader at a time work on it, then run the same command again";
            return Err(refused(&self.job.database, "its checkpoint was moved by somebody else", help));
        }
        let (sink, position) = (self.job.module.name.clone(), found.position);
        self.checkpoint = found;
        self.seen = position;
        self.pending.clear();
        self.encode_again();
        tracing::warn!("{sink}: the server has lost commits; going on behind event {position}");
        Err(LoadError::WentBack { sink, position })
    }

    /// Makes tables live that were loaded beside the live ones.
    pub(super) fn publish(&mut self) -> Result<(), LoadError> {
        let PostgresOptions { retry_time_max, stop, .. } = self.job.options;
        while !self.published {
            let waiting = Waiting { time_max: retry_time_max, stop };
            let exchanged = generation::publish(&self.line.session().connection, waiting);
            if let Err(error) = exchanged {
                self.look_again(error)?;
                continue;
            }
            self.published = true;
        }
        Ok(())
    }

    /// Waits out the fault and connects again. If only the answer was lost, the next generation has its live names
    /// already.
    fn look_again(&mut self, mut error: LoadError) -> Result<(), LoadError> {
        loop {
            self.wait(error)?;
            let connected = opening::connect(&self.job, &mut self.line.session().backend)
                .and_then(|connection| Ok((NEXT.exists(&connection)?, connection)));
            match connected {
                Ok((unpublished, connection)) => {
                    self.published = !unpublished;
                    self.line.session().connection = connection;
                    return Ok(());
                }
                Err(next) => error = next,
            }
        }
    }
}
