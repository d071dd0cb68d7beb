//! The checkpoint: how far a module's database has come, from what, and with which counts.
//!
//! It lives in the database itself, in `etl.checkpoint` (or beside it, for tables that are loaded beside the live ones),
//! and moves in the transaction that brings the rows. So rows and position can't disagree, whatever is killed when.

use std::collections::BTreeMap;

use etl_schemas::ticks::Ticks;
use serde::{Deserialize, Serialize};
use tokio_postgres::Statement;

use super::connection::Connection;
use super::{Origin, StreamFingerprint, database};
use crate::LoadError;

/// The layout below; a later one will know by it what it finds.
const FORMAT: i32 = 1;

/// In the schema that stands for `STATE`.
const TABLES: &str = "
CREATE SCHEMA STATE;
COMMENT ON SCHEMA STATE IS 'How far etl has loaded these tables; dropped with them.';
CREATE TABLE STATE.checkpoint (
    module       text        PRIMARY KEY,
    format       integer     NOT NULL,
    fingerprints jsonb       NOT NULL,
    position     bigint      NOT NULL,
    occurred_at  timestamptz,
    counts       jsonb       NOT NULL,
    complete     boolean     NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN STATE.checkpoint.position IS 'Every event up to this one has taken effect, or is in etl.rejected.';
COMMENT ON COLUMN STATE.checkpoint.complete IS 'The whole stream is loaded and the indexes are built.';
CREATE TABLE STATE.rejected (
    position    bigint      NOT NULL,
    event_id    uuid        NOT NULL,
    event_type  text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    stream      text        NOT NULL,
    key         text        NOT NULL,
    table_name  text        NOT NULL,
    reason      text        NOT NULL,
    body        bytea       NOT NULL
);
COMMENT ON TABLE STATE.rejected IS 'Events that could not become rows; body is the protobuf message.';";

/// Counts over all runs; they add up to the checkpoint's position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    /// Events that became a row.
    pub(super) taken: u64,
    /// Events of types that the module doesn't take.
    pub(super) passed_over: u64,
    /// Events in `etl.rejected`.
    pub(super) rejected: u64,
    /// Rows by table.
    pub(super) rows: BTreeMap<String, u64>,
}

/// A row of `etl.checkpoint`.
#[derive(Clone, Debug)]
pub(super) struct Checkpoint {
    pub(super) position: u64,
    pub(super) counts: Counts,
    pub(super) complete: bool,
}

/// What a database was loaded from, by part.
pub(super) type Fingerprints = BTreeMap<String, String>;

/// Of the stream and the module.
pub(super) fn fingerprints(stream: &StreamFingerprint, module: String) -> Fingerprints {
    let parts = [("dump", stream.dump.clone()), ("mappings", stream.mappings.clone()), ("module", module)];
    parts.map(|(part, fingerprint)| (part.to_string(), fingerprint)).into()
}

impl Checkpoint {
    /// Makes the tables and the row, within the caller's transaction.
    pub(super) fn create(
        connection: &Connection,
        module: &str,
        fingerprints: &Fingerprints,
    ) -> Result<Checkpoint, LoadError> {
        let checkpoint = Checkpoint { position: 0, counts: Counts::default(), complete: false };
        let state = connection.generation.state;
        let insert = &format!(
            "INSERT INTO {state}.checkpoint (module, format, fingerprints, position, counts, complete)
             VALUES ($1, $2, $3::text::jsonb, 0, $4::text::jsonb, false)"
        );
        let (fingerprints, counts) = (json(fingerprints), json(&checkpoint.counts));
        let doing = "creating the checkpoint";
        connection.run(doing, connection.client.batch_execute(&TABLES.replace("STATE", state)))?;
        connection
            .run(doing, connection.client.execute(insert, &[&module, &FORMAT, &fingerprints, &counts]))
            .map(|_| checkpoint)
    }

