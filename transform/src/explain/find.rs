//! Finding a row by its key, or by its place.

use etl_schemas::dump::{BlockBuffer, BlockEntry, DumpTable, RowReader};
use etl_schemas::table::Column;

use crate::error::TransformError;
use crate::expression::{Type, write_text};
use crate::mapping::column_type;
use crate::scan::value_of;

/// A row and where it lies.
pub(super) struct Found {
    pub part: usize,
    pub block: usize,
    pub row: usize,
    pub content: Vec<u8>,
}

/// The rows with this key, and how many of the table's blocks were read.
pub(super) fn find(table: &DumpTable, key: &str) -> Result<(Vec<Found>, (usize, usize)), TransformError> {
    match key.strip_prefix('@') {
        Some(place) => at_place(table, place),
        None => by_key(table, key),
    }
}

fn refused<T>(message: String) -> Result<T, TransformError> {
    Err(TransformError::Explain { message })
}

fn at_place(table: &DumpTable, place: &str) -> Result<(Vec<Found>, (usize, usize)), TransformError> {
    let numbers: Vec<usize> = place.split(':').filter_map(|number| number.parse().ok()).collect();
    let [part, block, row] = numbers[..] else {
        return refused(format!("`@{place}` is no place; write @part:block:row, as `etl quarantine` prints them"));
    };
    let nothing = || refused(format!("{} has no row at @{place}", table.schema.name));
    if part >= table.parts.len() {
        return nothing();
    }
    let opened = table.open_part(part)?;
    if block >= opened.blocks().len() {
        return nothing();
    }
    let mut buffer = BlockBuffer::new();
    opened.read(block, &mut buffer)?;
    let found: Vec<Found> =
        (buffer.rows().nth(row).map(|content| Found { part, block, row, content: content.to_vec() }))
            .into_iter()
            .collect();
    let blocks = table.parts.iter().map(|part| part.summary.blocks as usize).sum();
    Ok((found, (1, blocks)))
}

fn by_key(table: &DumpTable, text: &str) -> Result<(Vec<Found>, (usize, usize)), TransformError> {
    let name = &table.schema.name;
    let Some(key) = &table.schema.key else {
        return refused(format!("{name} has no key; name the row by its place, @part:block:row"));
    };
    let columns: Vec<&Column> = key.columns.iter().map(|column| &table.schema.columns[*column]).collect();
    let values: Vec<&str> = match columns.len() {
        1 => vec![text],
        _ => text.split(',').map(str::trim).collect(),
    };
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    if values.len() != columns.len() {
        return refused(format!("{name}'s key is ({}); write its values with commas between", names.join(", ")));
    }
    // `Id=17`, as messages write a key, is a key as well.
    let values: Vec<&str> = (values.iter().zip(&names))
        .map(|(value, name)| match value.split_once('=') {
            Some((before, after)) if before.eq_ignore_ascii_case(name) => after,
            _ => value,
        })
        .collect();
    for (value, column) in values.iter().zip(&columns) {
        if column_type(column) == Type::Integer && value.parse::<i64>().is_err() {
            return refused(format!("`{value}` is no integer, as {name}'s key column {} is", column.name));
        }
    }
    search(table, &key.columns, &values)
}

fn search(table: &DumpTable, key: &[usize], values: &[&str]) -> Result<(Vec<Found>, (usize, usize)), TransformError> {
    let reader = RowReader::columns(table.layout(), key);
    let (mut buffer, mut found) = (BlockBuffer::new(), Vec::new());
    let (mut read, mut all) = (0, 0);
    for number in 0..table.parts.len() {
        let part = table.open_part(number)?;
        all += part.blocks().len();
        for (block, entry) in part.blocks().iter().enumerate() {
            if !may_hold(table, entry, key, values) {
                continue;
            }
            part.read(block, &mut buffer)?;
            read += 1;
            for (row, bytes) in buffer.rows().enumerate() {
                let mut cells = Vec::with_capacity(key.len());
                reader.read(bytes, &mut cells).map_err(|error| part.row_error(block, row as u64, error))?;
                let is_it = cells.iter().zip(key).zip(values).all(|((cell, column), wanted)| {
                    let ty = column_type(&table.schema.columns[*column]);
                    let mut text = String::new();
                    let value = value_of(*cell, ty).filter(|value| !value.is_null());
                    value.is_some_and(|value| {
                        write_text(&mut text, &value).expect("a string takes everything");
                        if ty == Type::Uuid { text.eq_ignore_ascii_case(wanted) } else { text == *wanted }
                    })
                });
                if is_it {
                    found.push(Found { part: number, block, row, content: bytes.to_vec() });
                }
            }
        }
    }
    Ok((found, (read, all)))
}

/// Whether the zone maps of the key's integers leave room for the row.
fn may_hold(table: &DumpTable, block: &BlockEntry, key: &[usize], values: &[&str]) -> bool {
    key.iter().zip(values).all(|(column, value)| {
        let is_integer = column_type(&table.schema.columns[*column]) == Type::Integer;
        match (block.zone(*column), value.parse::<i64>()) {
            (Some(zone), Ok(value)) if is_integer => {
                zone.range.is_some_and(|(least, most)| (least..=most).contains(&value))
            }
            _ => true,
        }
    })
}
