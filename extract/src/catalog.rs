//! What the source holds: server, database, tables, columns, keys, sizes.
//!
//! In: a connection. Out: a [`SourceCatalog`] with one [`SourceTable`] per user table that the login may see. Types are
//! found by their name in `sys.types`, never by Microsoft's numbers, and answers are read by place, never by the name of
//! an answer's column, since servers differ in both. Sizes are estimates, and may be missing: they need a permission
//! that a reading login seldom has.

mod keys;
mod tables;

use std::collections::HashMap;

use etl_schemas::table::{TableName, TableSchema};
use etl_schemas::ticks::Ticks;

use crate::connect::Client;
use crate::error::{ExtractError, SourceError, UnsupportedColumn};
use crate::row_source::{Answer, ROW_COUNT, RowSource};
use crate::url::SourceUrl;

/// What the source holds.
#[derive(Clone, Debug)]
pub struct SourceCatalog {
    /// The server and the database.
    pub server: ServerInfo,
    /// Every user table, by schema and name.
    pub tables: Vec<SourceTable>,
}

/// What answers there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// `SERVERPROPERTY('ProductVersion')`, as in `16.0.4003.1`.
    pub version: String,
    /// `SERVERPROPERTY('Edition')`
    pub edition: String,
    /// `SERVERPROPERTY('Collation')`
    pub collation: String,
    /// The database's own name.
    pub database: String,
    /// The database's collation.
    pub database_collation: String,
    /// The server's clock in UTC, when the catalog was read.
    pub clock: Ticks,
    /// The client that reads it.
    pub client: Client,
    /// Whether it tells how many rows a query had (`ROWCOUNT_BIG`), so that rows are counted at both ends.
    pub counts_rows: bool,
}

/// A table with its estimates.
#[derive(Clone, Debug)]
pub struct SourceTable {
    /// Columns and key. Columns that can't be carried are left out here and listed in `unsupported`.
    pub schema: TableSchema,
    /// Columns that can't be carried; a table that has any isn't read.
    pub unsupported: Vec<UnsupportedColumn>,
    /// Ids of the columns that the project wants converted; their types in `schema` are what they are converted to.
    pub casts: Vec<u32>,
    /// Rows, as the server's metadata has them.
    pub rows: u64,
    /// Bytes in use by the table's data, without its other indexes; `None` where the login may not know.
    pub bytes: Option<u64>,
}

const SERVER: &str = "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), \
    CAST(SERVERPROPERTY('Edition') AS nvarchar(128)), CAST(SERVERPROPERTY('Collation') AS nvarchar(128)), \
    DB_NAME(), CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS nvarchar(128)), SYSUTCDATETIME()";

const TABLES: &str = "SELECT t.object_id, s.name, t.name FROM sys.tables AS t \
    JOIN sys.schemas AS s ON s.schema_id = t.schema_id WHERE t.is_ms_shipped = 0";

const TYPES: &str = "SELECT user_type_id, system_type_id, name, is_user_defined, is_assembly_type FROM sys.types";

const COLUMNS: &str = "SELECT c.object_id, c.column_id, c.name, c.user_type_id, c.max_length, c.precision, c.scale, \
    c.collation_name, c.is_nullable, c.is_identity, c.is_computed FROM sys.columns AS c \
    JOIN sys.tables AS t ON t.object_id = c.object_id";

const INDEXES: &str = "SELECT i.object_id, i.index_id, i.name, i.type, i.is_unique, i.is_primary_key, i.is_disabled, \
    i.has_filter FROM sys.indexes AS i JOIN sys.tables AS t ON t.object_id = i.object_id WHERE i.type IN (1, 2) AND i.is_hypothetical = 0";

const INDEX_COLUMNS: &str = "SELECT c.object_id, c.index_id, c.column_id, c.key_ordinal, c.is_descending_key \
    FROM sys.index_columns AS c JOIN sys.tables AS t ON t.object_id = c.object_id \
    WHERE c.is_included_column = 0 AND c.key_ordinal > 0";

/// A heap is index 0, a clustered index 1: one of the two holds the rows.
const ROWS: &str = "SELECT p.object_id, p.rows FROM sys.partitions AS p \
    JOIN sys.tables AS t ON t.object_id = p.object_id WHERE p.index_id IN (0, 1)";

const SIZES: &str = "SELECT p.object_id, p.used_page_count FROM sys.dm_db_partition_stats AS p \
    JOIN sys.tables AS t ON t.object_id = p.object_id WHERE p.index_id IN (0, 1)";

