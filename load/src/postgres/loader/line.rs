//! The session, and the transaction that it is busy with on a thread of its own.
//!
//! In: transactions, one at a time. Out: each again, with what became of it. Who has a transaction under way hasn't got
//! the session: it comes back with the transaction.

use std::panic::resume_unwind;
use std::thread::{Builder, JoinHandle};

use super::Session;
use super::commit::Uncommitted;
use super::transaction::Transaction;
use crate::LoadError;
use crate::postgres::checkpoint::Counts;
use crate::postgres::database::refused;

/// A transaction that was sent.
pub(super) struct Sent {
    pub(super) transaction: Transaction,
    /// What the checkpoint counts with it.
    pub(super) counts: Counts,
    pub(super) result: Result<(), Uncommitted>,
}

/// A session that works, or doesn't.
pub(super) struct Line {
    /// `None` while it is busy.
    session: Option<Box<Session>>,
    busy: Option<JoinHandle<(Box<Session>, Sent)>>,
}

impl Line {
    pub(super) fn new(session: Session) -> Line {
        Line { session: Some(Box::new(session)), busy: None }
    }

    /// The session, which has nothing to do: [`Line::wait`] was called since the last transaction.
    pub(super) fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("the session is back, since the transaction was waited for")
    }

    /// Another session instead.
    pub(super) fn replace(&mut self, session: Session) {
        self.session = Some(Box::new(session));
    }

    /// Sends a transaction; there is none under way. A system that gives no thread for it ends the load, resumably.
    pub(super) fn start(&mut self, mut transaction: Transaction, counts: Counts) -> Result<(), LoadError> {
        let mut session = self.session.take().expect("the session is back, since the transaction was waited for");
        let database = session.connection.database().to_string();
        let work = move || {
            let result = session.run(&mut transaction, &counts);
            (session, Sent { transaction, counts, result })
        };
        let started = Builder::new().name(format!("etl {database}")).spawn(work).map_err(|error| {
            let help = "raise the limit of processes (ulimit -u), then run the same command again";
            refused(&database, format!("its session gets no thread: {error}"), help)
        });
        started.map(|busy| self.busy = Some(busy))
    }

    /// Waits until the transaction that is under way, if there is one, has ended.
    pub(super) fn wait(&mut self) -> Option<Sent> {
        let (session, sent) = self.busy.take()?.join().unwrap_or_else(|panic| resume_unwind(panic));
        self.session = Some(session);
        Some(sent)
    }
}

impl Drop for Line {
    /// What was sent is finished: whoever opens the database next would wait for it.
    fn drop(&mut self) {
        if let Some(busy) = self.busy.take() {
            // A panic has been reported by its thread.
            let _ = busy.join();
        }
    }
}
