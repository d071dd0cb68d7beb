//! Opens a finished dump.
//!
//! In: a directory. Out: its tables with their parts, and their messages' descriptors. A dump without a manifest, of
//! another format, or with a part missing or of another length is refused here; what lies within the parts is checked
//! as they are read.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost_reflect::DescriptorPool;

use super::manifest::{self, MANIFEST_FILE, Manifest, PartInfo};
use super::progress::PROGRESS_FOLDER;
use super::schema_files::descriptors;
use super::{DumpError, Part, RowLayout, durable};
use crate::table::{TableName, TableSchema};

/// Manifests are far smaller, even of ten thousand tables.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// A finished dump.
#[derive(Debug)]
pub struct Dump {
    dir: PathBuf,
    manifest: Manifest,
    tables: Vec<DumpTable>,
    pool: DescriptorPool,
}

/// A table of a dump.
#[derive(Clone, Debug)]
pub struct DumpTable {
    /// Columns and key.
    pub schema: TableSchema,
    /// Its parts, in the order of their key ranges.
    pub parts: Vec<PartInfo>,
    /// What a reader should know: sentences.
    pub notes: Vec<String>,
    dir: PathBuf,
    layout: Arc<RowLayout>,
}

impl Dump {
    /// Opens the dump in `dir`.
    pub fn open(dir: &Path) -> Result<Dump, DumpError> {
        let manifest = read_manifest(dir)?;
        let tables: Vec<DumpTable> = manifest.tables.iter().map(|table| DumpTable::new(dir, table)).collect();
        for table in &tables {
            table.parts.iter().try_for_each(|part| check_length(dir, part))?;
        }
        // Made from the manifest, not read from `schema.binpb`: a damaged set makes the decoder panic.
        let schemas: Vec<TableSchema> = tables.iter().map(|table| table.schema.clone()).collect();
        let pool =
            descriptors(&schemas).map_err(|error| DumpError::invalid(&dir.join(MANIFEST_FILE), error.to_string()))?;
        Ok(Dump { dir: dir.to_path_buf(), manifest, tables, pool })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the dump says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its tables.
    pub fn tables(&self) -> &[DumpTable] {
        &self.tables
    }

    /// The same dump with the tables of another one behind its own. Manifest and fingerprint stay this one's.
    #[must_use]
    pub fn with_tables_of(mut self, other: Dump) -> Dump {
        self.tables.extend(other.tables);
        self
    }

    /// A table by its name in the source; without regard to case when none has just this name.
    pub fn table(&self, name: &TableName) -> Option<&DumpTable> {
        let fold = |name: &TableName| (name.schema.to_lowercase(), name.name.to_lowercase());
        let exact = self.tables.iter().find(|table| table.schema.name == *name);
        exact.or_else(|| self.tables.iter().find(|table| fold(&table.schema.name) == fold(name)))
    }

    /// The messages of all tables, [`TableSchema::full_name`] each.
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    /// The fingerprint of its data, in hexadecimal.
    pub fn fingerprint(&self) -> &str {
        &self.manifest.fingerprint
    }
}

impl DumpTable {
    pub(crate) fn new(dir: &Path, table: &manifest::ManifestTable) -> DumpTable {
        DumpTable {
            schema: table.schema.clone(),
            parts: table.parts.clone(),
            notes: table.notes.clone(),
            dir: dir.to_path_buf(),
            layout: Arc::new(RowLayout::new(&table.schema)),
        }
    }

    /// How its rows are encoded.
    pub fn layout(&self) -> &Arc<RowLayout> {
        &self.layout
    }

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

    /// Where a part (its place in `parts`) lies.
    ///
    /// # Panics
    ///
    /// When there is no such part.
    pub fn part_path(&self, part: usize) -> PathBuf {
        self.dir.join(&self.parts[part].file)
    }

    /// Opens a part (its place in `parts`), and checks its counts against the manifest.
    ///
    /// # Panics
    ///
    /// When there is no such part.
    pub fn open_part(&self, part: usize) -> Result<Part, DumpError> {
        let open = Part::open(&self.part_path(part), Arc::clone(&self.layout))?;
        self.check_counts(part, &open)?;
        Ok(open)
    }

    /// Whether a part is the one that the manifest counted.
    pub(crate) fn check_counts(&self, part: usize, open: &Part) -> Result<(), DumpError> {
        let summary = &self.parts[part].summary;
        let found = (open.rows(), open.footer().blocks, open.bytes(), open.content_bytes());
        let expected = (summary.rows, summary.blocks, summary.bytes, summary.content_bytes);
        match found == expected {
            true => Ok(()),
            false => {
                let problem = format!(
                    "it has {} rows in {} blocks, and the manifest says {} in {}",
                    found.0, found.1, expected.0, expected.1
                );
                Err(DumpError::damaged(open.path(), None, 0, problem))
            }
        }
    }
}

/// Reads the manifest, and says what is there instead when there is none.
pub(crate) fn read_manifest(dir: &Path) -> Result<Manifest, DumpError> {
    let path = dir.join(MANIFEST_FILE);
    let bytes = match durable::read_bounded(&path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(DumpError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            let dir = dir.to_path_buf();
            return Err(match dir.join(PROGRESS_FOLDER).exists() {
                true => DumpError::Unfinished { dir },
                false => DumpError::NotADump { dir },
            });
        }
        Err(error) => return Err(error),
    };
    manifest::parse(&bytes).map_err(|problem| DumpError::invalid(&path, problem))
}

fn check_length(dir: &Path, part: &PartInfo) -> Result<(), DumpError> {
    let path = dir.join(&part.file);
    let found = fs::metadata(&path).map_err(DumpError::io("look at", &path))?.len();
    let expected = part.summary.bytes;
    match found == expected {
        true => Ok(()),
        false => {
            let problem = format!("the file has {found} bytes, and the manifest says {expected}");
            Err(DumpError::damaged(&path, None, found.min(expected), problem))
        }
    }
}
