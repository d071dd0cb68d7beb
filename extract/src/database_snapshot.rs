//! A database snapshot of the source: the only way in which several connections see all tables as of one moment.
//!
//! In: a connection to the database. Out: the name of a snapshot that was made, or that is still there. Making one takes
//! moments whatever the database's size; while it exists, the server copies each page before it is first changed, so it
//! is dropped as soon as the dump is whole. A run that is interrupted leaves it, since only it shows the same moment
//! again, and says so. Microsoft Learn, "Database snapshots (SQL Server)".

use etl_schemas::table::quote;
use etl_schemas::ticks::{PER_SECOND, Ticks};

use crate::error::SourceError;
use crate::row_source::{Answer, RowSource};

/// Data files of the database; logs, FILESTREAM and full-text files have no place in a snapshot.
const FILES: &str = "SELECT name, physical_name FROM sys.database_files WHERE type = 0 ORDER BY file_id";

/// Snapshots of this database, whoever made them.
const SNAPSHOTS: &str = "SELECT name FROM sys.databases WHERE source_database_id = DB_ID() ORDER BY name";

/// `snapshot_isolation_state` of `sys.databases`: 1 is ON.
const ISOLATION: &str = "SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()";

/// Between the database's name and the moment.
const MARK: &str = "_etl_";

/// Names of databases have up to 128 characters, and each file of a snapshot is named after its own.
const NAME_MAX: usize = 128;

/// Whether sessions may use the isolation level SNAPSHOT, which is another thing than a database snapshot.
pub(crate) async fn isolation_is_allowed(source: &mut impl RowSource) -> Result<bool, SourceError> {
    let answer = source.ask(ISOLATION).await?;
    Ok(answer.first().map(|row| row.integer(0)).transpose()? == Some(1))
}

/// Makes a snapshot of the connection's database, named after it and the moment.
pub(crate) async fn create(source: &mut impl RowSource, database: &str, now: Ticks) -> Result<String, SourceError> {
    let stamp = (now.0 / PER_SECOND).to_string();
    let kept: String = database.chars().take(NAME_MAX - MARK.len() - stamp.len()).collect();
    let name = format!("{kept}{MARK}{stamp}");
    let files = source.ask(FILES).await?;
    let files: Vec<String> = files.iter().map(|file| snapshot_file(file, &stamp)).collect::<Result<_, _>>()?;
    let sql = format!("CREATE DATABASE {} ON {} AS SNAPSHOT OF {}", quote(&name), files.join(", "), quote(database));
    source.ask(&sql).await?;
    Ok(name)
}

/// A sparse file beside each data file.
fn snapshot_file(file: &Answer, stamp: &str) -> Result<String, SourceError> {
    let logical = file.text(0)?.unwrap_or_default();
    let physical = file.text(1)?.unwrap_or_default();
    let path = format!("{physical}.etl_{stamp}.ss").replace('\'', "''");
    Ok(format!("(NAME = {}, FILENAME = N'{path}')", quote(logical)))
}

/// Snapshots of the connection's database that runs like ours made.
pub(crate) async fn existing(source: &mut impl RowSource) -> Result<Vec<String>, SourceError> {
    let names = source.ask(SNAPSHOTS).await?;
    let names: Vec<Option<&str>> = names.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?;
    Ok(names.into_iter().flatten().filter(|name| name.contains(MARK)).map(str::to_string).collect())
}

/// Drops a snapshot; none of that name is as well.
pub(crate) async fn drop(source: &mut impl RowSource, name: &str) -> Result<(), SourceError> {
    match existing(source).await?.iter().any(|known| known == name) {
        true => source.ask(&drop_statement(name)).await.map(|_| ()),
        false => Ok(()),
    }
}

/// What a person would drop it with.
pub(crate) fn drop_statement(name: &str) -> String {
    format!("DROP DATABASE {}", quote(name))
}
