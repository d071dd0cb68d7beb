//! Derived tables: what needs groups or windows, made by SQL over the dump before any mapping runs.
//!
//! In: `derived/*.sql` of a project, each statement `CREATE TABLE derived.<name> (<columns>) AS SELECT ...`, and a dump.
//! Out: a dump that has these tables beside its own. The SELECT is run by SQLite, which reads the dump's blocks as virtual
//! tables and can write nothing. Its rows are kept in a part of the dump's own format, under a fingerprint of the dump and
//! of all that was written, and are used again until one of them changes. A value that isn't of its column's type ends the
//! run with its place: a derived table is the project's own doing, so there is no quarantine for it.

mod materialise;
mod statement;
mod value;
mod virtual_table;

use std::path::PathBuf;

use etl_schemas::diagnostic::Diagnostic;
use etl_schemas::dump::DumpTable;
use etl_schemas::table::TableSchema;
use rusqlite::Connection;

pub use materialise::{KeptTables, materialise};
pub(crate) use statement::statements;

/// The schema that derived tables live in.
pub(crate) const SCHEMA: &str = "derived";

/// One derived table, as it is declared.
#[derive(Clone, Debug)]
pub(crate) struct DerivedTable {
    /// Its columns and key.
    pub schema: TableSchema,
    file: PathBuf,
    /// The whole text of the file, to show places in.
    text: String,
    /// Where each column is declared.
    columns: Vec<std::ops::Range<usize>>,
    /// Where the SELECT stands.
    query: std::ops::Range<usize>,
}

impl DerivedTable {
    /// All that decides its rows beside the tables that it reads.
    pub(crate) fn definition(&self) -> String {
        let TableSchema { name, columns, key, .. } = &self.schema;
        let columns: Vec<String> =
            columns.iter().map(|column| format!("{} {} {}", column.name, column.sql_type, column.nullable)).collect();
        let key = key.as_ref().map(|key| &key.columns);
        format!("{name}\0{}\0{key:?}\0{}", columns.join("\0"), self.query())
    }

    fn query(&self) -> &str {
        &self.text[self.query.clone()]
    }

    fn diagnostic(&self, span: std::ops::Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::at(&self.file, &self.text, span, message)
    }

    /// Its name is taken.
    pub(crate) fn twice(&self) -> Diagnostic {
        let start = self.columns.first().map_or(self.query.start, |column| column.start);
        self.diagnostic(start..start + 1, format!("there is another table {}", self.schema.name))
    }

    /// An error of SQLite's, at its place.
    fn refused(&self, error: &rusqlite::Error) -> Diagnostic {
        let (offset, message) = match error {
            rusqlite::Error::SqlInputError { msg, offset, .. } => (usize::try_from(*offset).unwrap_or(0), msg.clone()),
            other => (0, other.to_string()),
        };
        let at = self.query.start + offset;
        let word = self.text[at..].find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(0).max(1);
        self.diagnostic(at..at + word, message).help("derived tables are made by SQLite; this is its SQL")
    }
}

/// Checks every derived table's SELECT against the tables it may read, without reading a row. Gives all errors.
pub(crate) fn check(derived: &[DerivedTable], tables: &[TableSchema]) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    let mut known: Vec<(TableSchema, Option<DumpTable>)> = tables.iter().map(|table| (table.clone(), None)).collect();
    for table in derived {
        if let Err(error) = virtual_table::connect(known.clone()).and_then(|engine| prepare(&engine, table).map(drop)) {
            errors.push(match error {
                EngineError::Sql(error) => table.refused(&error),
                EngineError::Wrong(diagnostic) => *diagnostic,
            });
        }
        known.push((table.schema.clone(), None));
    }
    errors
}

/// Why a query can't be run.
enum EngineError {
    Sql(rusqlite::Error),
    Wrong(Box<Diagnostic>),
}

impl From<rusqlite::Error> for EngineError {
    fn from(error: rusqlite::Error) -> EngineError {
        EngineError::Sql(error)
    }
}

/// Prepares a table's query: one that reads only, and has a column for each that is declared.
fn prepare<'c>(engine: &'c Connection, table: &DerivedTable) -> Result<rusqlite::Statement<'c>, EngineError> {
    let statement = engine.prepare(table.query())?;
    let wrong = |message: String, help: &str| {
        let at = table.query.start;
        EngineError::Wrong(Box::new(table.diagnostic(at..at + 6, message).help(help)))
    };
    if !statement.readonly() {
        return Err(wrong("this is no SELECT".to_string(), "a derived table is CREATE TABLE ... AS SELECT ..."));
    }
    let (found, declared) = (statement.column_count(), table.schema.columns.len());
    match found == declared {
        true => Ok(statement),
        false => {
            let message = format!("this SELECT has {found} columns, and {declared} are declared");
            Err(wrong(message, "declare every column with its type, in the SELECT's order"))
        }
    }
}
