//! Reads parts, one after the other, over one connection; what passes by itself is tried again over a new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use etl_schemas::dump::{DumpWriter, PartSummary, PartWriter};

use super::packer::{Announced, Packer};
use super::state::State;
use super::{Extract, unless_cancelled};
use crate::connect::connect;
use crate::error::{Action, SourceError};
use crate::plan::{PartPlan, Plan, TablePlan};
use crate::progress::Progress;
use crate::row_sink::RowSink;
use crate::row_source::RowSource;
use crate::row_source::tiberius::Tiberius;

/// Times that a part is read again. With the pauses between them that is three quarters of a minute: a failover takes
/// that long.
const RETRIES_MAX: u32 = 8;
/// The first pause; each one after is twice as long, up to the longest.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(20);

/// What every reading thread works with.
pub(super) struct Reader<'a> {
    pub(super) options: &'a Extract,
    pub(super) plan: &'a Plan,
    pub(super) dump: &'a DumpWriter,
    pub(super) state: &'a State,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancelled: &'a AtomicBool,
}

/// A part that lies in the dump.
struct ReadPart {
    summary: PartSummary,
    replaced: u64,
}

impl Reader<'_> {
    /// Reads parts until none is left or the run ends.
    pub(super) async fn work(&self) {
        let mut connection = None;
        while let Some((table_place, part_place)) = self.state.next() {
            let table = &self.plan.tables[table_place];
            let started = Instant::now();
            let work = self.read_with_retries(&mut connection, table, &table.parts[part_place]);
            let Some(read) = unless_cancelled(work, || self.is_over()).await else { return };
            match read {
                Ok(ReadPart { summary, replaced }) => {
                    if self.state.finished(table_place, &summary, replaced, started.elapsed()) {
                        self.progress.finished(table.name());
                    }
                }
                Err(error) => self.give_up(table_place, table, error),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || self.state.is_stopped()
    }

    fn give_up(&self, place: usize, table: &TablePlan, error: SourceError) {
        match (error.action(), error) {
            (Action::Stop, SourceError::Dump(error)) => self.state.stop(error),
            (_, error) => {
                let reason = error.to_string();
                self.progress.failed(table.name(), &reason);
                self.state.failed(place, reason);
            }
        }
    }

    async fn read_with_retries(
        &self,
        connection: &mut Option<Tiberius>,
        table: &TablePlan,
        part: &PartPlan,
    ) -> Result<ReadPart, SourceError> {
        let mut pause = PAUSE_FIRST;
        let mut retries = 0;
        loop {
            match self.read(connection, table, part).await {
                Err(error) if retries < RETRIES_MAX && error.action() == Action::Retry => {
                    tracing::info!(table = %table.name(), %error, "reading the part again");
                }
                done => return done,
            }
            retries += 1;
            self.state.retried();
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Reads a part into its file and records it. The connection is put back only when the whole answer was read: what
    /// is left of a broken one would be taken for the next answer.
    async fn read(
        &self,
        connection: &mut Option<Tiberius>,
        table: &TablePlan,
        part: &PartPlan,
    ) -> Result<ReadPart, SourceError> {
        let name = table.name();
        let mut source = match connection.take() {
            Some(source) => source,
            None => Tiberius::new(connect(&self.options.url, self.options.password.as_ref()).await?),
        };
        let writer = PartWriter::create(&self.dump.part_path(name, part.number), Arc::clone(&table.layout))?;
        let mut packer = Packer::new(writer, self.options.level, name, self.progress);
        let mut sink = RowSink::new(&table.schema, Arc::clone(&table.layout), &mut packer);

        let asked = Instant::now();
        let answer = source.read(&part.query, &mut sink).await;
        self.state.queried(name, asked.elapsed());
        let whole = answer.and_then(|sent| expect_rows(sent, sink.rows())).and_then(|()| sink.finish());
        let replaced = sink.replaced();
        if let Err(error) = whole {
            let Announced { rows, bytes } = packer.announced();
            self.progress.restarted(name, rows, bytes, &error.to_string());
            return Err(error);
        }
        let summary = packer.finish()?;
        self.dump.record_part(name, part.number, part.range.clone(), summary.clone(), replaced)?;
        *connection = Some(source);
        Ok(ReadPart { summary, replaced })
    }
}

/// Rows are counted at both ends, where the server tells.
fn expect_rows(sent: Option<u64>, received: u64) -> Result<(), SourceError> {
    match sent {
        Some(sent) if sent != received => Err(SourceError::Count { sent, received }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_was_sent_and_did_not_arrive_is_read_again() {
        assert!(expect_rows(Some(7), 7).is_ok() && expect_rows(None, 7).is_ok());
        let error = expect_rows(Some(8), 7).unwrap_err();
        assert_eq!(error.to_string(), "the server counted 8 rows, 7 arrived");
        assert_eq!(error.action(), Action::Retry);
    }
}
