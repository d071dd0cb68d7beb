//! What a use case expects of tables.
//!
//! In: `[then]`. Out: for each table named there, how many rows it holds, or all its rows, each by some of its columns.
//! Whether tables and columns exist is known only in the database.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fields;
use super::reading::Reading;

const HELP: &str = "write [[then.TABLE]] with the columns of each row, or [then] with TABLE = number of rows";
/// Lists the columns of a row that are NULL, for which TOML has no value.
const NULL: &str = "is_null";

/// What a table holds in the end.
#[derive(Clone, Debug)]
pub struct ExpectedTable {
    /// The table's schema.
    pub schema: String,
    /// The table.
    pub table: String,
    /// Its rows.
    pub rows: Expectation,
    /// Where the file names it.
    pub(crate) span: Range<usize>,
}

/// What is expected of a table's rows.
#[derive(Clone, Debug)]
pub enum Expectation {
    /// So many, whatever they hold.
    Count(u64),
    /// These and no others, in any order.
    Rows(Vec<ExpectedRow>),
}

/// Some columns of a row. The others may hold anything.
#[derive(Clone, Debug)]
pub struct ExpectedRow {
    /// The columns, in the order of the file.
    pub columns: Vec<ExpectedColumn>,
    /// Where the row begins.
    pub(crate) span: Range<usize>,
}

/// A column's value.
#[derive(Clone, Debug)]
pub struct ExpectedColumn {
    /// The column.
    pub column: String,
    /// Its value as text that the column's type can be made of; `None` for NULL.
    pub value: Option<String>,
    /// Where the file says so.
    pub(crate) span: Range<usize>,
}

impl ExpectedTable {
    /// The table as people write it.
    pub fn name(&self) -> String {
        match self.schema.as_str() {
            "public" => self.table.clone(),
            schema => format!("{schema}.{}", self.table),
        }
    }
}

/// Reads `[then]`.
pub(super) fn read(reading: &mut Reading<'_>, value: &Spanned<DeValue<'_>>) -> Vec<ExpectedTable> {
    let DeValue::Table(tables) = value.get_ref() else {
        reading.refuse(value.span(), "`then` says what tables hold", HELP);
        return Vec::new();
    };
    let mut expected = Vec::new();
    for (key, value) in tables {
        let rows = match value.get_ref() {
            DeValue::Integer(_) => match fields::integer(value.get_ref()).and_then(|count| u64::try_from(count).ok()) {
                Some(count) => Expectation::Count(count),
                None => {
                    reading.refuse(value.span(), "a number of rows is 0 or more", HELP);
                    continue;
                }
            },
            _ => {
                let tables = reading.tables(value, HELP);
                Expectation::Rows(tables.into_iter().map(|(span, table)| row(reading, span, table)).collect())
            }
        };
        let (schema, table) = key.get_ref().split_once('.').unwrap_or(("public", key.get_ref()));
        expected.push(ExpectedTable { schema: schema.to_string(), table: table.to_string(), rows, span: key.span() });
    }
    expected.sort_by_key(|table| table.span.start);
    expected
}

fn row(reading: &mut Reading<'_>, span: Range<usize>, table: &DeTable<'_>) -> ExpectedRow {
    let mut columns = Vec::new();
    for (key, value) in table {
        let span = key.span().start..value.span().end;
        match (key.get_ref().as_ref(), value.get_ref()) {
            (NULL, DeValue::Array(names)) => {
                for name in names.iter() {
                    match name.get_ref() {
                        DeValue::String(column) => {
                            columns.push(ExpectedColumn { column: column.to_string(), value: None, span: name.span() });
                        }
                        _ => reading.refuse(name.span(), "`is_null` lists names of columns", "write them in quotes"),
                    }
                }
            }
            (NULL, _) => reading.refuse(span, "`is_null` lists names of columns", "write is_null = [\"column\"]"),
            (_, DeValue::Array(_) | DeValue::Table(_)) => {
                let help = "write the value as text, as Postgres shows it";
                reading.refuse(value.span(), "a column's value is text, a number, true, false or a time", help);
            }
            (column, value) => {
                columns.push(ExpectedColumn { column: column.to_string(), value: Some(fields::text(value)), span });
            }
        }
    }
    columns.sort_by_key(|column| column.span.start);
    ExpectedRow { columns, span }
}
