//! The exchange itself: waits for a moment at which no reader is in the middle of the tables, and says who is.
//!
//! In: renames that make a generation live. Out: all of them done in one transaction; or none, and an error that says who
//! was in the way and what is left to do. A raised stop flag ends the waiting, as [`LoadError::Stopped`].

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::{Generation, LIVE};
use crate::LoadError;
use crate::patience;
use crate::postgres::connection::Connection;
use crate::postgres::database::refused;

/// How long the change waits for locks at a time: readers queue up behind it meanwhile. Less than Postgres's
/// `deadlock_timeout` (a second), so that in a deadlock it is us who give way, and never a reader.
const LOCK_TIME: &str = "300ms";
/// Between two attempts, readers have the tables to themselves.
const PAUSE: Duration = Duration::from_millis(200);
const DOING: &str = "exchanging the tables";

/// How long readers are waited for.
#[derive(Clone, Copy)]
pub(in crate::postgres) struct Waiting<'a> {
    pub(in crate::postgres) time_max: Duration,
    /// Ends waiting when it is raised.
    pub(in crate::postgres) stop: &'a AtomicBool,
}

/// What a person is told of an exchange that didn't come about.
#[derive(Clone, Copy)]
pub(super) struct Told {
    /// How things stand then.
    pub(super) so_far: &'static str,
    /// What to do when nobody is in the way any more.
    pub(super) again: &'static str,
}

/// What an exchange does.
#[derive(Clone, Copy)]
pub(super) struct Exchange<'a> {
    /// What becomes live.
    pub(super) coming: Generation,
    /// The statements that do it.
    pub(super) renames: &'a str,
    /// Schemas in whose tables nobody may be, as the live ones are renamed and others are dropped.
    pub(super) locked: &'a [&'a str],
}

/// Renames in one transaction, at a moment when no transaction of a reader is in the middle of the tables. Tries again
/// for as long as it may.
pub(super) fn exchange(
    connection: &Connection,
    exchange: Exchange<'_>,
    waiting: Waiting<'_>,
    told: Told,
) -> Result<(), LoadError> {
    let begun = Instant::now();
    let time = connection.client.query_one_scalar("SELECT clock_timestamp()::text", &[]);
    let time: String = connection.run(DOING, time)?;
    let mut warned = false;
    loop {
        let Some(blocked) = attempt(connection, exchange, &time)? else { return Ok(()) };
        let (database, Told { so_far, again }) = (connection.database(), told);
        let help = format!("let it end (see pg_stat_activity), then {again}");
        if begun.elapsed() > waiting.time_max {
            return Err(refused(database, format!("{so_far}, because {blocked}"), help));
        }
        if !warned {
            let seconds = waiting.time_max.as_secs();
            tracing::warn!(
                "database `{database}`: {blocked}; the exchange of the tables waits for it, {seconds} s at most"
            );
            warned = true;
        }
        if !patience::pause(PAUSE, waiting.stop) {
            let problem = format!("{so_far}, because the run was stopped while {blocked}");
            return Err(LoadError::Stopped { who: format!("database `{database}`"), problem, help });
        }
    }
}

/// One attempt; who is in the way, if somebody is. Nothing of an attempt that failed remains.
fn attempt(connection: &Connection, exchange: Exchange<'_>, time: &str) -> Result<Option<String>, LoadError> {
    let attempted = rename_at_once(connection, exchange, time);
    if matches!(attempted, Ok(None)) {
        return Ok(None);
    }
    connection.roll_back();
    match attempted {
        Err(LoadError::Postgres { error, .. }) if error.code().is_some_and(|code| code.code() == "55P03") => {
            holders(connection, exchange.locked).map(Some)
        }
        other => other,
    }
}

/// Renames, if no reader has an older view of the data; else says which one has.
///
/// A transaction that began before `time`, when the new rows were committed already, may have a view of the data from
/// before they were, and would find the new tables empty.
fn rename_at_once(connection: &Connection, exchange: Exchange<'_>, time: &str) -> Result<Option<String>, LoadError> {
    let Exchange { coming, renames, .. } = exchange;
    let run = |statement: &str| connection.run(DOING, connection.client.batch_execute(statement));
    run(&format!("BEGIN; SET LOCAL lock_timeout = '{LOCK_TIME}'; SET LOCAL synchronous_commit = on"))?;
    let live = "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE relkind IN ('r', 'p', 'v') AND nspname = $1 ORDER BY 1";
    let live = connection.run(DOING, connection.client.query(live, &[&LIVE.tables]))?;
    let live: Vec<String> = live.iter().map(|row| row.get(0)).collect();
    if !live.is_empty() {
        run(&format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", live.join(", ")))?;
    }
    let older = format!(
        "SELECT min(a.pid) FROM pg_stat_activity a, {}.checkpoint c
         WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type = 'client backend'
           AND a.xact_start < $1::text::timestamptz AND age(a.backend_xmin) >= age(c.xmin)",
        coming.state
    );
    let older: Option<i32> = connection.run(DOING, connection.client.query_one_scalar(&older, &[&time]))?;
    if let Some(pid) = older {
        return Ok(Some(format!("a transaction began before the new rows were there (server process {pid})")));
    }
    run(renames)?;
    run("COMMIT").map(|()| None)
}

/// Who holds locks on tables of these schemas, a moment after one wasn't given.
fn holders(connection: &Connection, locked: &[&str]) -> Result<String, LoadError> {
    let select = "SELECT string_agg(DISTINCT l.pid::text, ', ') FROM pg_locks l
                  JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
                  WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    AND l.granted AND l.pid <> pg_backend_pid() AND n.nspname = ANY ($1)";
    let pids: Option<String> = connection.run(DOING, connection.client.query_one_scalar(select, &[&locked]))?;
    Ok(match pids {
        Some(pids) => format!("a long transaction holds one of the tables (server process {pids})"),
        None => "transactions of readers hold the tables again and again".to_string(),
    })
}
