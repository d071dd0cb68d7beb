//! What can go wrong while loading. The kind decides what a caller does: all but [`LoadError::BrokenPipe`] are shown to
//! the user, and after any of them what was committed stays and a resumed run goes on behind it.

use std::path::PathBuf;

use etl_schemas::diagnostic::Diagnostic;
use thiserror::Error;

use crate::postgres;

/// Why a sink can't be opened or can't go on.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A module's files say what can't be; each diagnostic has its place.
    #[error("{}", join(.0))]
    Invalid(Vec<Diagnostic>),
    /// A module's file can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The target's URL can't be used. Neither text ever shows a password.
    #[error("{problem}; {help}")]
    Target {
        /// What is wrong with it.
        problem: String,
        /// What would be right.
        help: String,
    },
    /// The server can't be reached or doesn't let us in.
    #[error("{server}: {problem}; {help}")]
    Connect {
        /// `postgres://user@host:port`
        server: String,
        /// Why.
        problem: String,
        /// What to do.
        help: String,
        /// Whether trying again later may help: nobody answers, or the server is starting.
        may_pass: bool,
    },
    /// A database is not in the state that would let us load it: somebody else's, loaded from another dump, in use.
    #[error("database `{database}`: {problem}; {help}")]
    Database {
        /// The database.
        database: String,
        /// What is in the way.
        problem: String,
        /// What to do.
        help: String,
    },
    /// Another loader is at work on a database.
    #[error(
        "database `{database}`: another loader is at work on it (server process {process}); wait for it, or end it \
         with pg_terminate_backend"
    )]
    Busy {
        /// The database.
        database: String,
        /// The other's server process.
        process: String,
        /// Whether it is waited for: of a queue's consumers one takes over where another may not have ended yet.
        may_pass: bool,
    },
    /// The server refused a statement, or the connection broke while it ran.
    #[error("database `{database}`, {doing}: {problem}; {help}")]
    Postgres {
        /// The database.
        database: String,
        /// What was being done.
        doing: String,
        /// What the server or the connection said.
        problem: String,
        /// What to do.
        help: String,
        /// The client's error. It isn't the `source()`, because `problem` has its text already.
        error: Box<tokio_postgres::Error>,
    },
    /// The broker refused something, or the connection to it broke.
    #[error("{broker}, {doing}: {problem}; {help}")]
    Broker {
        /// `amqp://user@host:port/virtual host`
        broker: Box<str>,
        /// What was being done.
        doing: String,
        /// What the broker or the connection said.
        problem: String,
        /// What to do.
        help: String,
        /// Whether trying again later may help.
        may_pass: bool,
    },
    /// The run was stopped while something was waited for. What was committed stays.
    #[error("{who}: {problem}; {help}")]
    Stopped {
        /// Who waited, or where.
        who: String,
        /// What for.
        problem: String,
        /// How to go on.
        help: String,
    },
    /// More events were rejected than the options allow. `place` lists them.
    #[error(
        "{sink}: {rejected} events rejected, {allowed} allowed; the last: {last}; look into {place}, then repair \
         the mappings or allow more"
    )]
    TooManyRejects {
        /// The sink.
        sink: String,
        /// How many so far, over all runs.
        rejected: u64,
        /// How many the options allow.
        allowed: u64,
        /// Position and reason of the last one.
        last: String,
        /// Where all of them are listed.
        place: String,
    },
    /// Events are missing between what the sink has and what it was given: a fault of the stream, never of the data.
    #[error(
        "{sink}: event {found} came where event {expected} was due; the stream is broken, nothing of it was loaded"
    )]
    Gap {
        /// The sink.
        sink: String,
        /// Position that was due.
        expected: u64,
        /// Position that came.
        found: u64,
    },
    /// The server has lost commits that it had confirmed, which it may where `synchronous_commit` is off. Whoever drives
    /// the sink hands over the events behind `position` once more.
    #[error("{sink}: the server has lost what it had confirmed behind event {position}; it is loaded again")]
    WentBack {
        /// The sink.
        sink: String,
        /// Position of the last event that is still there.
        position: u64,
    },
    /// The reader of our output went away (`etl events | head`): no failure of ours, to be ended quietly.
    #[error("{sink}: nobody reads the output any more")]
    BrokenPipe {
        /// The sink.
        sink: String,
    },
    /// Output can't be written.
    #[error("{sink}: {source}; is the disk full, or the folder gone?")]
    Write {
        /// The sink.
        sink: String,
        /// Why.
        source: std::io::Error,
    },
}

impl LoadError {
    /// Whether trying again later may help: the connection broke, the server went away or comes up again, it is short of
    /// something (disk, memory, connections), or somebody else's lock or transaction was in the way.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            LoadError::Connect { may_pass, .. }
            | LoadError::Broker { may_pass, .. }
            | LoadError::Busy { may_pass, .. } => *may_pass,
            LoadError::Postgres { error, .. } => postgres::may_pass(error),
            _ => false,
        }
    }
}

fn join(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}
