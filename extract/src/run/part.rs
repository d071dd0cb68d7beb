//! Reads parts, one after the other, over one connection; what passes by itself is tried again over a new one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use etl_schemas::dump::{DumpWriter, PartSummary, PartWriter};

use super::backoff::Backoff;
use super::packer::{Announced, Packer};
use super::source::Source;
use super::state::State;
use super::{Extract, unless_cancelled};
use crate::chunk_size::{ChunkSize, QueryTimes};
use crate::error::{Action, LOCK_TIMEOUT, SourceError};
use crate::key::KeyValue;
use crate::pace::Pace;
use crate::plan::{PartPlan, Plan, TablePlan};
use crate::progress::Progress;
use crate::row_sink::RowSink;
use crate::row_source::{Answered, Connection, RowSource, Shape};
use crate::seek::{Cursor, Request};

/// The share of the longest time for a query after which its answer is cut short: the rest is for the server to notice.
const CUT_SHORT_AT: f64 = 0.6;

/// What every reading thread works with.
pub(super) struct Reader<'a> {
    pub(super) options: &'a Extract,
    pub(super) source: &'a Source,
    pub(super) plan: &'a Plan,
    pub(super) dump: &'a DumpWriter,
    pub(super) state: &'a State,
    pub(super) pace: &'a Pace,
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
        connection: &mut Option<Connection>,
        table: &TablePlan,
        part: &PartPlan,
    ) -> Result<ReadPart, SourceError> {
        let mut backoff = Backoff::default();
        let mut by_chunks = table.obstacle.is_none();
        loop {
            let error = match self.read(connection, table, part, by_chunks).await {
                Ok(read) => return Ok(read),
                Err(error) => error,
            };
            if matches!(error, SourceError::Server { number: LOCK_TIMEOUT, .. }) {
                self.state.lock_timed_out();
            }
            tracing::info!(table = %table.name(), part = part.number, %error, "the part broke");
            match (error.action(), by_chunks) {
                (Action::SinglePass, true) => by_chunks = false,
                (Action::Retry, _) => match backoff.next() {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => return Err(error),
                },
                _ => return Err(error),
            }
            self.state.retried();
        }
    }

    /// Reads a part into its file and records it. The connection is put back only when the whole answer was read: what
    /// is left of a broken one would be taken for the next answer.
    async fn read(
        &self,
        connection: &mut Option<Connection>,
        table: &TablePlan,
        part: &PartPlan,
        by_chunks: bool,
    ) -> Result<ReadPart, SourceError> {
        let name = table.name();
        let mut source = match connection.take() {
            Some(source) => source,
            None => self.source.connect().await?,
        };
        let writer = PartWriter::create(&self.dump.part_path(name, part.number), Arc::clone(&table.layout))?;
        let mut packer = Packer::new(writer, self.options.level, name, self.progress);
        let mut sink = RowSink::new(&table.schema, Arc::clone(&table.layout), &mut packer);

        let read = self.read_whole(&mut source, table, part, by_chunks, &mut sink).await;
        let whole = read.and_then(|()| sink.finish());
        let replaced = sink.replaced();
        if let Err(error) = whole {
            let Announced { rows, bytes } = packer.announced();
            self.progress.restarted(name, rows, bytes, &error.to_string());
            return Err(error);
        }
        let summary = packer.finish()?;
        self.dump.record_part(name, part.number, part.range(), summary.clone(), replaced)?;
        *connection = Some(source);
        Ok(ReadPart { summary, replaced })
    }

    /// Reads a part's rows, in one transaction where all of a table is wanted as of one moment. One that breaks ends with
    /// its connection.
    async fn read_whole(
        &self,
        source: &mut Connection,
        table: &TablePlan,
        part: &PartPlan,
        by_chunks: bool,
        sink: &mut RowSink<'_>,
    ) -> Result<(), SourceError> {
        if !self.options.consistency.reads_tables_whole() {
            return self.read_rows(source, table, part, by_chunks, sink).await;
        }
        source.ask("BEGIN TRANSACTION").await?;
        self.read_rows(source, table, part, by_chunks, sink).await?;
        source.ask("COMMIT TRANSACTION").await.map(|_| ())
    }

    /// Reads a part's rows, chunk after chunk. Blocks don't end with chunks, so the file is the same whatever their sizes.
    /// An answer that is cut short is left behind with its connection, since not every server can be told to stop.
    async fn read_rows(
        &self,
        source: &mut Connection,
        table: &TablePlan,
        part: &PartPlan,
        by_chunks: bool,
        sink: &mut RowSink<'_>,
    ) -> Result<(), SourceError> {
        let shape = Shape { columns: table.columns.clone(), key: table.key_places(), counted: self.plan.counted };
        let mut cursor = Cursor::new(table, part, by_chunks);
        let mut chunk = ChunkSize::new(self.options.gentleness.longest_query, table.row_bytes());
        let mut last = Vec::new();
        loop {
            self.pace.wait().await;
            let row_bytes = sink.content_bytes().checked_div(sink.rows()).or(table.row_bytes()).unwrap_or(0);
            let rows = chunk.rows().min(self.pace.rows_max(row_bytes));
            let Some(mut request) = cursor.request(rows) else { return Ok(()) };
            request.time_max = self.time_max(by_chunks);
            let (query, cut_short) = self.query(source, table, &request, &shape, sink, &mut last).await?;
            let full = request.rows_max == Some(query.received);
            cursor.advance((full || cut_short).then_some(&mut last))?;
            if cut_short {
                self.state.cut_short();
                *source = self.source.connect().await?;
            }
            if by_chunks && let Some(rest) = chunk.learn(query) {
                self.state.slowed_down();
                tokio::time::sleep(rest).await;
            }
        }
    }

    /// When an answer is cut short. A single pass can't be gone on with, and a transaction would be lost.
    fn time_max(&self, by_chunks: bool) -> Option<Duration> {
        let goes_on = by_chunks && !self.options.consistency.reads_tables_whole();
        goes_on.then(|| self.options.gentleness.longest_query.mul_f64(CUT_SHORT_AT))
    }

    /// Asks one query, and counts what it cost. Also says whether it was cut short.
    async fn query(
        &self,
        source: &mut impl RowSource,
        table: &TablePlan,
        request: &Request,
        shape: &Shape,
        sink: &mut RowSink<'_>,
        last: &mut Vec<KeyValue>,
    ) -> Result<(QueryTimes, bool), SourceError> {
        let (rows, bytes, blocked) = (sink.rows(), sink.content_bytes(), sink.blocked());
        let started = Instant::now();
        let answer = source.read(request, shape, sink, self.pace, last).await;
        let took = started.elapsed();
        self.state.queried(table.name(), took, sink.rows() - rows, sink.content_bytes() - bytes);
        let Answered { received, sent, paced, cut_short } = answer?;
        expect_rows(sent, received)?;
        let served = took.saturating_sub(paced).saturating_sub(sink.blocked() - blocked);
        Ok((QueryTimes { received, asked: request.rows_max.unwrap_or(received), took, served }, cut_short))
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
