//! What is done to databases that are loaded: back to the tables that were live before, or away with them.
//!
//! In: a target and a database's name. Out: the database changed, and what is live in it now. A database that isn't ours
//! is never touched.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::PostgresTarget;
use super::connection::Connection;
use super::database::{self, refused};
use super::failure::may_pass;
use super::generation::{self, LIVE, PREVIOUS, ROLL_BACK_ALONE, Waiting};
use crate::LoadError;

/// What is live in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The database.
    pub database: String,
    /// Position of the last event that has taken effect.
    pub position: u64,
    /// When that event happened, as Postgres writes it, in UTC; `None` without events.
    pub occurred_at: Option<String>,
    /// When the last of it was loaded, in UTC.
    pub loaded_at: String,
}

/// Makes the tables live that were live before the last `replace`, at one moment for all readers; the present ones
/// become the previous ones. Waits so long for readers that are in the middle of the tables, or until `stop` is raised.
///
/// # Errors
/// When there are no previous tables, somebody holds a table's lock for longer, the run is stopped, or the server can't
/// be used. The live tables are as before then; they may be exchanged only if the connection broke at the very end and no
/// other could be had.
pub fn roll_back(
    target: &PostgresTarget,
    database: &str,
    time_max: Duration,
    stop: &AtomicBool,
) -> Result<Described, LoadError> {
    exchange_and_look(target, database, Waiting { time_max, stop }).map_err(|error| match error {
        // A load's advice, to run the same command again, would be wrong.
        LoadError::Postgres { database, doing, problem, error, .. } if may_pass(&error) => {
            let help = format!("check that the server is up, then {ROLL_BACK_ALONE}");
            LoadError::Postgres { database, doing, problem, help, error }
        }
        other => other,
    })
}

fn exchange_and_look(target: &PostgresTarget, database: &str, waiting: Waiting<'_>) -> Result<Described, LoadError> {
    let connection = database::open_ours(target, database)?;
    let Some(coming) = PREVIOUS.identity(&connection)? else {
        let help = "only `etl seed --if-exists replace` leaves the tables that were live before";
        return Err(refused(database, "it has no previous tables", help));
    };
    let exchanged = generation::exchange_with_previous(&connection, waiting);
    match exchanged.and_then(|()| describe(&connection)) {
        Err(error) if error.may_pass() => {
            // Only the answer may be lost, and whoever rolled back once more would undo it.
            drop(connection);
            let connection = database::open_ours(target, database)?;
            if LIVE.identity(&connection)? == Some(coming) { describe(&connection) } else { Err(error) }
        }
        described => described,
    }
}

/// Drops the database; or, with `previous_only`, just the tables that were live before, which frees their disk space.
///
/// # Errors
/// When the database isn't ours, somebody is connected to it, or the server can't be used.
pub fn reset(target: &PostgresTarget, database: &str, previous_only: bool) -> Result<(), LoadError> {
    match previous_only {
        true => PREVIOUS.drop(&database::open_ours(target, database)?),
        false => database::drop_ours(target, database),
    }
}

fn describe(connection: &Connection) -> Result<Described, LoadError> {
    let select = format!(
        "SELECT position, (occurred_at AT TIME ZONE 'UTC')::text, (updated_at AT TIME ZONE 'UTC')::timestamp(0)::text
         FROM {}.checkpoint",
        LIVE.state
    );
    let row = connection.run("reading the checkpoint", connection.client.query_one(&select, &[]))?;
    Ok(Described {
        database: connection.database().to_string(),
        position: row.get::<_, i64>(0).unsigned_abs(),
        occurred_at: row.get(1),
        loaded_at: row.get(2),
    })
}
