//! Writes a part: blocks one behind another, the footer, the index.
//!
//! Until [`PartWriter::finish`] the part has another name, and it is removed when the writer is dropped before. So a
//! file `*.pb.gz` is whole.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::layout::RowLayout;
use super::member::{CompressedBlock, Footer};
use super::part::BlockEntry;
use super::{DumpError, durable, index};

/// What a finished part holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSummary {
    /// Number of rows.
    pub rows: u64,
    /// Number of blocks.
    pub blocks: u32,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes before compression.
    pub content_bytes: u64,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// SHA-256 of its index.
    pub index_sha256: String,
}

/// A part on its way to the disk.
#[derive(Debug)]
pub struct PartWriter {
    path: PathBuf,
    unfinished: PathBuf,
    file: File,
    layout: Arc<RowLayout>,
    sha256: Sha256,
    bytes: u64,
    footer: Footer,
    blocks: Vec<BlockEntry>,
}

impl PartWriter {
    /// Begins a part that is to be called `path` (`.../00000.pb.gz`); its folder must be there.
    pub fn create(path: &Path, layout: Arc<RowLayout>) -> Result<PartWriter, DumpError> {
        let unfinished = durable::unfinished_path(path);
        let file = File::create(&unfinished).map_err(DumpError::io("create the file", &unfinished))?;
        Ok(PartWriter {
            path: path.to_path_buf(),
            unfinished,
            file,
            layout,
            sha256: Sha256::new(),
            bytes: 0,
            footer: Footer::default(),
            blocks: Vec::new(),
        })
    }

    /// Adds a block. One without rows is left out.
    pub fn append(&mut self, block: &CompressedBlock) -> Result<(), DumpError> {
        if block.rows == 0 {
            return Ok(());
        }
        let offset = self.bytes;
        self.write(&block.bytes)?;
        self.footer.rows += u64::from(block.rows);
        self.footer.content_bytes += u64::from(block.content_bytes);
        self.footer.blocks += 1;
        self.blocks.push(BlockEntry {
            offset,
            member_bytes: block.bytes.len() as u32,
            content_bytes: block.content_bytes,
            rows: block.rows,
            zones: block.zones.clone(),
        });
        Ok(())
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.footer.rows
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes footer and index, syncs both files, and gives them their names.
    pub fn finish(mut self) -> Result<PartSummary, DumpError> {
        self.write(&self.footer.to_bytes())?;
        self.file.sync_all().map_err(DumpError::io("sync", &self.unfinished))?;
        let index = index::encode(&self.layout, self.bytes, &self.blocks);
        durable::write(&index::index_path(&self.path), &index)?;
        durable::rename(&self.unfinished, &self.path)?;
        Ok(PartSummary {
            rows: self.footer.rows,
            blocks: self.footer.blocks,
            bytes: self.bytes,
            content_bytes: self.footer.content_bytes,
            sha256: hex(&self.sha256.finalize_reset()),
            index_sha256: sha256_hex(&index),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DumpError> {
        self.file.write_all(bytes).map_err(DumpError::io("write", &self.unfinished))?;
        self.sha256.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        // After `finish` the name is gone already; whatever else keeps the file from being removed, the next run
        // clears it away, and there is nobody here to tell.
        let _ = fs::remove_file(&self.unfinished);
    }
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all that is written");
        text
    })
}
