//! The dump's tables as SQLite sees them: virtual tables over the block reader, read from the first row to the last.
//!
//! Each decodes only the columns that a query uses. Nothing can be written, and a damaged block ends the query with the
//! reader's own message.
#![allow(unsafe_code, reason = "rusqlite's traits for virtual tables are unsafe: the base struct must come first")]

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::marker::PhantomData;
use std::sync::Arc;

use etl_schemas::dump::{BlockBuffer, DumpTable, Part, RowReader};
use etl_schemas::sql_type::SqlType;
use etl_schemas::table::TableSchema;
use rusqlite::types::Value;
use rusqlite::vtab::{
    Context, CreateVTab, Filters, IndexInfo, Module, VTab, VTabConnection, VTabCursor, VTabKind, sqlite3_vtab,
    sqlite3_vtab_cursor,
};
use rusqlite::{Connection, Error, Result};

use super::value::to_sqlite;

const MODULE: Module<'_, DumpVTab> = Module::read_only_module();
const MODULE_NAME: &CStr = c"etl_dump";
/// How many schemas SQLite attaches.
const SCHEMAS_MAX: usize = 10;

/// Tables, each with its rows or, where only names and types are asked for, without.
type Tables = Arc<Vec<(TableSchema, Option<DumpTable>)>>;

/// A connection that sees these tables under their own names, and nothing else.
pub(super) fn connect(
    tables: Vec<(TableSchema, Option<DumpTable>)>,
) -> std::result::Result<Connection, super::EngineError> {
    let connection = Connection::open_in_memory()?;
    // Groups and sorts that exceed the cache go to a file of SQLite's own, which is gone when it is closed.
    connection.execute_batch("PRAGMA temp_store = FILE; PRAGMA cache_size = -65536")?;
    let tables: Tables = Arc::new(tables);
    connection.create_module(MODULE_NAME, &MODULE, Some(Arc::clone(&tables)))?;
    let mut schemas: Vec<String> = Vec::new();
    for (place, (table, _)) in tables.iter().enumerate() {
        let schema = table.name.schema.to_lowercase();
        if !schemas.contains(&schema) {
            if schemas.len() == SCHEMAS_MAX {
                continue;
            }
            connection.execute(&format!("ATTACH ':memory:' AS {}", quoted(&schema)), [])?;
            schemas.push(schema);
        }
        let (schema, name) = (quoted(&table.name.schema), quoted(&table.name.name));
        connection
            .execute_batch(&format!("CREATE VIRTUAL TABLE IF NOT EXISTS {schema}.{name} USING etl_dump({place})"))?;
    }
    Ok(connection)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::ModuleError(error.to_string())
}

#[repr(C)]
struct DumpVTab {
    /// SQLite's own part comes first.
    base: sqlite3_vtab,
    tables: Tables,
    place: usize,
}

// SAFETY: the struct is `repr(C)` and begins with `sqlite3_vtab`.
unsafe impl<'vtab> VTab<'vtab> for DumpVTab {
    type Aux = Tables;
    type Cursor = DumpCursor<'vtab>;

    fn connect(
        _db: &mut VTabConnection,
        aux: Option<&Tables>,
        _module_name: &[u8],
        _database_name: &[u8],
        _table_name: &[u8],
        args: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, DumpVTab)> {
        let place = args.first().and_then(|place| std::str::from_utf8(place).ok()?.trim().parse::<usize>().ok());
        let (Some(tables), Some(place)) = (aux, place) else { return Err(failed("no such table of the dump")) };
        let (table, _) = tables.get(place).ok_or_else(|| failed("no such table of the dump"))?;
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| format!("{} {}", quoted(&column.name), affinity(&column.sql_type)))
            .collect();
        let declaration = CString::new(format!("CREATE TABLE x({})", columns.join(", "))).map_err(failed)?;
        let vtab = DumpVTab { base: sqlite3_vtab::default(), tables: Arc::clone(tables), place };
        Ok((Cow::Owned(declaration), vtab))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let rows = self.tables[self.place].1.as_ref().map_or(1, DumpTable::rows);
        info.set_estimated_cost(rows as f64);
        info.set_estimated_rows(i64::try_from(rows).unwrap_or(i64::MAX));
        // Which columns a query uses goes to the cursor with the plan; the last bit stands for all from 64 on.
        info.set_idx_str(&info.col_used().to_string());
        Ok(true)
    }

    fn open(&'vtab mut self) -> Result<DumpCursor<'vtab>> {
        Ok(DumpCursor {
            base: sqlite3_vtab_cursor::default(),
            tables: Arc::clone(&self.tables),
            place: self.place,
            used: Vec::new(),
            reader: None,
            part: None,
            next_part: 0,
            next_block: 0,
            buffer: BlockBuffer::new(),
            rows: Vec::new(),
            next_row: 0,
            values: Vec::new(),
            row_id: 0,
            eof: true,
            phantom: PhantomData,
        })
    }
}

