//! A module's database: found or made, and never touched when it isn't ours.
//!
//! In: a target, a database's name and what to do if it exists. Out: a connection to it that holds the module's lock,
//! and whether it is empty or ours. Two loaders can't work on one database at a time.

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::generation;
use super::target::PostgresTarget;
use super::{IfExists, quoted};
use crate::LoadError;

/// Key of the advisory lock that a loader holds; the letters `etl`. Advisory locks belong to a database.
const LOCK: i64 = 0x65_74_6c;
/// A killed loader's session may live on for a moment, until the server notices.
const LOCK_TIME_MAX: Duration = Duration::from_secs(5);
const VERSION_MIN: i32 = 130_000;

/// What was found in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Nothing, and whether we have just created it.
    Empty { created: bool },
    /// Our checkpoint.
    Ours,
    /// The same, of complete tables that stay live while others are loaded beside them.
    Live,
}

/// Tables, functions, types and schemas that neither Postgres nor an extension brought.
const IS_EMPTY: &str = "
    WITH theirs AS (SELECT oid FROM pg_namespace
                    WHERE nspname NOT IN ('pg_catalog', 'information_schema') AND nspname !~ '^pg_(toast|temp)')
    SELECT NOT EXISTS (
        SELECT 1 FROM (
            SELECT 'pg_class'::regclass AS class, oid FROM pg_class WHERE relnamespace IN (TABLE theirs)
            UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace IN (TABLE theirs)
            UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE typnamespace IN (TABLE theirs)
            UNION ALL SELECT 'pg_namespace'::regclass, oid FROM pg_namespace
                      WHERE oid IN (TABLE theirs) AND nspname <> 'public'
        ) object
        WHERE NOT EXISTS (SELECT 1 FROM pg_depend d
                          WHERE d.classid = object.class AND d.objid = object.oid AND d.deptype = 'e'))";

/// Connects to the server, by the database that every server has.
pub(super) fn reach(target: &PostgresTarget) -> Result<Connection, LoadError> {
    Connection::open(target, "postgres")
}

/// Opens the module's database, creating or replacing it as asked.
pub(super) fn open(
    server: &Connection,
    target: &PostgresTarget,
    database: &str,
    if_exists: IfExists,
) -> Result<(Connection, Content), LoadError> {
    check_version(server)?;
    match state(server, database)? {
        State::Usable => {}
        State::Missing => return create(server, target, database),
        State::Invalid => {
            tracing::warn!("somebody had begun to drop database `{database}`; it is dropped and made anew");
            drop_database(server, database)?;
            return create(server, target, database);
        }
    }
    let (connection, content) = look_into(target, database)?;
    match (content, if_exists) {
        (Content::Ours, IfExists::Fail) => Err(refused(
            database,
            "it exists and was loaded before",
            "go on with --if-exists resume, or load it anew with --if-exists replace",
        )),
        (Content::Ours, IfExists::Replace) if is_complete(&connection)? => {
            generation::check_exchangeable(&connection)?;
            Ok((connection, Content::Live))
        }
        (Content::Ours, IfExists::Replace) => {
            drop(connection);
            drop_database(server, database)?;
            create(server, target, database)
        }
        _ => Ok((connection, content)),
    }
}

/// Drops a database that a failed opening had created, so that it leaves nothing behind.
pub(super) fn take_back(target: &PostgresTarget, database: &str) {
    let dropped = reach(target).and_then(|server| drop_database(&server, database));
    if let Err(error) = dropped {
        tracing::warn!("the empty database `{database}` stays behind: {error}");
    }
}

/// Connects to a database that must exist and be ours.
pub(super) fn open_ours(target: &PostgresTarget, database: &str) -> Result<Connection, LoadError> {
    let (connection, content) = look_into(target, database)?;
    match content {
        Content::Ours => Ok(connection),
        _ => Err(refused(database, "it was never loaded", "load it with `etl seed`")),
    }
}

/// Drops a database that must be ours, if it can still be told.
pub(super) fn drop_ours(target: &PostgresTarget, database: &str) -> Result<(), LoadError> {
    let server = reach(target)?;
    if state(&server, database)? != State::Invalid {
        drop(open_ours(target, database)?);
    }
    drop_database(&server, database)
}

