//! Runs a use case: loads its events into a database that lives no longer than that, and compares the tables.
//!
//! In: a module and one of its use cases. Out: what doesn't hold, each at its place in the use case's file; nothing if
//! all holds. The events go the way that a seed's events go, indexes included. An event that is rejected doesn't hold,
//! unless the use case expects it in `etl.rejected`.

mod checking;
mod matching;
mod relation;
mod temporary;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use etl_schemas::diagnostic::{Diagnostic, did_you_mean};
use etl_schemas::event::EventCatalog;

pub use self::checking::check;
use self::matching::{Unmatched, nearest, unmatched};
use self::relation::{Relation, relations};
use self::temporary::TemporaryDatabase;
use super::connection::Connection;
use super::{IfExists, PostgresOptions, PostgresTarget, StreamFingerprint, failure};
use crate::LoadError;
use crate::module::Module;
use crate::sink::Sink;
use crate::usecase::{Expectation, ExpectedRow, ExpectedTable, UseCase};

/// Rows that are shown of a table that holds others than expected.
const SHOWN_ROWS_MAX: usize = 20;

/// Runs `case` in a database of its own, called `prefix` and the module's name, which must not exist. A raised `stop` ends
/// it when something is waited for.
///
/// # Errors
/// When the server can't be used, or the module's schema or handlers don't fit.
pub fn try_out(
    target: &PostgresTarget,
    module: &Module,
    case: &UseCase,
    catalog: &Arc<EventCatalog>,
    prefix: &str,
    stop: &'static AtomicBool,
) -> Result<Vec<Diagnostic>, LoadError> {
    let options = PostgresOptions {
        if_exists: IfExists::Fail,
        database_prefix: prefix.to_string(),
        stop,
        ..PostgresOptions::default()
    };
    let stream = StreamFingerprint { dump: "use case".to_string(), mappings: case.name.clone() };
    let (database, mut sink) = TemporaryDatabase::open(target, module, catalog, &stream, &options)?;
    if let Some(batch) = case.batch(catalog) {
        sink.write(&batch)?;
    }
    sink.finish()?;
    drop(sink);
    let connection = Connection::open(target, &database.name)?;
    let settings = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'iso_8601'";
    connection.run("setting up the session", connection.client.batch_execute(settings))?;
    let mut trial = Trial { connection, case, diagnostics: Vec::new() };
    trial.rejected()?;
    for expected in &case.then {
        trial.table(expected)?;
    }
    Ok(trial.diagnostics)
}

struct Trial<'a> {
    connection: Connection,
    case: &'a UseCase,
    diagnostics: Vec<Diagnostic>,
}

