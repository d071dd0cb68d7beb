//! What a dump says of itself: where it comes from, its tables, their parts, and a fingerprint of the data.
//!
//! In: `manifest.json`. Out: a [`Manifest`] whose tables are the catalog's own types again. A manifest of an unknown
//! major version, with a path that leads out of the dump, or with names and counts that can't be, is refused whole.

mod fingerprint;
mod json;
mod parse;
mod type_text;

use uuid::Uuid;

pub(crate) use fingerprint::{describe_table, fingerprint};
pub(crate) use json::{PartJson, to_json};
pub(crate) use parse::{parse, stays_within};

use super::PartSummary;
use crate::table::{TableName, TableSchema};
use crate::ticks::Ticks;
use crate::uuid5::uuid5;

/// The manifest's name in a dump.
pub const MANIFEST_FILE: &str = "manifest.json";
/// The format's version that is written: a reader of the same major version reads it.
pub const FORMAT_VERSION: (u32, u32) = (1, 0);

/// Namespace of dump ids: UUIDv5 of "etl dump" in the nil UUID.
const ID_NAMESPACE: Uuid = Uuid::from_u128(0xb6e0_2004_9b17_5d44_b7cc_80e4_149c_22ed);

/// Where the rows come from, and when and how they were read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// Host and port, never a password.
    pub server: String,
    /// The server's product version, `15.0.4153.1`.
    pub version: String,
    /// The server's edition.
    pub edition: String,
    /// The database.
    pub database: String,
    /// The database's collation.
    pub collation: String,
    /// How consistent rows are with each other, `read-committed`.
    pub consistency: String,
    /// When reading began, in UTC.
    pub started_at: Ticks,
    /// When the last part was read, in UTC.
    pub finished_at: Ticks,
}

/// The keys that a part holds: those after `after` up to and including `through`, as the texts of the key's leading
/// columns, as many of them as the ranges are cut on. An empty list is an open end; a table in one part has two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The last key before the part.
    pub after: Vec<String>,
    /// The last key that may be in the part.
    pub through: Vec<String>,
}

/// A part as the manifest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// Path within the dump, with forward slashes: `dbo.Messages/00000.pb.gz`.
    pub file: String,
    /// The keys it holds.
    pub range: KeyRange,
    /// Rows, bytes, checksums.
    pub summary: PartSummary,
    /// Characters that couldn't be carried and were replaced (lone surrogates, bytes outside the code page).
    pub replaced_characters: u64,
}

/// A table as the manifest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestTable {
    /// Columns and key.
    pub schema: TableSchema,
    /// The folder of its parts within the dump.
    pub folder: String,
    /// Its parts, in the order of their key ranges.
    pub parts: Vec<PartInfo>,
    /// What a reader should know: sentences.
    pub notes: Vec<String>,
}

impl ManifestTable {
    /// Rows of all parts.
    pub fn rows(&self) -> u64 {
        self.parts.iter().map(|part| part.summary.rows).sum()
    }

    /// Bytes of all parts' files.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.summary.bytes).sum()
    }

    /// Bytes of all parts before compression.
    pub fn content_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.summary.content_bytes).sum()
    }
}

/// A dump's own description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Major and minor version of the format.
    pub version: (u32, u32),
    /// The dump's id: made from the fingerprint, so dumps of the same data have the same one.
    pub id: Uuid,
    /// SHA-256 over tables, columns, keys and parts, in hexadecimal: what checkpoints name. It doesn't depend on when,
    /// where and by which version of the tool the dump was made.
    pub fingerprint: String,
    /// Name and version of the tool that wrote it.
    pub tool: String,
    /// Where the rows come from.
    pub source: SourceInfo,
    /// The tables.
    pub tables: Vec<ManifestTable>,
}

impl Manifest {
    /// Of this source and these tables.
    pub(crate) fn new(source: SourceInfo, tables: Vec<ManifestTable>) -> Manifest {
        let fingerprint = fingerprint(&tables);
        Manifest {
            version: FORMAT_VERSION,
            id: dump_id(&fingerprint),
            fingerprint,
            tool: format!("etl {}", env!("CARGO_PKG_VERSION")),
            source,
            tables,
        }
    }

    /// A table by its name.
    pub fn table(&self, name: &TableName) -> Option<&ManifestTable> {
        self.tables.iter().find(|table| table.schema.name == *name)
    }

    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(ManifestTable::rows).sum()
    }

    /// Bytes of all parts' files.
    pub fn bytes(&self) -> u64 {
        self.tables.iter().map(ManifestTable::bytes).sum()
    }
}

/// The id of a dump with this fingerprint.
pub(crate) fn dump_id(fingerprint: &str) -> Uuid {
    uuid5(&ID_NAMESPACE, fingerprint.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_is_what_its_comment_says() {
        assert_eq!(uuid5(&Uuid::nil(), b"etl dump"), ID_NAMESPACE);
    }
}
