//! What goes wrong with a dump, where, and what to do next.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::row::RowError;
use crate::table::TableName;

/// Why a dump can't be written or read.
#[derive(Debug, Error)]
pub enum DumpError {
    /// The file system refuses.
    #[error("{}: can't {action}: {source}", path.display())]
    Io {
        /// What was tried, as in "can't open".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A part isn't what was written.
    #[error("{}: {} at byte {offset}: {problem}; fetch the file anew from where the dump was made, or extract again", path.display(), block_name(*block))]
    Damaged {
        /// The part.
        path: PathBuf,
        /// The block, counted from 0; `None` for the part as a whole.
        block: Option<usize>,
        /// Where in the file the block (or what is wrong) begins.
        offset: u64,
        /// What is wrong.
        problem: String,
    },
    /// A row doesn't decode by its table's schema.
    #[error("{}: block {block}, row {row}: {source}; fetch the file anew from where the dump was made, or extract again", path.display())]
    Row {
        /// The part.
        path: PathBuf,
        /// The block, counted from 0.
        block: usize,
        /// The row within the block, counted from 0.
        row: u64,
        /// What is wrong, with the column's name.
        source: RowError,
    },
    /// A row is larger than [`ROW_BYTES_MAX`](super::ROW_BYTES_MAX).
    #[error(
        "{table}: row {row} has {bytes} bytes, and a dump carries rows of up to {} bytes; leave the table out, or shorten the row",
        super::ROW_BYTES_MAX
    )]
    RowTooLarge {
        /// The table.
        table: TableName,
        /// The row, counted from 0 within its part.
        row: u64,
        /// Bytes of the row's message, at least.
        bytes: u64,
    },
    /// A file of the dump other than a part says what can't be.
    #[error("{}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The dump was never finished.
    #[error("{}: this dump isn't finished; run the same `etl extract` again, and it goes on where it stopped", dir.display())]
    Unfinished {
        /// The dump's directory.
        dir: PathBuf,
    },
    /// There is no dump here.
    #[error("{}: there is no dump here (no manifest.json); name the directory that `etl extract --out` wrote", dir.display())]
    NotADump {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory can't take a new dump.
    #[error("{}: {problem}", dir.display())]
    Occupied {
        /// The directory.
        dir: PathBuf,
        /// What is there and what to do.
        problem: String,
    },
    /// An unfinished dump was begun by another plan.
    #[error("{}: this unfinished dump was begun by another plan, so its parts can't be kept: {change}; undo the change, or begin anew with --restart", dir.display())]
    PlanChanged {
        /// The dump's directory.
        dir: PathBuf,
        /// The first line that differs, before and now.
        change: String,
    },
    /// A table can't be described in protobuf.
    #[error("the tables' protobuf schema doesn't compile: {problem}")]
    Schema {
        /// The compiler's message.
        problem: String,
    },
    /// The dump was to be finished before all its parts were recorded.
    #[error("{table}: part {part} is missing, so the dump can't be finished; run the same `etl extract` again")]
    MissingPart {
        /// The table.
        table: TableName,
        /// The part's number.
        part: u32,
    },
}

fn block_name(block: Option<usize>) -> String {
    block.map_or_else(|| "the part".to_string(), |block| format!("block {block}"))
}

impl DumpError {
    /// For `map_err` on file operations.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> DumpError {
        move |source| DumpError::Io { action, path: path.to_path_buf(), source }
    }

    pub(crate) fn damaged(path: &Path, block: Option<usize>, offset: u64, problem: impl Into<String>) -> DumpError {
        DumpError::Damaged { path: path.to_path_buf(), block, offset, problem: problem.into() }
    }

    pub(crate) fn invalid(path: &Path, problem: impl Into<String>) -> DumpError {
        DumpError::Invalid { path: path.to_path_buf(), problem: problem.into() }
    }
}
