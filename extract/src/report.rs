//! What a run did: the figures that the command line prints.

use std::time::Duration;

use etl_schemas::table::TableName;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The dump is complete.
    Complete,
    /// Some tables couldn't be read. The dump has no manifest; the same run again takes up what is missing.
    TablesFailed,
    /// It was told to stop. The same run again goes on.
    Cancelled,
}

/// What a run did.
#[derive(Clone, Debug)]
pub struct ExtractReport {
    /// How it ended.
    pub outcome: Outcome,
    /// The complete dump's fingerprint.
    pub fingerprint: Option<String>,
    /// Tables of which every part lies in the dump, by name.
    pub tables: Vec<TableReport>,
    /// Tables that couldn't be read, by name.
    pub failed: Vec<FailedTable>,
    /// What the source had to bear.
    pub load: SourceLoad,
    /// Characters that couldn't be carried and were replaced by U+FFFD.
    pub replaced_characters: u64,
    /// From start to end.
    pub elapsed: Duration,
}

/// One table's figures.
#[derive(Clone, Debug, PartialEq)]
pub struct TableReport {
    /// The table.
    pub table: TableName,
    /// Rows in the dump.
    pub rows: u64,
    /// Bytes of its rows before compression.
    pub content_bytes: u64,
    /// Bytes of its files.
    pub file_bytes: u64,
    /// Time spent reading it in this run, summed over its parts.
    pub elapsed: Duration,
    /// Parts that an earlier run had finished.
    pub parts_kept: usize,
    /// Characters replaced in it.
    pub replaced_characters: u64,
}

/// A table that couldn't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTable {
    /// The table.
    pub table: TableName,
    /// Why, in a sentence.
    pub reason: String,
}

/// What reading cost the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceLoad {
    /// Queries over tables.
    pub queries: u64,
    /// The longest of them, and its table.
    pub longest: Option<(Duration, TableName)>,
    /// Rows that were read, those among them that were read again.
    pub rows: u64,
    /// Bytes of these rows, as the dump has them before compression.
    pub bytes: u64,
    /// Time that connections waited to keep the rate, summed over them.
    pub paced: Duration,
    /// Times that a connection rested because queries had become slower.
    pub slow_downs: u64,
    /// Answers that took too long and were gone on with by another query.
    pub cut_short: u64,
    /// Queries that ended because they waited too long for a lock.
    pub lock_timeouts: u64,
    /// Parts that broke and were read again.
    pub retries: u64,
}

impl SourceLoad {
    /// Counts a query.
    pub(crate) fn add(&mut self, table: &TableName, took: Duration, rows: u64, bytes: u64) {
        self.queries += 1;
        self.rows += rows;
        self.bytes += bytes;
        if self.longest.as_ref().is_none_or(|(longest, _)| took > *longest) {
            self.longest = Some((took, table.clone()));
        }
    }
}
