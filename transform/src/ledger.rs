//! The ledger: what became of every source row.

use std::fmt;

use etl_schemas::table::TableName;
use etl_schemas::ticks::Ticks;

/// One table that drives mappings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableLedger {
    /// The table.
    pub table: TableName,
    /// Rows that the dump says it has.
    pub rows: u64,
    /// Rows that were read.
    pub rows_read: u64,
    /// Rows that gave events, and no mapping rejected.
    pub rows_with_events: u64,
    /// Rows that every mapping filtered by its WHERE or its INNER JOIN.
    pub rows_filtered: u64,
    /// Rows that lie in quarantine, because a mapping couldn't take them. Other mappings' events of such a row stand.
    pub rows_quarantined: u64,
}

/// One mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingLedger {
    /// File, line and event.
    pub mapping: String,
    /// The driving table.
    pub table: TableName,
    /// The event's type.
    pub event: String,
    /// Events that were released.
    pub events: u64,
    /// Rows that it rejected, duplicates included.
    pub rejected: u64,
    /// Of these, events with the time and key of another one.
    pub duplicates: u64,
}

/// One constraint of the project: effects come after their causes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CausalityLedger {
    /// `MessageRead.message_id`
    pub effect: String,
    /// `MessageSent.message_id`
    pub cause: String,
    /// Effects that name a cause.
    pub effects: u64,
    /// Of these, effects that came before it.
    pub early: u64,
    /// Early effects that were moved behind their cause: none where the project doesn't say `repair`, else all but those
    /// whose cause is at the end of the year 9999.
    pub moved: u64,
    /// Effects for which no cause ever came.
    pub without_cause: u64,
    /// The worst offenders, those first that were the earliest before their cause; ten at most.
    pub worst: Vec<Offender>,
}

/// An effect that came before its cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offender {
    /// The row's table.
    pub table: TableName,
    /// The row's key, `Id=17`.
    pub row: String,
    /// The event's key.
    pub key: String,
    /// The event's stream.
    pub stream: String,
    /// When the effect happened, by the source.
    pub effect_at: Ticks,
    /// When its first cause did.
    pub cause_at: Ticks,
}

/// What became of every row of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Tables that drive mappings.
    pub tables: Vec<TableLedger>,
    /// Mappings, in the order of their files.
    pub mappings: Vec<MappingLedger>,
    /// Tables that are only looked up, and their rows.
    pub lookups: Vec<(TableName, u64)>,
    /// Tables that no mapping reads, and their rows.
    pub unread: Vec<(TableName, u64)>,
    /// The project's constraints, in the order of `etl.toml`; counted when the stream was read to its end.
    pub causality: Vec<CausalityLedger>,
    /// Events that were released.
    pub events: u64,
    /// Whether the stream was read to its end.
    pub complete: bool,
}

impl Ledger {
    /// Whether every row is accounted for: read, and counted in one column only; and every event by a mapping.
    pub fn adds_up(&self) -> bool {
        let tables = self.tables.iter().all(|table| {
            table.rows == table.rows_read
                && table.rows_read == table.rows_with_events + table.rows_filtered + table.rows_quarantined
        });
        tables && self.complete && self.events == self.mappings.iter().map(|mapping| mapping.events).sum::<u64>()
    }

    /// Rows in quarantine.
    pub fn rows_quarantined(&self) -> u64 {
        self.tables.iter().map(|table| table.rows_quarantined).sum()
    }
}

/// A line for each table that drives mappings, for logs; reports show it as they like.
impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            writeln!(
                f,
                "{}: {} rows = {} with events + {} filtered + {} quarantined",
                table.table, table.rows_read, table.rows_with_events, table.rows_filtered, table.rows_quarantined
            )?;
        }
        write!(f, "{} events", self.events)
    }
}