/// What the server knows of a database by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Missing,
    Usable,
    /// A `DROP DATABASE` was interrupted. Part of its files may be gone; nobody can connect to it, and nothing can be done
    /// with it but drop it.
    Invalid,
}

fn state(server: &Connection, database: &str) -> Result<State, LoadError> {
    // The mark of an invalid database (Postgres 13.12, 14.9, 15.4 and later): DATCONNLIMIT_INVALID_DB in its sources.
    let invalid = "SELECT (SELECT datconnlimit = -2 FROM pg_database WHERE datname = $1)";
    let invalid = server.run("looking for it", server.client.query_one_scalar(invalid, &[&database]))?;
    Ok(match invalid {
        None => State::Missing,
        Some(false) => State::Usable,
        Some(true) => State::Invalid,
    })
}

/// Whether a load has ever come to its end.
fn is_complete(connection: &Connection) -> Result<bool, LoadError> {
    let select = "SELECT COALESCE(bool_and(complete), false) FROM etl.checkpoint";
    connection.run("reading the checkpoint", connection.client.query_one_scalar(select, &[]))
}

fn create(server: &Connection, target: &PostgresTarget, database: &str) -> Result<(Connection, Content), LoadError> {
    let template = "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'template1'";
    let template: String = server.run("looking at template1", server.client.query_one_scalar(template, &[]))?;
    let encoding = match template.as_str() {
        "UTF8" => "",
        _ => " TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'",
    };
    let statement = format!("CREATE DATABASE {}{encoding}", quoted(database));
    server.run(&format!("creating database `{database}`"), server.client.batch_execute(&statement))?;
    let connection = Connection::open(target, database)?;
    lock(&connection)?;
    Ok((connection, Content::Empty { created: true }))
}

fn drop_database(server: &Connection, database: &str) -> Result<(), LoadError> {
    let statement = format!("DROP DATABASE {}", quoted(database));
    server.run(&format!("dropping database `{database}`"), server.client.batch_execute(&statement))
}

fn look_into(target: &PostgresTarget, database: &str) -> Result<(Connection, Content), LoadError> {
    let connection = Connection::open(target, database)?;
    let scalar = |statement| connection.run("looking into it", connection.client.query_one_scalar(statement, &[]));
    if scalar("SELECT to_regclass('etl.checkpoint') IS NOT NULL")? {
        lock(&connection)?;
        return Ok((connection, Content::Ours));
    }
    if !scalar(IS_EMPTY)? {
        let help = "name the module otherwise, set a `database_prefix` for the target in etl.toml, or move the database away yourself";
        return Err(refused(database, "it exists, holds something, and wasn't loaded by etl", help));
    }
    if !scalar("SELECT current_setting('server_encoding') = 'UTF8'")? {
        return Err(refused(database, "its encoding isn't UTF8", "drop it, and etl creates it anew"));
    }
    lock(&connection)?;
    Ok((connection, Content::Empty { created: false }))
}

/// Takes the lock of a loader.
pub(super) fn lock(connection: &Connection) -> Result<(), LoadError> {
    let started = Instant::now();
    let statement = "SELECT pg_try_advisory_lock($1)";
    while !connection.run("locking it", connection.client.query_one_scalar(statement, &[&LOCK]))? {
        if started.elapsed() > LOCK_TIME_MAX {
            let holder = "SELECT COALESCE(string_agg(pid::text, ', '), '?') FROM pg_locks WHERE locktype = 'advisory'
                          AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
            let process: String = connection.run("locking it", connection.client.query_one_scalar(holder, &[]))?;
            let database = connection.database().to_string();
            return Err(LoadError::Busy { database, process, may_pass: false });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn check_version(server: &Connection) -> Result<(), LoadError> {
    let statement = "SELECT current_setting('server_version_num')::integer";
    let version: i32 = server.run("asking for its version", server.client.query_one_scalar(statement, &[]))?;
    match version >= VERSION_MIN {
        true => Ok(()),
        false => Err(refused(
            server.database(),
            format!("the server is Postgres {}.{}", version / 10_000, version % 10_000),
            "etl loads into Postgres 13 and later",
        )),
    }
}

pub(super) fn refused(database: &str, problem: impl Into<String>, help: impl Into<String>) -> LoadError {
    LoadError::Database { database: database.to_string(), problem: problem.into(), help: help.into() }
}
