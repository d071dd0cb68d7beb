//! What can go wrong, and what to do about it.

use std::io;
use std::path::PathBuf;

use etl_schemas::diagnostic::Diagnostic;
use etl_schemas::dump::DumpError;
use thiserror::Error;

/// Why mappings don't compile or a run stopped.
#[derive(Debug, Error)]
pub enum TransformError {
    /// A mapping file or its folder can't be read.
    #[error("{}: {source}", path.display())]
    Mappings {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is nothing to run.
    #[error("{}: no mappings here; write INSERT INTO <event> SELECT ... into a .sql file", folder.display())]
    NoMappings {
        /// The folder.
        folder: PathBuf,
    },
    /// The project's time zone isn't known.
    #[error("etl.toml: time zone `{name}` under [source] is not known; {help}")]
    TimeZone {
        /// The name.
        name: String,
        /// What would be right.
        help: String,
    },
    /// Mappings that don't compile: everything that is wrong, in the order of files and lines.
    #[error("{}", shown(.0))]
    Invalid(Vec<Diagnostic>),
    /// The dump lacks a table or a column that the mappings were compiled with.
    #[error("the dump in {} doesn't fit the mappings: {message}; compile them against this dump", dump.display())]
    OtherDump {
        /// The dump's folder.
        dump: PathBuf,
        /// What doesn't fit.
        message: String,
    },
    /// A dump that can't be read, or is damaged.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// A lookup doesn't fit into memory.
    #[error(
        "lookup {table} needs more than {limit_bytes} bytes of memory ({rows} rows were read so far); give the run \
         more memory, or join a smaller table"
    )]
    LookupTooLarge {
        /// The table.
        table: String,
        /// Rows that fitted.
        rows: u64,
        /// What a lookup may take.
        limit_bytes: usize,
    },
    /// A row of a lookup that can't be used.
    #[error("{}: block {block}, row {row}: lookup {table}: {message}", part.display())]
    Lookup {
        /// The table.
        table: String,
        /// The part's file.
        part: PathBuf,
        /// Place of the block in the part.
        block: usize,
        /// Place of the row in the block.
        row: u64,
        /// What is wrong with it.
        message: String,
    },
    /// Spill files or quarantine files can't be written or read.
    #[error("{}: {source}", path.display())]
    Work {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A spill file isn't what was written to it.
    #[error("{}: the spill file was changed or damaged at byte {offset}; look at the disk and run again", path.display())]
    Spill {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
    },
    /// More rows were rejected than the run allows.
    #[error(
        "{rejects} rows were rejected, {max_rejects} are allowed; the last one: {last}; see the quarantine in {}",
        folder.display()
    )]
    TooManyRejects {
        /// Rejected so far.
        rejects: u64,
        /// Allowed.
        max_rejects: u64,
        /// The last reason.
        last: String,
        /// Where the quarantine lies.
        folder: PathBuf,
    },
    /// An event came after a later one had been released. This can't happen; if it does, nothing more is released.
    #[error("event out of order: {event} came after {released}; this is a defect of the program, please report it")]
    OutOfOrder {
        /// The event that came too late.
        event: String,
        /// What had been released.
        released: String,
    },
    /// A key of two events: ids are made from it, so both would have one id.
    #[error(
        "two events {event} have the same key at different times, and so the same id: {first}; and {second}; make `key` \
         of the mapping tell these rows apart"
    )]
    RepeatedKey {
        /// The type.
        event: String,
        /// Where the first comes from: file, block, row, mapping, time.
        first: String,
        /// The same of the second.
        second: String,
    },
    /// There is no such row to explain.
    #[error("{message}")]
    Explain {
        /// What is asked for and isn't there, and how to ask.
        message: String,
    },
    /// A thread can't be started.
    #[error("a worker thread can't be started: {0}")]
    Thread(#[source] io::Error),
    /// A worker died of a defect.
    #[error("a worker died at {at}; this is a defect of the program, please report it")]
    Panicked {
        /// What it was at.
        at: String,
    },
}

fn shown(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")
}
