//! What can go wrong while a source is read, and what is done about it.
//!
//! [`SourceError`] ends one part, [`ExtractError`] ends the run. The one table that decides between trying again, giving
//! a table up and stopping the run is [`SourceError::action`]. No error holds a password.

use std::fmt;
use std::io;

use etl_schemas::dump::DumpError;
use etl_schemas::table::{TableName, quote};
use thiserror::Error;

use crate::connect::ConnectError;
use crate::url::SourceUrl;

/// Why a run ended, or never began.
#[derive(Debug, Error)]
pub enum ExtractError {
    /// The source can't be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The catalog can't be read.
    #[error("reading the catalog of {url} ({query}): {source}")]
    Catalog {
        /// The source.
        url: Box<SourceUrl>,
        /// Which of the catalog's views.
        query: &'static str,
        /// Why.
        source: SourceError,
    },
    /// A table's parts can't be found.
    #[error("looking for the key ranges of {table} at {url}: {source}")]
    Ranges {
        /// The source.
        url: Box<SourceUrl>,
        /// The table.
        table: TableName,
        /// Why.
        source: Box<SourceError>,
    },
    /// The database snapshot can't be made, found or dropped.
    #[error(
        "the database snapshot of {database}: {source}; making one takes the permission CREATE DATABASE, an edition that \
         has them (every one since SQL Server 2016 SP1), and room beside the data files"
    )]
    Snapshot {
        /// The database.
        database: String,
        /// Why.
        source: SourceError,
    },
    /// The database snapshot of an unfinished dump is gone, and with it the moment that the dump shows.
    #[error("the database snapshot {name}, which the unfinished dump reads, is gone; begin anew with --restart")]
    SnapshotGone {
        /// Its name.
        name: String,
    },
    /// The isolation level SNAPSHOT isn't allowed.
    #[error(
        "{database} doesn't allow snapshot isolation; `ALTER DATABASE {} SET ALLOW_SNAPSHOT_ISOLATION ON` allows it, or \
         choose another consistency", quote(.database)
    )]
    NoSnapshotIsolation {
        /// The database.
        database: String,
    },
    /// A cast of the project names a column that isn't there.
    #[error("[casts] in etl.toml names {column}, which the source doesn't have: {help}")]
    Cast {
        /// Table and column.
        column: String,
        /// The nearest known one.
        help: String,
    },
    /// What became of the tables meanwhile can't be found out.
    #[error("all rows are read, but what changed meanwhile can't be asked: {source}; run the same command again")]
    Changes {
        /// Why.
        source: SourceError,
    },
    /// Columns that no dump can carry.
    #[error("{}", list(.0))]
    Unsupported(Vec<UnsupportedColumn>),
    /// The patterns under `[tables]` leave nothing.
    #[error(
        "{url} has {found} tables that this login may see, and [tables] in etl.toml selects none of them; \
         `etl inspect` lists them"
    )]
    NoTables {
        /// The source.
        url: Box<SourceUrl>,
        /// Tables there are.
        found: usize,
    },
    /// The dump can't be written.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// The machine gave no thread or timer.
    #[error("the machine gives no thread to read with: {0}")]
    Thread(#[source] io::Error),
}

/// A column whose type isn't carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsupportedColumn {
    /// Its table.
    pub table: TableName,
    /// Its name.
    pub column: String,
    /// Its type, as the catalog names it.
    pub sql_type: String,
    /// Its `column_id`.
    pub id: u32,
    /// Whether it may be NULL.
    pub nullable: bool,
}

impl fmt::Display for UnsupportedColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} is of type {}", self.table, self.column, self.sql_type)
    }
}

fn list(columns: &[UnsupportedColumn]) -> String {
    let mut text = String::from("these columns can't be carried, and nothing was read:");
    for column in columns {
        text.push_str(&format!("\n  {column}"));
    }
    text.push_str(
        "\nin etl.toml, exclude their tables, as in `exclude = [\"dbo.Name\"]` under [tables], or have the server convert \
         them, as in `\"dbo.Name.Column\" = \"nvarchar(max)\"` under [casts]",
    );
    text
}