impl CreateVTab<'_> for DumpVTab {
    const KIND: VTabKind = VTabKind::Default;
}

/// Decides how SQLite compares a column's values.
fn affinity(sql_type: &SqlType) -> &'static str {
    match sql_type {
        SqlType::Decimal { .. } | SqlType::Money | SqlType::SmallMoney => "TEXT COLLATE BINARY",
        SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt | SqlType::Int | SqlType::BigInt => "INTEGER",
        SqlType::Real | SqlType::Float => "REAL",
        SqlType::Binary { .. } | SqlType::VarBinary { .. } | SqlType::Image | SqlType::RowVersion => "BLOB",
        _ => "TEXT",
    }
}

#[repr(C)]
struct DumpCursor<'vtab> {
    /// SQLite's own part comes first.
    base: sqlite3_vtab_cursor,
    tables: Tables,
    place: usize,
    /// The columns that the query uses, in order.
    used: Vec<usize>,
    reader: Option<RowReader>,
    part: Option<Part>,
    next_part: usize,
    next_block: usize,
    buffer: BlockBuffer,
    /// Where the block's rows lie in its content.
    rows: Vec<(usize, usize)>,
    next_row: usize,
    /// The row at hand, by column; unused ones are NULL.
    values: Vec<Value>,
    row_id: i64,
    eof: bool,
    phantom: PhantomData<&'vtab DumpVTab>,
}

impl DumpCursor<'_> {
    /// Reads the next block that has rows; `false` behind the last.
    fn next_block(&mut self) -> Result<bool> {
        let tables = Arc::clone(&self.tables);
        let (_, Some(table)) = &tables[self.place] else { return Ok(false) };
        loop {
            match &self.part {
                Some(part) if self.next_block < part.blocks().len() => {
                    part.read(self.next_block, &mut self.buffer).map_err(failed)?;
                    self.next_block += 1;
                    let content = self.buffer.content();
                    let start = content.as_ptr() as usize;
                    self.rows.clear();
                    self.rows.extend(self.buffer.rows().map(|row| (row.as_ptr() as usize - start, row.len())));
                    self.next_row = 0;
                    if !self.rows.is_empty() {
                        return Ok(true);
                    }
                }
                _ if self.next_part < table.parts.len() => {
                    self.part = Some(table.open_part(self.next_part).map_err(failed)?);
                    (self.next_part, self.next_block) = (self.next_part + 1, 0);
                }
                _ => return Ok(false),
            }
        }
    }
}

// SAFETY: the struct is `repr(C)` and begins with `sqlite3_vtab_cursor`.
unsafe impl VTabCursor for DumpCursor<'_> {
    fn filter(&mut self, _idx_num: c_int, idx_str: Option<&str>, _args: &Filters<'_>) -> Result<()> {
        let tables = Arc::clone(&self.tables);
        let (schema, table) = &tables[self.place];
        let used: u64 = idx_str.and_then(|used| used.parse().ok()).unwrap_or(u64::MAX);
        self.used = (0..schema.columns.len()).filter(|column| used >> (*column).min(63) & 1 == 1).collect();
        self.values = vec![Value::Null; schema.columns.len()];
        self.reader = table.as_ref().map(|table| RowReader::columns(table.layout(), &self.used));
        (self.part, self.next_part, self.next_block, self.row_id, self.eof) = (None, 0, 0, 0, false);
        (self.rows, self.next_row) = (Vec::new(), 0);
        self.next()
    }

    fn next(&mut self) -> Result<()> {
        if self.next_row == self.rows.len() && !self.next_block()? {
            self.eof = true;
            return Ok(());
        }
        let (start, length) = self.rows[self.next_row];
        let row = &self.buffer.content()[start..start + length];
        let mut cells = Vec::with_capacity(self.used.len());
        if let (Some(reader), Some(part)) = (&self.reader, &self.part) {
            let place = self.next_row as u64;
            reader.read(row, &mut cells).map_err(|error| failed(part.row_error(self.next_block - 1, place, error)))?;
        }
        let schema = &self.tables[self.place].0;
        for (cell, column) in cells.into_iter().zip(&self.used) {
            self.values[*column] = to_sqlite(cell, &schema.columns[*column]);
        }
        self.next_row += 1;
        self.row_id += 1;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.eof
    }

    fn column(&self, ctx: &mut Context, i: c_int) -> Result<()> {
        let value = usize::try_from(i).ok().and_then(|column| self.values.get(column));
        ctx.set_result(value.unwrap_or(&Value::Null))
    }

    fn rowid(&self) -> Result<i64> {
        Ok(self.row_id)
    }
}