const PAGE_BYTES: u64 = 8192;

/// Reads the catalog of the database that the connection is logged in to.
pub(crate) async fn read(
    url: &SourceUrl,
    client: Client,
    source: &mut impl RowSource,
) -> Result<SourceCatalog, ExtractError> {
    let failed = |query| move |source| ExtractError::Catalog { url: Box::new(url.clone()), query, source };
    let counts_rows = knows(source, ROW_COUNT).await.map_err(failed("ROWCOUNT_BIG"))?;
    let server = source.ask(SERVER).await.and_then(|rows| server_info(&rows, client, counts_rows));
    let server = server.map_err(failed("SERVERPROPERTY"))?;
    let tables = source.ask(TABLES).await.and_then(|rows| tables::names(&rows)).map_err(failed("sys.tables"))?;
    let types = source.ask(TYPES).await.and_then(|rows| tables::types(&rows)).map_err(failed("sys.types"))?;
    let columns = source.ask(COLUMNS).await.map_err(failed("sys.columns"))?;
    let columns = tables::columns(&columns, &tables, &types).map_err(failed("sys.columns"))?;
    let indexes = source.ask(INDEXES).await.map_err(failed("sys.indexes"))?;
    let index_columns = source.ask(INDEX_COLUMNS).await.map_err(failed("sys.index_columns"))?;
    let indexes = keys::indexes(&indexes, &index_columns).map_err(failed("sys.indexes"))?;
    let rows = source.ask(ROWS).await.and_then(|rows| sums(&rows)).map_err(failed("sys.partitions"))?;
    let pages = match source.ask(SIZES).await {
        Ok(answer) => Some(sums(&answer).map_err(failed("sys.dm_db_partition_stats"))?),
        // The view is missing, or the login lacks VIEW DATABASE STATE.
        Err(SourceError::Server { number, message, .. }) => {
            tracing::debug!(number, message, "no table sizes");
            None
        }
        Err(error) => return Err(failed("sys.dm_db_partition_stats")(error)),
    };
    Ok(SourceCatalog { server, tables: assemble(tables, columns, &indexes, &rows, pages.as_ref()) })
}

/// Whether the server answers a query at all; an error that it answers with is a no.
async fn knows(source: &mut impl RowSource, sql: &str) -> Result<bool, SourceError> {
    match source.ask(sql).await {
        Ok(_) => Ok(true),
        Err(SourceError::Server { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn server_info(rows: &[Answer], client: Client, counts_rows: bool) -> Result<ServerInfo, SourceError> {
    let row = rows
        .first()
        .ok_or_else(|| SourceError::Protocol { message: "the server says nothing of itself".to_string() })?;
    let text = |place| row.text(place).map(|text| text.unwrap_or_default().to_string());
    Ok(ServerInfo {
        version: text(0)?,
        edition: text(1)?,
        collation: text(2)?,
        database: text(3)?,
        database_collation: text(4)?,
        clock: row.time(5)?,
        client,
        counts_rows,
    })
}

/// Sums the second column by the first, for a partitioned table has a row per partition.
fn sums(rows: &[Answer]) -> Result<HashMap<i64, u64>, SourceError> {
    let mut sums = HashMap::new();
    for row in rows {
        *sums.entry(row.integer(0)?).or_insert(0) += row.integer(1)?.max(0) as u64;
    }
    Ok(sums)
}

fn assemble(
    tables: Vec<(i64, TableName)>,
    mut columns: HashMap<i64, tables::Columns>,
    indexes: &HashMap<i64, Vec<keys::Index>>,
    rows: &HashMap<i64, u64>,
    pages: Option<&HashMap<i64, u64>>,
) -> Vec<SourceTable> {
    let messages = tables::message_names(&tables);
    let mut assembled: Vec<SourceTable> = tables
        .into_iter()
        .zip(messages)
        .map(|((id, name), message)| {
            let tables::Columns { carried, unsupported } = columns.remove(&id).unwrap_or_default();
            let key = indexes.get(&id).and_then(|indexes| keys::reading_key(indexes, &carried));
            SourceTable {
                schema: TableSchema { name, message, columns: carried, key },
                unsupported,
                casts: Vec::new(),
                rows: rows.get(&id).copied().unwrap_or(0),
                bytes: pages.map(|pages| pages.get(&id).copied().unwrap_or(0) * PAGE_BYTES),
            }
        })
        .collect();
    assembled.sort_by(|a, b| a.schema.name.cmp(&b.schema.name));
    assembled
}
