//! Progress of an extraction: a bar for each table that is being read.

use std::collections::HashMap;
use std::sync::Mutex;

use etl_extract::progress::{PlannedTable, Progress as Watch};
use etl_schemas::table::TableName;

use crate::progress::{Progress, Task};

/// A bar for each table that is being read.
pub(in crate::commands) struct Bars<'a> {
    progress: &'a Progress,
    tables: Mutex<HashMap<TableName, Bar<'a>>>,
}

enum Bar<'a> {
    /// Nothing of it was read yet; the estimate of its rows.
    Waiting(u64),
    Reading(Task<'a>),
}

impl<'a> Bars<'a> {
    pub(in crate::commands) fn new(progress: &'a Progress) -> Bars<'a> {
        Bars { progress, tables: Mutex::new(HashMap::new()) }
    }

    fn with(&self, act: impl FnOnce(&mut HashMap<TableName, Bar<'a>>)) {
        // A watcher that panicked has spoilt its picture, not the run.
        if let Ok(mut tables) = self.tables.lock() {
            act(&mut tables);
        }
    }
}

impl Watch for Bars<'_> {
    fn planned(&self, tables: &[PlannedTable]) {
        self.with(|bars| bars.extend(tables.iter().map(|table| (table.name.clone(), Bar::Waiting(table.rows)))));
    }

    fn note(&self, text: &str) {
        self.progress.say(text);
    }

    fn advanced(&self, table: &TableName, rows: u64, _bytes: u64) {
        self.with(|bars| {
            let Some(bar) = bars.get_mut(table) else { return };
            if let Bar::Waiting(total) = bar {
                *bar = Bar::Reading(self.progress.task(&table.to_string(), *total, "rows"));
            }
            if let Bar::Reading(task) = bar {
                task.advance(rows);
            }
        });
    }

    fn restarted(&self, table: &TableName, rows: u64, _bytes: u64, reason: &str) {
        self.progress.say(&format!("{table}: {reason}; reading it again"));
        self.with(|bars| {
            if let Some(Bar::Reading(task)) = bars.get(table) {
                task.retreat(rows);
            }
        });
    }

    fn finished(&self, table: &TableName) {
        self.with(|bars| drop(bars.remove(table)));
    }

    fn failed(&self, table: &TableName, _reason: &str) {
        // The report at the end tells the reason.
        self.with(|bars| drop(bars.remove(table)));
    }
}
