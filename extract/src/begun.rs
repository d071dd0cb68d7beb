//! What a dump was begun with, so that a run that goes on with it knows: when, how many rows the tables had, and the
//! database snapshot that it reads from. It stands at the head of the plan's text, a line each.

use std::collections::BTreeMap;

use etl_schemas::table::TableName;
use etl_schemas::ticks::Ticks;

use crate::catalog::{ServerInfo, SourceTable};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// The server's clock in UTC.
    pub(crate) at: Ticks,
    /// The database snapshot that is read, where the project wants one.
    pub(crate) snapshot: Option<String>,
    /// Rows by the server's metadata, by table.
    pub(crate) rows: BTreeMap<String, u64>,
}

const AT: &str = "begun at ";
const SNAPSHOT: &str = "begun on the database snapshot ";
const ROWS: &str = "begun with ";

impl Begun {
    /// Now.
    pub(crate) fn now(server: &ServerInfo, tables: &[SourceTable], snapshot: Option<String>) -> Begun {
        let rows = tables.iter().map(|table| (table.schema.name.to_string(), table.rows)).collect();
        Begun { at: server.clock, snapshot, rows }
    }

    /// As the plan of an unfinished dump tells it.
    pub(crate) fn read(plan: &str) -> Option<Begun> {
        let rest = |start: &'static str| plan.lines().filter_map(move |line| line.strip_prefix(start));
        let at = Ticks(rest(AT).next()?.parse().ok()?).checked()?;
        let rows = rest(ROWS).map(|line| {
            let (rows, table) = line.split_once(" rows in ")?;
            Some((table.to_string(), rows.parse().ok()?))
        });
        Some(Begun { at, snapshot: rest(SNAPSHOT).next().map(str::to_string), rows: rows.collect::<Option<_>>()? })
    }

    /// The lines for the plan.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("{AT}{}\n", self.at.0);
        if let Some(snapshot) = &self.snapshot {
            text.push_str(&format!("{SNAPSHOT}{snapshot}\n"));
        }
        for (table, rows) in &self.rows {
            text.push_str(&format!("{ROWS}{rows} rows in {table}\n"));
        }
        text
    }

    /// Rows that a table had, by the server's metadata.
    pub(crate) fn rows_of(&self, table: &TableName) -> Option<u64> {
        self.rows.get(&table.to_string()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let rows = [("dbo.A".to_string(), 7), ("dbo.B rows in C".to_string(), 0)].into();
        let begun = Begun { at: Ticks(12), snapshot: Some("shop_etl_1".to_string()), rows };
        let plan = format!("database shop\n{}dbo.A reads [Id]\n", begun.describe());
        assert_eq!(Begun::read(&plan), Some(begun));
        assert_eq!(Begun::read("database shop\ndbo.A reads [Id]\n"), None);
    }
}
