//! What to call a row in a message: its key columns and their values.

use std::sync::Arc;

use etl_schemas::dump::{RowLayout, RowReader};
use etl_schemas::table::TableSchema;

use super::decode::value_of;
use crate::expression::write_text;
use crate::mapping::column_type;

/// `Id=5`, `MemberId=5, InterestId=7`; empty for a table without a key, `?` for a row that can't be read. For rows
/// that went wrong only: it allocates.
pub(crate) fn key_text(table: &TableSchema, layout: &Arc<RowLayout>, row: &[u8]) -> String {
    let Some(key) = &table.key else { return String::new() };
    let mut cells = Vec::new();
    if RowReader::columns(layout, &key.columns).read(row, &mut cells).is_err() {
        return "?".to_string();
    }
    let mut text = String::new();
    for (cell, column) in cells.into_iter().zip(&key.columns) {
        let column = &table.columns[*column];
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&column.name);
        text.push('=');
        if let Some(value) = value_of(cell, column_type(column)) {
            write_text(&mut text, &value).expect("a string takes everything");
        }
    }
    text
}