    /// Reads the row, and refuses one that was made from something else than what comes now, from `origin`.
    pub(super) fn resume(
        connection: &Connection,
        module: &str,
        fingerprints: &Fingerprints,
        origin: Origin,
    ) -> Result<Checkpoint, LoadError> {
        let select = format!(
            "SELECT format, fingerprints::text, position, counts::text, complete FROM {}.checkpoint WHERE module = $1",
            connection.generation.state
        );
        let row = connection.run("reading the checkpoint", connection.client.query_opt(&select, &[&module]))?;
        let refused = |problem: String| {
            let help = load_anew(module, origin);
            Err(database::refused(connection.database(), problem, help))
        };
        let Some(row) = row else {
            return refused(format!("it belongs to another module than `{module}`"));
        };
        if row.get::<_, i32>(0) != FORMAT {
            return refused("its checkpoint was written by another version of etl".to_string());
        }
        let found: Option<Fingerprints> = serde_json::from_str(row.get(1)).ok();
        let counts: Option<Counts> = serde_json::from_str(row.get(3)).ok();
        let (Some(found), Some(counts), Ok(position)) = (found, counts, u64::try_from(row.get::<_, i64>(2))) else {
            return refused("its checkpoint was changed by hand and can't be read".to_string());
        };
        let changed: Vec<&str> = fingerprints
            .iter()
            .filter(|(part, now)| found.get(*part) != Some(now))
            .map(|(part, _)| part.as_str())
            .collect();
        if !changed.is_empty() {
            let verb = if changed.len() == 1 { "has" } else { "have" };
            return refused(format!("the {} {verb} changed since it was loaded", changed.join(" and the ")));
        }
        Ok(Checkpoint { position, counts, complete: row.get(4) })
    }
}

/// What to do about a database that was loaded from something else.
pub(super) fn load_anew(module: &str, origin: Origin) -> String {
    match origin {
        Origin::Dump => "load it anew with --if-exists replace, or seed from what it was loaded from".to_string(),
        Origin::Queue => format!(
            "drop it with `etl reset --to TARGET --module {module}`, then consume again; if the queue doesn't hold the first events \
             any more, publish anew with `etl seed --if-exists replace`"
        ),
    }
}

/// Moves the checkpoint, within the caller's transaction.
pub(super) struct Mover {
    statement: Statement,
    module: String,
}

impl Mover {
    pub(super) fn prepare(connection: &Connection, module: &str) -> Result<Mover, LoadError> {
        // The old position is a condition: were anybody else to move it, we would notice and not commit.
        let update = format!(
            "UPDATE {}.checkpoint
             SET position = $2, occurred_at = $3::text::timestamptz, counts = $4::text::jsonb, updated_at = now()
             WHERE module = $1 AND position = $5 AND NOT complete",
            connection.generation.state
        );
        let statement = connection.run("preparing the checkpoint", connection.client.prepare(&update))?;
        Ok(Mover { statement, module: module.to_string() })
    }

    pub(super) fn move_on(
        &self,
        connection: &Connection,
        from: u64,
        to: u64,
        occurred_at: Ticks,
        counts: &Counts,
    ) -> Result<(), LoadError> {
        let (time, counts) = (format!("{occurred_at}Z"), json(counts));
        let (from, to) = (position(from), position(to));
        let update =
            async { connection.client.execute(&self.statement, &[&self.module, &to, &time, &counts, &from]).await };
        match connection.run("moving the checkpoint", update)? {
            1 => Ok(()),
            _ => Err(database::refused(
                connection.database(),
                "its checkpoint was moved by somebody else; this transaction was not committed",
                "let one loader at a time work on it, then run the same command again",
            )),
        }
    }

    /// Marks the database as complete, within the caller's transaction, with its last counts.
    pub(super) fn complete(&self, connection: &Connection, counts: &Counts) -> Result<(), LoadError> {
        let update = format!(
            "UPDATE {}.checkpoint SET complete = true, counts = $2::text::jsonb, updated_at = now() WHERE module = $1",
            connection.generation.state
        );
        let counts = json(counts);
        let update = async { connection.client.execute(&update, &[&self.module, &counts]).await };
        connection.run("completing the checkpoint", update).map(|_| ())
    }
}

fn position(position: u64) -> i64 {
    i64::try_from(position).expect("nobody counts to 9,223,372,036,854,775,807 events")
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("maps of text and numbers are JSON")
}