impl Trial<'_> {
    /// Events that were rejected and not expected to be.
    fn rejected(&mut self) -> Result<(), LoadError> {
        if self.case.then.iter().any(|table| table.name() == "etl.rejected") {
            return Ok(());
        }
        let select = "SELECT position, reason FROM etl.rejected ORDER BY position";
        let connection = &self.connection;
        for row in connection.run("reading what was rejected", connection.client.query(select, &[]))? {
            let (position, reason): (i64, String) = (row.get(0), row.get(1));
            let span = self.case.given.get(position as usize - 1).map_or(0..1, |event| event.span.clone());
            let help = "if this is what the use case shows, expect it: [[then.\"etl.rejected\"]]";
            let message = format!("this event was rejected: {reason}");
            self.diagnostics.push(self.case.diagnostic(span, message).help(help));
        }
        Ok(())
    }

    fn table(&mut self, expected: &ExpectedTable) -> Result<(), LoadError> {
        let name = expected.name();
        let Some(relation) = Relation::find(&self.connection, &expected.schema, &expected.table)? else {
            let known = relations(&self.connection)?;
            let help = did_you_mean(&name, known.iter().map(String::as_str));
            let message = format!("the module has no table `{name}`");
            self.diagnostics.push(self.case.diagnostic(expected.span.clone(), message).help(help));
            return Ok(());
        };
        match &expected.rows {
            Expectation::Count(count) => {
                let found = relation.count(&self.connection)?;
                if found != *count {
                    let message = format!("`{name}` holds {found} rows, and {count} are expected");
                    self.diagnostics.push(self.case.diagnostic(expected.span.clone(), message));
                }
            }
            Expectation::Rows(rows) => self.rows(expected, rows, &relation)?,
        }
        Ok(())
    }

    fn rows(&mut self, expected: &ExpectedTable, rows: &[ExpectedRow], relation: &Relation) -> Result<(), LoadError> {
        // The columns that the use case speaks of, in the table's order; without any, all of them.
        let named = |column: &str| rows.iter().flat_map(|row| &row.columns).any(|named| named.column == column);
        let mut shown: Vec<usize> =
            (0..relation.columns.len()).filter(|index| named(&relation.columns[*index].name)).collect();
        if shown.is_empty() {
            shown = (0..relation.columns.len()).collect();
        }
        let mut wanted = Vec::new();
        for row in rows {
            match self.wanted(row, relation, &shown)? {
                Some(cells) => wanted.push(cells),
                None => return Ok(()),
            }
        }
        let found = relation.rows(&self.connection, &shown)?;
        let Unmatched { wanted: missing, found: extra } = unmatched(&wanted, &found);
        if missing.is_empty() && extra.is_empty() {
            return Ok(());
        }
        let listed = |rows: &[usize]| -> String {
            let rest = rows.len().saturating_sub(SHOWN_ROWS_MAX);
            let mut text: String = rows
                .iter()
                .take(SHOWN_ROWS_MAX)
                .map(|row| format!("\n      {}", relation.shown(&shown, &found[*row])))
                .collect();
            if rest > 0 {
                text.push_str(&format!("\n      and {rest} more"));
            }
            text
        };
        let help = match extra.is_empty() {
            true => format!("`{}` holds {} rows, all of them expected", expected.name(), found.len()),
            false => format!("found and not expected:{}", listed(&extra)),
        };
        for row in &missing {
            let message = format!("`{}` has no such row", expected.name());
            let difference = nearest(&wanted[*row], &found, &extra).map(|(nearest, columns)| {
                let names = columns.iter().map(|column| (shown[*column], &found[nearest][*column]));
                self.difference(&rows[*row], relation, names)
            });
            let help = format!("{}{help}", difference.unwrap_or_default());
            self.diagnostics.push(self.case.diagnostic(rows[*row].span.clone(), message).help(help));
        }
        if missing.is_empty() {
            let message = format!("`{}` holds {} rows, and {} are expected", expected.name(), found.len(), rows.len());
            self.diagnostics.push(self.case.diagnostic(expected.span.clone(), message).help(help));
        }
        Ok(())
    }

    /// What the nearest row holds instead, column by column, each with the line to look at.
    fn difference<'c>(
        &self,
        row: &ExpectedRow,
        relation: &Relation,
        found: impl Iterator<Item = (usize, &'c Option<String>)>,
    ) -> String {
        let line = |(index, found): (usize, &Option<String>)| {
            let name = &relation.columns[index].name;
            let expected = row.columns.iter().find(|expected| expected.column == *name)?;
            let line = self.case.diagnostic(expected.span.clone(), "").line;
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".to_string());
            Some(format!("\n      line {line}: {name} is {}, expected {}", text(found), text(&expected.value)))
        };
        format!("the nearest row differs:{}\n    ", found.filter_map(line).collect::<String>())
    }

    /// An expected row as the server writes its values; `None` where a value or a column can't be.
    fn wanted(
        &mut self,
        row: &ExpectedRow,
        relation: &Relation,
        shown: &[usize],
    ) -> Result<Option<Vec<matching::Wanted>>, LoadError> {
        let mut cells = vec![matching::Wanted::Anything; shown.len()];
        let mut sound = true;
        for expected in &row.columns {
            let index = shown.iter().position(|index| relation.columns[*index].name == expected.column);
            let Some(index) = index else {
                let known = relation.columns.iter().map(|column| column.name.as_str());
                let message = format!("`{}` has no column `{}`", relation.name, expected.column);
                let help = did_you_mean(&expected.column, known);
                self.diagnostics.push(self.case.diagnostic(expected.span.clone(), message).help(help));
                sound = false;
                continue;
            };
            let type_name = &relation.columns[shown[index]].type_name;
            cells[index] = match &expected.value {
                None => matching::Wanted::Cell(None),
                Some(text) => match relation::written(&self.connection, text, type_name) {
                    Ok(text) => matching::Wanted::Cell(Some(text)),
                    Err(LoadError::Postgres { error, .. }) if failure::is_about_a_row(&error) => {
                        let message = format!("column `{}` is {type_name}, and this is none", expected.column);
                        self.diagnostics.push(self.case.diagnostic(expected.span.clone(), message));
                        sound = false;
                        continue;
                    }
                    Err(other) => return Err(other),
                },
            };
        }
        Ok(sound.then_some(cells))
    }
}
