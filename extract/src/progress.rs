//! What a run tells whoever watches it.

use etl_schemas::table::TableName;

/// A table that is about to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedTable {
    /// The table.
    pub name: TableName,
    /// Rows, as the server's metadata estimates them.
    pub rows: u64,
    /// Bytes in the server's files, where the login may know.
    pub bytes: Option<u64>,
}

/// Is told how a run goes on. Called by the threads that read, so it must be quick; a call never ends a run.
pub trait Progress: Sync {
    /// The plan stands; these tables are read, the largest first.
    fn planned(&self, tables: &[PlannedTable]) {
        let _ = tables;
    }

    /// Something that whoever runs it should know.
    fn note(&self, text: &str) {
        let _ = text;
    }

    /// More rows lie in the dump. `bytes` are those of the dump before compression. Parts that an earlier run finished
    /// are told as well.
    fn advanced(&self, table: &TableName, rows: u64, bytes: u64) {
        let _ = (table, rows, bytes);
    }

    /// A part broke: these rows and bytes of it no longer count. It is read again, unless `failed` follows.
    fn restarted(&self, table: &TableName, rows: u64, bytes: u64, reason: &str) {
        let _ = (table, rows, bytes, reason);
    }

    /// All of the table lies in the dump.
    fn finished(&self, table: &TableName) {
        let _ = table;
    }

    /// The table can't be read.
    fn failed(&self, table: &TableName, reason: &str) {
        let _ = (table, reason);
    }
}

/// Watches nothing.
impl Progress for () {}
