//! The dump format, version 1: how tables lie on disk between extract and transform. `docs/dump-format.md` has the
//! byte layouts.
//!
//! In, when writing: values of rows, column by column ([`BlockBuilder`]), which become blocks of about 1 MiB,
//! gzip members ([`Compressor`]), parts ([`PartWriter`]) and at last a dump ([`DumpWriter`]).
//! In, when reading: a directory ([`Dump`]). Out: blocks of whole rows ([`Part::read`]), and their values
//! ([`RowReader`]).
//!
//! What can't happen: a part that was cut off, a flipped bit, a wrong count or a row beyond its block is never read as
//! data. It ends in a [`DumpError`] that names file, block and offset; no length is trusted before it is bounded.

mod block;
mod checksums;
mod deflater;
mod durable;
mod error;
mod folder;
mod index;
mod layout;
mod manifest;
mod member;
mod part;
mod part_writer;
mod progress;
mod reader;
mod row;
mod row_json;
mod scan;
mod schema_files;
mod tail;
mod verify;
mod writer;
mod zone;

pub use block::{Block, BlockBuilder};
pub use error::DumpError;
pub use layout::{RowLayout, field_number};
pub use manifest::{FORMAT_VERSION, KeyRange, MANIFEST_FILE, Manifest, ManifestTable, PartInfo, SourceInfo};
pub use member::{CompressedBlock, Compressor, Level};
pub use part::{BlockBuffer, BlockEntry, Part};
pub use part_writer::{PartSummary, PartWriter};
pub use progress::PartRecord;
pub use reader::{Dump, DumpTable};
pub use row::{Cell, CellSink, RowError, RowReader};
pub use row_json::RowJson;
pub use verify::{Finding, VerifyReport, verify};
pub use writer::{DumpWriter, FinishedTable};
pub use zone::Zone;

/// A block is closed by the row that brings its content to this size.
pub const BLOCK_TARGET_BYTES: usize = 1 << 20;

/// The largest row, in bytes of its message. A larger one is refused when it is written.
pub const ROW_BYTES_MAX: usize = 64 << 20;

/// The largest content of a block: a reader never allocates more for one. A block that is one byte short of its
/// target takes one more row, with its length of at most five bytes.
pub const CONTENT_BYTES_MAX: usize = BLOCK_TARGET_BYTES + ROW_BYTES_MAX + 5;

#[cfg(test)]
mod samples;
