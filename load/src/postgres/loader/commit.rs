//! Commits: rows and checkpoint in one transaction, and what happens when the server refuses one.

use std::mem;

use super::line::Sent;
use super::script::run_script;
use super::transaction::Transaction;
use super::{PostgresSink, Session};
use crate::LoadError;
use crate::postgres::catalog;
use crate::postgres::checkpoint::Counts;
use crate::postgres::failure;

/// After a row that the server refused, transactions begin at this size again: large enough to get on, small enough
/// that the next such row costs little.
const CAUTIOUS_ROWS: usize = 64;

/// An error on the way to a commit, and whose rows were being sent, so that a refused row can be found.
pub(super) struct Uncommitted {
    error: LoadError,
    step: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Copying the rows of this buffer.
    Copy(usize),
    /// Running the handlers on what was copied.
    Handlers,
    /// Committing, when deferred constraints are checked.
    Commit,
    /// Anything that isn't about the module's rows.
    Own,
}

impl Session {
    /// Commits the rows of a transaction, and the checkpoint behind them.
    pub(super) fn run(&mut self, transaction: &mut Transaction, counts: &Counts) -> Result<(), Uncommitted> {
        let own = |error| Uncommitted { error, step: Step::Own };
        let Session { connection, staging, mover, begin, .. } = self;
        connection.run("beginning a transaction", connection.client.batch_execute(begin)).map_err(own)?;
        for (index, buffer) in transaction.buffers.iter_mut().enumerate() {
            buffer.send(connection).map_err(|error| Uncommitted { error, step: Step::Copy(index) })?;
        }
        if let (Some(staging), Some(stages)) = (staging, &transaction.stages) {
            staging.walk(connection, stages).map_err(|error| Uncommitted { error, step: Step::Handlers })?;
        }
        transaction.rejects.send(connection).map_err(own)?;
        let Transaction { behind, position, occurred_at, .. } = *transaction;
        mover.move_on(connection, behind, position, occurred_at, counts).map_err(own)?;
        // If the answer is lost, the checkpoint will tell whether it was committed.
        connection
            .run("committing", connection.client.batch_execute("COMMIT"))
            .map_err(|error| Uncommitted { error, step: Step::Commit })
    }
}

impl PostgresSink {
    /// Sends what is encoded as soon as the transaction before has been committed. If that fails, nothing is encoded any
    /// more afterwards, and everything behind the last commit comes again.
    pub(super) fn submit(&mut self) -> Result<(), LoadError> {
        self.filling.sort();
        self.wait_for_commit()?;
        if self.filling.is_empty() {
            return Ok(());
        }
        let counts = self.filling.counts(&self.checkpoint.counts);
        let mut next = self.spare.take().unwrap_or_else(|| self.filling.twin());
        next.begin(self.filling.position);
        self.pending.send();
        self.line.start(mem::replace(&mut self.filling, next), counts)
    }

    /// Waits for the transaction that is under way: until it is committed, or until the row that the server refused is
    /// found and everything is prepared to be encoded again.
    pub(super) fn wait_for_commit(&mut self) -> Result<(), LoadError> {
        let Some(Sent { transaction, counts, result }) = self.line.wait() else { return Ok(()) };
        self.last_reject = transaction.rejects.last().cloned().or(self.last_reject.take());
        match result {
            Ok(()) => {
                self.committed(transaction.position, counts)?;
                self.spare = Some(transaction);
                Ok(())
            }
            Err(Uncommitted { error, .. }) if error.may_pass() => {
                let found = self.recover(error)?;
                self.go_on_from(found, Some((transaction.position, counts)))
            }
            Err(uncommitted) => {
                self.line.session().connection.roll_back();
                self.leave_out(&transaction, uncommitted)?;
                self.spare = Some(transaction);
                self.encode_again();
                Ok(())
            }
        }
    }

    /// Everything up to `position` has been committed.
    pub(super) fn committed(&mut self, position: u64, counts: Counts) -> Result<(), LoadError> {
        self.checkpoint.position = position;
        self.checkpoint.counts = counts;
        self.pending.release();
        self.refusals.forget(position);
        self.rows_max = (self.rows_max * 2).min(self.job.options.rows_per_transaction.max(1));
        self.patience.forget();
        self.check_rejects()
    }

    /// Whatever isn't committed is encoded again.
    pub(super) fn encode_again(&mut self) {
        self.pending.rewind();
        self.filling.begin(self.checkpoint.position);
    }

    /// Notes the row that the server refused, so that it is left out from now on; where the server didn't say which one
    /// it was, halves the transaction until one row is left. Any other error is handed back.
    fn leave_out(&mut self, transaction: &Transaction, uncommitted: Uncommitted) -> Result<(), LoadError> {
        let Uncommitted { error, step } = uncommitted;
        let LoadError::Postgres { error: ref cause, .. } = error else { return Err(error) };
        if step == Step::Own || !failure::is_about_a_row(cause) {
            return Err(error);
        }
        let rows = transaction.rows();
        let named = match step {
            Step::Copy(index) => transaction.buffers[index].refused_position(cause),
            _ => None,
        };
        match named.or_else(|| transaction.only_row()) {
            Some(position) => {
                let reason = format!("the server refused the row: {}", failure::described(cause));
                self.refusals.add(position, reason);
                self.rows_max = self.rows_max.min(CAUTIOUS_ROWS);
            }
            None if rows > 1 => self.rows_max = rows / 2,
            None => return Err(error),
        }
        Ok(())
    }

    fn check_rejects(&self) -> Result<(), LoadError> {
        let rejected = self.checkpoint.counts.rejected;
        match self.job.options.rejects_max {
            Some(allowed) if rejected > allowed => Err(LoadError::TooManyRejects {
                sink: self.job.module.name.clone(),
                rejected,
                allowed,
                last: self.last_reject.clone().unwrap_or_else(|| "none in this run".to_string()),
                place: "etl.rejected".to_string(),
            }),
            _ => Ok(()),
        }
    }

    /// Indexes, statistics and the flag, in one transaction, so that it can be repeated whatever fails in it.
    pub(super) fn complete(&mut self) -> Result<(), LoadError> {
        while !self.checkpoint.complete {
            match self.completing_transaction() {
                Ok(counts) => (self.checkpoint.complete, self.checkpoint.counts) = (true, counts),
                Err(error) if error.may_pass() => {
                    let found = self.recover(error)?;
                    self.go_on_from(found, None)?;
                }
                Err(error) => {
                    self.line.session().connection.roll_back();
                    return Err(error);
                }
            }
        }
        self.patience.forget();
        Ok(())
    }

    fn completing_transaction(&mut self) -> Result<Counts, LoadError> {
        let Session { connection, mover, staging, .. } = self.line.session();
        let mut counts = self.checkpoint.counts.clone();
        // Whatever the commits before waited for, this one waits for the disk.
        let begin = "BEGIN; SET LOCAL synchronous_commit = on";
        connection.run("beginning a transaction", connection.client.batch_execute(begin))?;
        if let Some(indexes) = &self.job.module.indexes {
            run_script(connection, indexes)?;
        }
        for table in catalog::quoted_tables(connection)? {
            let analyze = format!("ANALYZE {table}");
            connection.run("gathering statistics", connection.client.batch_execute(&analyze))?;
        }
        // Only the server knows what handlers in SQL and by call have made of their events.
        if staging.is_some() {
            counts.rows = catalog::count_rows(connection)?;
        }
        mover.complete(connection, &counts)?;
        connection.run("committing", connection.client.batch_execute("COMMIT")).map(|()| counts)
    }
}
