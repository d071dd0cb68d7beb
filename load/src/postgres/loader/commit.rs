//! Commits: rows and checkpoint in one transaction, and what happens when the server refuses one.

use super::script::run_script;
use super::{OpenTransaction, PostgresSink, Session};
use crate::LoadError;
use crate::postgres::catalog;
use crate::postgres::checkpoint::Counts;
use crate::postgres::copy::CopyBuffer;
use crate::postgres::failure;

/// After a row that the server refused, transactions begin at this size again: large enough to get on, small enough
/// that the next such row costs little.
const CAUTIOUS_ROWS: usize = 64;

/// An error on the way to a commit, and whose rows were being sent, so that a refused row can be found.
struct Uncommitted {
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

impl PostgresSink {
    /// Commits what is encoded, or finds the row that the server refused and prepares everything to be encoded again.
    pub(super) fn commit(&mut self) -> Result<(), LoadError> {
        if self.open.position <= self.checkpoint.position {
            return Ok(());
        }
        let counts = self.counts();
        match self.transaction(&counts) {
            Ok(()) => self.committed(counts),
            Err(Uncommitted { error, .. }) if error.may_pass() => {
                let found = self.recover(error)?;
                self.go_on_from(found, counts)
            }
            Err(uncommitted) => {
                self.session.connection.roll_back();
                self.leave_out(uncommitted)?;
                self.pending.rewind();
                self.begin();
                Ok(())
            }
        }
    }

    /// The open transaction has been committed.
    pub(super) fn committed(&mut self, counts: Counts) -> Result<(), LoadError> {
        self.checkpoint.position = self.open.position;
        self.checkpoint.counts = counts;
        self.pending.release();
        self.rejected.forget_refused(self.open.position);
        self.begin();
        self.rows_max = (self.rows_max * 2).min(self.job.options.rows_per_transaction.max(1));
        self.patience.forget();
        self.check_rejects()
    }

    /// The counts that the checkpoint will have with the open transaction.
    fn counts(&self) -> Counts {
        let mut counts = self.checkpoint.counts.clone();
        counts.taken += self.open.taken;
        counts.passed_over += self.open.passed_over;
        counts.rejected += self.open.rejected;
        for buffer in &self.session.buffers {
            if let Some(table) = buffer.counted_table() {
                *counts.rows.entry(table).or_default() += buffer.rows() as u64;
            }
        }
        counts
    }

    /// Empties the buffers for the next transaction.
    pub(super) fn begin(&mut self) {
        self.open = OpenTransaction::default();
        self.session.buffers.iter_mut().for_each(CopyBuffer::clear);
        self.rejected.clear();
        if let Some(staging) = &mut self.session.staging {
            staging.stages.clear();
        }
    }

    fn transaction(&mut self, counts: &Counts) -> Result<(), Uncommitted> {
        let own = |error| Uncommitted { error, step: Step::Own };
        let Session { connection, buffers, staging, mover, .. } = &mut self.session;
        connection.run("beginning a transaction", connection.client.batch_execute("BEGIN")).map_err(own)?;
        for (index, buffer) in buffers.iter_mut().enumerate() {
            buffer.send(connection).map_err(|error| Uncommitted { error, step: Step::Copy(index) })?;
        }
        if let Some(staging) = staging {
            staging.walk(connection).map_err(|error| Uncommitted { error, step: Step::Handlers })?;
        }
        self.rejected.send(connection).map_err(own)?;
        let OpenTransaction { position, occurred_at, .. } = self.open;
        mover.move_on(connection, self.checkpoint.position, position, occurred_at, counts).map_err(own)?;
        // If the answer is lost, the checkpoint will tell whether it was committed.
        connection
            .run("committing", connection.client.batch_execute("COMMIT"))
            .map_err(|error| Uncommitted { error, step: Step::Commit })
    }

    /// Notes the row that the server refused, so that it is left out from now on; where the server didn't say which one
    /// it was, halves the transaction until one row is left. Any other error is handed back.
    fn leave_out(&mut self, uncommitted: Uncommitted) -> Result<(), LoadError> {
        let Uncommitted { error, step } = uncommitted;
        let LoadError::Postgres { error: ref cause, .. } = error else { return Err(error) };
        if step == Step::Own || !failure::is_about_a_row(cause) {
            return Err(error);
        }
        let rows: usize = self.session.buffers.iter().map(CopyBuffer::rows).sum();
        let named = match step {
            Step::Copy(index) => self.session.buffers[index].refused_position(cause),
            _ => None,
        };
        let only = || self.session.buffers.iter().find_map(CopyBuffer::only_position).filter(|_| rows == 1);
        match named.or_else(only) {
            Some(position) => {
                let reason = format!("the server refused the row: {}", failure::described(cause));
                self.rejected.refuse(position, reason);
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
                last: self.rejected.last().to_string(),
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
                    self.go_on_from(found, self.checkpoint.counts.clone())?;
                }
                Err(error) => {
                    self.session.connection.roll_back();
                    return Err(error);
                }
            }
        }
        self.patience.forget();
        Ok(())
    }

    fn completing_transaction(&self) -> Result<Counts, LoadError> {
        let Session { connection, mover, staging, .. } = &self.session;
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
