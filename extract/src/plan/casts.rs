//! The project's casts, applied to the catalog: a column takes the type that the server is to convert it to.

use etl_schemas::diagnostic::did_you_mean;
use etl_schemas::project::Cast;
use etl_schemas::table::{Column, field_names};

use crate::catalog::SourceTable;
use crate::error::{ExtractError, UnsupportedColumn};

/// Applies all, or names one whose column isn't there.
pub(crate) fn apply(casts: &[Cast], tables: &mut [SourceTable]) -> Result<(), ExtractError> {
    casts.iter().try_for_each(|cast| apply_one(cast, tables))
}

fn apply_one(cast: &Cast, tables: &mut [SourceTable]) -> Result<(), ExtractError> {
    let known: Vec<String> = tables.iter().map(|table| table.schema.name.to_string()).collect();
    let Some(table) = tables.iter_mut().find(|table| same(&table.schema.name.to_string(), &cast.table)) else {
        return Err(missing(cast, &cast.table, &known));
    };
    let columns = table.schema.columns.iter_mut();
    let id = match columns.into_iter().find(|column| same(&column.name, &cast.column)) {
        Some(column) => {
            column.sql_type = cast.sql_type.clone();
            column.id
        }
        None => match table.unsupported.iter().position(|column| same(&column.column, &cast.column)) {
            Some(place) => {
                let column = table.unsupported.remove(place);
                insert(cast, column, table)
            }
            None => {
                let known: Vec<String> = table.schema.columns.iter().map(|column| column.name.clone()).collect();
                return Err(missing(cast, &cast.column, &known));
            }
        },
    };
    table.casts.push(id);
    Ok(())
}

/// Puts a column that couldn't be carried among its siblings, and gives its id.
fn insert(cast: &Cast, unsupported: UnsupportedColumn, table: &mut SourceTable) -> u32 {
    let UnsupportedColumn { column: name, id, nullable, .. } = unsupported;
    let columns = &mut table.schema.columns;
    let place = columns.iter().position(|column| column.id > id).unwrap_or(columns.len());
    let (field, sql_type) = (String::new(), cast.sql_type.clone());
    let column = Column { id, name, field, sql_type, nullable, collation: None, identity: false, computed: false };
    columns.insert(place, column);
    let fields = field_names(columns.iter().map(|column| (column.id, column.name.as_str())));
    columns.iter_mut().zip(fields).for_each(|(column, field)| column.field = field);
    // Keys name columns by their place.
    let behind = table.schema.key.iter_mut().flat_map(|key| &mut key.columns).filter(|column| **column >= place);
    behind.for_each(|column| *column += 1);
    id
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

fn missing(cast: &Cast, name: &str, known: &[String]) -> ExtractError {
    let help = did_you_mean(name, known.iter().map(String::as_str));
    ExtractError::Cast { column: format!("{}.{}", cast.table, cast.column), help }
}