/// Why a query or a part ended.
#[derive(Debug, Error)]
pub enum SourceError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The server answered with an error.
    #[error("the server answered with error {number} (class {class}, state {state}): {message}")]
    Server {
        /// The error's number in `sys.messages`.
        number: u32,
        /// Its severity.
        class: u8,
        /// Its state, which tells apart the places that raise one number.
        state: u8,
        /// Its text.
        message: String,
    },
    /// The connection broke.
    #[error("the connection was lost: {message}")]
    Lost {
        /// What the operating system or TLS said.
        message: String,
    },
    /// What the server sent can't be understood.
    #[error("the server's answer can't be read: {message}")]
    Protocol {
        /// What the client said.
        message: String,
    },
    /// A value isn't what the catalog says of its column.
    #[error("column {column}, row {row}: {reason}")]
    Value {
        /// The column's name.
        column: String,
        /// The row in the order of the part, from 1.
        row: u64,
        /// What doesn't fit.
        reason: String,
    },
    /// A key holds text that doesn't come through this client exactly, so no chunk can go on behind it.
    #[error("a key holds half of a surrogate pair or a byte outside its code page, so chunks can't follow it")]
    InexactKey,
    /// Rows were lost on the way.
    #[error("the server counted {sent} rows, {received} arrived")]
    Count {
        /// Rows that the server says it sent.
        sent: u64,
        /// Rows that arrived.
        received: u64,
    },
    /// The dump can't be written.
    #[error(transparent)]
    Dump(#[from] DumpError),
}

/// What is done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Read the part again, on a new connection.
    Retry,
    /// Read the part again, by a single query.
    SinglePass,
    /// Leave the table, go on with the others.
    GiveUp,
    /// End the run: no other table would fare better.
    Stop,
}

impl SourceError {
    /// The one table of what is done about which error.
    pub(crate) fn action(&self) -> Action {
        match self {
            SourceError::Connect(ConnectError::Unreachable { .. } | ConnectError::Interrupted { .. }) => Action::Retry,
            SourceError::Connect(_) => Action::GiveUp,
            SourceError::Server { number, .. } if is_transient(*number) => Action::Retry,
            SourceError::Server { .. } => Action::GiveUp,
            SourceError::Lost { .. } | SourceError::Count { .. } => Action::Retry,
            SourceError::InexactKey => Action::SinglePass,
            SourceError::Protocol { .. } | SourceError::Value { .. } => Action::GiveUp,
            SourceError::Dump(DumpError::RowTooLarge { .. }) => Action::GiveUp,
            SourceError::Dump(_) => Action::Stop,
        }
    }
}

/// "Lock request time out period exceeded."
pub(crate) const LOCK_TIMEOUT: u32 = 1222;

/// Errors that pass by themselves: the reader was the victim of a deadlock, the server is busy, moving or starting.
///
/// Microsoft Learn, "Transient fault error codes" (Azure SQL) and "Database Engine events and errors".
pub(crate) fn is_transient(number: u32) -> bool {
    match number {
        // Locks and scans: deadlock victim, lock timeout, no lock resources, a scan that lost its place.
        1205 | LOCK_TIMEOUT | 1204 | 601 => true,
        // Memory and compile gateways.
        701 | 802 | 8628 | 8645 | 8651 => true,
        // The database is recovering, changing its role in an availability group, or the server is going down.
        921 | 922 | 978 | 979 | 983 | 6005 | 17142 | 18401 => true,
        // Azure SQL: network, throttling, reconfiguration.
        64 | 121 | 233 | 10053 | 10054 | 10060 | 10928 | 10929 => true,
        40143 | 40197 | 40501 | 40540 | 40613 | 49918 | 49919 | 49920 => true,
        _ => false,
    }
}

#[cfg(feature = "tiberius")]
impl From<tiberius::error::Error> for SourceError {
    fn from(error: tiberius::error::Error) -> SourceError {
        use tiberius::error::Error;
        match error {
            Error::Server(token) => SourceError::Server {
                number: token.code(),
                class: token.class(),
                state: token.state(),
                message: token.message().to_string(),
            },
            Error::Io { message, .. } | Error::Tls(message) => SourceError::Lost { message },
            other => SourceError::Protocol { message: other.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(number: u32) -> SourceError {
        SourceError::Server { number, class: 16, state: 1, message: String::new() }
    }

    #[test]
    fn what_passes_by_itself_is_tried_again() {
        for number in [1205, 1222, 40613, 40501, 49918] {
            assert_eq!(server(number).action(), Action::Retry, "{number}");
        }
        for number in [207, 208, 229, 245, 18456] {
            assert_eq!(server(number).action(), Action::GiveUp, "{number}");
        }
        assert_eq!(SourceError::Lost { message: String::new() }.action(), Action::Retry);
    }

    #[test]
    fn every_column_that_cannot_be_carried_is_listed_with_the_ways_out() {
        let column = |name: &str, sql_type: &str| UnsupportedColumn {
            table: TableName::new("dbo", "Docs"),
            column: name.to_string(),
            sql_type: sql_type.to_string(),
            id: 1,
            nullable: true,
        };
        let shown = ExtractError::Unsupported(vec![column("A", "vector"), column("B", "cursor")]).to_string();
        assert!(shown.contains("dbo.Docs.A is of type vector"), "{shown}");
        assert!(shown.contains("dbo.Docs.B is of type cursor"), "{shown}");
        assert!(shown.contains("exclude = "), "{shown}");
    }
}
