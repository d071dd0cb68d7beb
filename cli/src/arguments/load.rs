//! Into module databases, and back.

use clap::{Args, ValueEnum};

use super::broker::PublishArguments;
use super::events::TransformArguments;

/// What to do with what an earlier run has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IfExists {
    /// Go on where an earlier run of the same dump and project stopped; a file is written from the start
    Resume,
    /// Stop before anything is changed, also when a file exists
    Fail,
    /// Load anew beside the live tables and exchange them at the end, unseen by readers; what was live is kept for
    /// `etl rollback`. A file is written from the start
    Replace,
}

/// What a commit waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// As the server is set up; usually until it is on disk
    Server,
    /// Nothing (synchronous_commit = off): faster on slow disks; what a crash of the server takes is loaded again
    Relaxed,
}

/// Load the events into the modules' databases, or write them elsewhere; goes on where it stopped when run again
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl seed --from dumps/fi --to staging\n  \
                        etl seed --from dumps/fi --to postgres://etl@127.0.0.1:5432 --module chat\n  \
                        etl seed --from dumps/fi --to amqp://etl@127.0.0.1/live --rate 5000\n  \
                        etl seed --from dumps/fi --to jsonl:- | head\n  \
                        etl seed --from dumps/fi --to null:         # how fast is everything before the target?")]
pub(crate) struct SeedArguments {
    #[command(flatten)]
    pub(crate) transform: TransformArguments,
    /// A target of etl.toml by name, postgres://user@host:port, amqp://user@host:port/virtual-host, jsonl:FILE, jsonl:-
    /// or null:
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: String,
    /// Load only this module's database; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Vec<String>,
    /// What to do with module databases, messages or a file of an earlier run
    #[arg(long, value_enum, default_value_t = IfExists::Resume)]
    pub(crate) if_exists: IfExists,
    /// What a commit waits for; the last one of a module waits for the disk in any case
    #[arg(long, value_enum, default_value_t = Durability::Server)]
    pub(crate) durability: Durability,
    /// How many seconds a fault that may pass is waited out, from the last commit: a server that restarts, a broken
    /// connection, a full disk, a lock
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) retry_for: u64,
    #[command(flatten)]
    pub(crate) publish: PublishArguments,
    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Make the tables live again that were live before the last `etl seed --if-exists replace`
///
/// Readers see the change at one moment, and no query fails. What was live is kept, so a second rollback undoes the first.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl rollback --to staging\n  etl rollback --to staging --module chat")]
pub(crate) struct RollbackArguments {
    /// A target of etl.toml by name, or postgres://user@host:port
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: String,
    /// Only this module; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) module: Vec<String>,
    /// How many seconds readers that are in the middle of the tables are waited for
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) retry_for: u64,
    /// Print what is live now as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Drop modules' databases, or only the tables that were live before
///
/// Only databases that etl has loaded are dropped, and only while nobody is connected to them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  etl reset --to staging --module chat\n  \
                        etl reset --to staging --module chat --previous    # frees the disk space of the previous tables")]
pub(crate) struct ResetArguments {
    /// A target of etl.toml by name, or postgres://user@host:port
    #[arg(long, value_name = "TARGET")]
    pub(crate) to: String,
    /// The module; may be given several times
    #[arg(long, value_name = "NAME", required = true)]
    pub(crate) module: Vec<String>,
    /// Drop only the tables that were live before the last replace; `etl rollback` can't go back to them then
    #[arg(long)]
    pub(crate) previous: bool,
}
