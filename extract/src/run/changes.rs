//! What became of the tables while they were read: a dump of a live database says which of its tables were written to.
//!
//! In: what the dump was begun with. Out: a sentence for each table that changed, as far as the server tells: the rows
//! that its metadata counts, and where the login may see it, when a table was last written to.

use std::collections::HashMap;

use etl_schemas::table::TableName;
use etl_schemas::ticks::PER_SECOND;

use super::source::Source;
use crate::begun::Begun;
use crate::error::{ExtractError, SourceError};
use crate::row_source::{Answer, RowSource};

/// The same numbers that the plan was made from.
const ROWS: &str = "SELECT s.name, t.name, p.rows FROM sys.partitions AS p \
    JOIN sys.tables AS t ON t.object_id = p.object_id JOIN sys.schemas AS s ON s.schema_id = t.schema_id \
    WHERE p.index_id IN (0, 1)";

/// The last write and the present, both by the server's local clock, which the view goes by. It begins with the server.
const WRITES: &str = "SELECT s.name, t.name, CAST(u.last_user_update AS datetime2), CAST(GETDATE() AS datetime2) \
    FROM sys.dm_db_index_usage_stats AS u \
    JOIN sys.tables AS t ON t.object_id = u.object_id JOIN sys.schemas AS s ON s.schema_id = t.schema_id \
    WHERE u.database_id = DB_ID() AND u.last_user_update IS NOT NULL";

const CLOCK: &str = "SELECT SYSUTCDATETIME()";

/// A sentence for each table that changed since `begun`.
pub(super) async fn since(source: &Source, begun: &Begun) -> Result<HashMap<TableName, String>, ExtractError> {
    let mut client = source.live().await?;
    let failed = |source| ExtractError::Changes { source };
    let mut changes = HashMap::new();
    for (table, written) in writes_since(&mut client, begun).await.map_err(failed)? {
        changes.insert(table, format!("Written to while it was read, for the last time {written}."));
    }
    let rows = sums(&client.ask(ROWS).await.map_err(failed)?).map_err(failed)?;
    for (table, now) in rows {
        match begun.rows_of(&table) {
            Some(before) if before != now => {
                let sentence = format!("Changed while it was read: {before} rows when it began, {now} at the end.");
                changes.insert(table, sentence);
            }
            _ => {}
        }
    }
    Ok(changes)
}

/// Tables that were written to since, and how long ago; none where the server doesn't tell.
async fn writes_since(source: &mut impl RowSource, begun: &Begun) -> Result<Vec<(TableName, String)>, SourceError> {
    let clock = match source.ask(CLOCK).await?.first() {
        Some(row) => row.time(0)?,
        None => return Ok(Vec::new()),
    };
    let lasted = clock.0.saturating_sub(begun.at.0);
    let rows = match source.ask(WRITES).await {
        Ok(rows) => rows,
        // The view is missing, or the login lacks VIEW SERVER STATE.
        Err(SourceError::Server { number, message, .. }) => {
            tracing::debug!(number, message, "no times of writes");
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut written = Vec::new();
    for row in &rows {
        let ago = row.time(3)?.0.saturating_sub(row.time(2)?.0);
        if ago <= lasted {
            written.push((name(row)?, format!("{} s before the end", ago / PER_SECOND)));
        }
    }
    Ok(written)
}

fn sums(rows: &[Answer]) -> Result<HashMap<TableName, u64>, SourceError> {
    let mut sums = HashMap::new();
    for row in rows {
        *sums.entry(name(row)?).or_insert(0) += row.integer(2)?.max(0) as u64;
    }
    Ok(sums)
}

fn name(row: &Answer) -> Result<TableName, SourceError> {
    Ok(TableName::new(row.text(0)?.unwrap_or_default(), row.text(1)?.unwrap_or_default()))
}
