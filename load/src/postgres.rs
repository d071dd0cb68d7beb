//! Events into Postgres: a database per module, every event exactly once.
//!
//! In: batches in total order, and a module that says which events go into which tables. Out: rows by binary COPY, and
//! in the same transaction the checkpoint, so that a kill at any moment leaves either both or neither. What Postgres
//! would refuse is found before it is sent, and what it refuses all the same is found by its row; either way the event
//! goes to `etl.rejected` with its reason, and the others load. A database that isn't ours is never written to.

mod catalog;
mod checkpoint;
mod connection;
mod copy;
mod database;
mod encode;
mod encryption;
mod failure;
mod generation;
mod history;
mod loader;
mod numeric;
mod plan;
mod stages;
mod staging;
mod target;
mod trial;

pub(crate) use failure::may_pass;
pub use history::{Described, reset, roll_back};
pub use loader::PostgresSink;
pub use target::PostgresTarget;
pub use trial::{check, try_out};

use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// What to do with a module's database that exists and was loaded by us. One that exists and is empty is always used,
/// and one that holds anything else is always refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfExists {
    /// Refuse it.
    Fail,
    /// Go on behind its checkpoint; refuse it when it was loaded from something else.
    Resume,
    /// Load anew beside the live tables, and exchange them when all is complete. One that never became complete is
    /// dropped at once.
    Replace,
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As the server is set up; usually until it is on disk.
    Server,
    /// Nothing (`synchronous_commit = off`). When the server crashes, the last commits may be gone; they are then loaded
    /// again. The last commit of all waits for the disk, and with it everything before.
    Relaxed,
}

/// Where a loader's events come from. What to do differs when a database was loaded from something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `etl seed` reads them from the dump, all of them in each run.
    Dump,
    /// `etl consume` takes them from the module's queue, which may not hold the first ones any more.
    Queue,
}

/// For who never stops a run.
static NEVER: AtomicBool = AtomicBool::new(false);

/// How modules are loaded.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// What to do with a database that exists.
    pub if_exists: IfExists,
    /// Where the events come from.
    pub origin: Origin,
    /// Put before the module's name to make the database's: `staging_` and `chat` make `staging_chat`.
    pub database_prefix: String,
    /// Rows in one transaction.
    pub rows_per_transaction: usize,
    /// Encoded bytes in one transaction, after which it is committed however few its rows are.
    pub bytes_per_transaction: usize,
    /// What a commit waits for.
    pub durability: Durability,
    /// How long a fault that may pass is waited out (a server that restarts, a full disk, a lock), from the last commit.
    pub retry_time_max: Duration,
    /// How long a lock of somebody else is waited for at a time.
    pub lock_time_max: Duration,
    /// Ends waiting when it is raised.
    pub stop: &'static AtomicBool,
    /// Rejected events past which loading stops; `None` for no limit.
    pub rejects_max: Option<u64>,
}

/// What the encoded rows of all modules may take together. Each has two transactions: one that is encoded, one on its way.
const ROWS_BYTES: usize = 192 << 20;

impl PostgresOptions {
    /// The same for one of several modules that are loaded at once: the more there are, the smaller are transactions.
    #[must_use]
    pub fn one_of(self, modules: usize) -> PostgresOptions {
        let share = ROWS_BYTES / (2 * modules.max(1));
        PostgresOptions { bytes_per_transaction: self.bytes_per_transaction.min(share), ..self }
    }
}

impl Default for PostgresOptions {
    fn default() -> PostgresOptions {
        PostgresOptions {
            if_exists: IfExists::Resume,
            origin: Origin::Dump,
            database_prefix: String::new(),
            rows_per_transaction: 50_000,
            bytes_per_transaction: 16 << 20,
            durability: Durability::Server,
            retry_time_max: Duration::from_secs(300),
            lock_time_max: Duration::from_secs(10),
            stop: &NEVER,
            rejects_max: None,
        }
    }
}

/// What the stream is made from. Kept in the checkpoint, so that a run from anything else is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamFingerprint {
    /// Of the dump's manifest.
    pub dump: String,
    /// Of the mappings and event types.
    pub mappings: String,
}

/// A name as SQL wants it, whatever its letters.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_modules_share_the_room_for_rows() {
        let megabytes = |modules| PostgresOptions::default().one_of(modules).bytes_per_transaction >> 20;
        assert_eq!([megabytes(0), megabytes(1), megabytes(6), megabytes(12), megabytes(96)], [16, 16, 16, 8, 1]);
    }
}
