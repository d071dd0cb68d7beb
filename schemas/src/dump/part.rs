//! Reads a part: block by block, in any order, by many threads at once.
//!
//! What can't happen: [`Part::open`] takes no part without its footer, and [`Part::read`] gives no block whose checksums,
//! lengths or row count are wrong. So whoever walks the rows of a [`BlockBuffer`] has no error to expect.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libdeflater::Decompressor;

use super::layout::RowLayout;
use super::member::{self, FOOTER_BYTES, Footer, HEADER_BYTES, Header};
use super::row::RowError;
use super::scan::{Decoder, scan};
use super::zone::Zone;
use super::{DumpError, index};
use crate::wire::split_delimited;

/// Where a block lies and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    /// Byte of the part at which its gzip member begins.
    pub offset: u64,
    /// Bytes of the member.
    pub member_bytes: u32,
    /// Bytes of its content.
    pub content_bytes: u32,
    /// Number of rows.
    pub rows: u32,
    /// One zone for each integer and date/time column, by rising column.
    pub zones: Vec<Zone>,
}

impl BlockEntry {
    /// The zone of a column; `None` for a column that has no zones.
    pub fn zone(&self, column: usize) -> Option<&Zone> {
        let at = self.zones.binary_search_by_key(&column, |zone| zone.column).ok()?;
        Some(&self.zones[at])
    }

    /// What the member's header has to say; `None` when no member can be so.
    pub(crate) fn header(&self) -> Option<Header> {
        Header { member_bytes: self.member_bytes, content_bytes: self.content_bytes, rows: self.rows }.bounded().ok()
    }
}

/// A part whose footer and blocks are known. Reading needs no exclusive access. The file is opened for each block
/// anew, which costs a thousandth of inflating it: a large dump has more parts than a process may have open files.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    layout: Arc<RowLayout>,
    bytes: u64,
    footer: Footer,
    blocks: Vec<BlockEntry>,
    index_rebuilt: bool,
}

impl Part {
    /// Opens a part and its index. A part without its footer is refused; an index that is missing or doesn't fit is
    /// made anew by reading the whole part (and not written: the dump may lie where we can't write).
    pub fn open(path: &Path, layout: Arc<RowLayout>) -> Result<Part, DumpError> {
        let mut part = Part::open_without_index(path, layout)?;
        match index::read(path, &part.layout, part.bytes, part.footer)? {
            Some(blocks) => part.blocks = blocks,
            None => {
                part.blocks = scan(&part, &Decoder::zones(&part.layout), Err, |_| {})?;
                part.index_rebuilt = true;
            }
        }
        Ok(part)
    }

    /// Opens a part that has no blocks until it is scanned.
    pub(crate) fn open_without_index(path: &Path, layout: Arc<RowLayout>) -> Result<Part, DumpError> {
        let file = File::open(path).map_err(DumpError::io("open", path))?;
        let bytes = file.metadata().map_err(DumpError::io("look at", path))?.len();
        let cut = || DumpError::damaged(path, None, bytes, "the file ends without a footer: it is cut off or damaged");
        let at = bytes.checked_sub(FOOTER_BYTES as u64).ok_or_else(cut)?;
        let mut end = [0; FOOTER_BYTES];
        file.read_exact_at(&mut end, at).map_err(DumpError::io("read", path))?;
        let footer = Footer::read(&end).ok_or_else(cut)?;
        let path = path.to_path_buf();
        Ok(Part { path, layout, bytes, footer, blocks: Vec::new(), index_rebuilt: false })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The layout of its rows.
    pub fn layout(&self) -> &Arc<RowLayout> {
        &self.layout
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Rows of all blocks.
    pub fn rows(&self) -> u64 {
        self.footer.rows
    }

    /// Bytes of all blocks' contents.
    pub fn content_bytes(&self) -> u64 {
        self.footer.content_bytes
    }

    pub(crate) fn footer(&self) -> Footer {
        self.footer
    }

    /// The blocks, in the order of the file.
    pub fn blocks(&self) -> &[BlockEntry] {
        &self.blocks
    }

    /// Whether the index file was of no use and had to be made anew.
    pub fn index_rebuilt(&self) -> bool {
        self.index_rebuilt
    }

    /// Reads one block (its place in [`blocks`](Self::blocks)), checks all that can be checked of it, and leaves its
    /// rows in `buffer`, which is empty after an error.
    ///
    /// # Panics
    ///
    /// When there is no such block.
    pub fn read(&self, block: usize, buffer: &mut BlockBuffer) -> Result<(), DumpError> {
        let entry = &self.blocks[block];
        let damaged = |problem| DumpError::damaged(&self.path, Some(block), entry.offset, problem);
        let header = entry.header().ok_or_else(|| damaged("the index gives lengths that no block has"))?;
        self.read_member(block, entry.offset, header, buffer)
    }

    /// Names the file, block and row of what a [`RowReader`](super::RowReader) found.
    pub fn row_error(&self, block: usize, row: u64, source: RowError) -> DumpError {
        DumpError::Row { path: self.path.clone(), block, row, source }
    }

    pub(crate) fn read_member(
        &self,
        block: usize,
        offset: u64,
        header: Header,
        buffer: &mut BlockBuffer,
    ) -> Result<(), DumpError> {
        let member_bytes = header.member_bytes as usize;
        grow(&mut buffer.member, member_bytes);
        grow(&mut buffer.content, header.content_bytes as usize);
        buffer.content_bytes = 0;
        buffer.rows = 0;
        let member = &mut buffer.member[..member_bytes];
        let file = File::open(&self.path).map_err(DumpError::io("open", &self.path))?;
        file.read_exact_at(member, offset).map_err(DumpError::io("read", &self.path))?;
        let content = &mut buffer.content[..header.content_bytes as usize];
        member::inflate(&mut buffer.inflater, member, header, content)
            .and_then(|()| check_rows(content, header.rows))
            .map_err(|problem| DumpError::damaged(&self.path, Some(block), offset, problem))?;
        buffer.content_bytes = header.content_bytes as usize;
        buffer.rows = header.rows;
        Ok(())
    }

    /// The header of the block that begins at `offset`; `None` where the footer begins.
    pub(crate) fn header_at(&self, block: usize, offset: u64) -> Result<Option<Header>, DumpError> {
        let end = self.bytes - FOOTER_BYTES as u64;
        if offset == end {
            return Ok(None);
        }
        let damaged = |problem: &str| DumpError::damaged(&self.path, Some(block), offset, problem);
        let mut start = [0; HEADER_BYTES];
        let file = File::open(&self.path).map_err(DumpError::io("open", &self.path))?;
        file.read_exact_at(&mut start, offset).map_err(|_| damaged("the block is cut off"))?;
        let header = Header::read(&start).map_err(damaged)?;
        match offset + u64::from(header.member_bytes) <= end {
            true => Ok(Some(header)),
            false => Err(damaged("the block's header gives a length past the end of the part")),
        }
    }
}

/// Buffers are grown, never shrunk, and never cleared: each block overwrites the one before.
fn grow(buffer: &mut Vec<u8>, length: usize) {
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
}

/// Whether the content is `rows` rows and nothing else.
fn check_rows(content: &[u8], rows: u32) -> Result<(), &'static str> {
    let (mut rest, mut found) = (content, 0u32);
    while !rest.is_empty() {
        (_, rest) = split_delimited(rest).ok_or("a row reaches beyond its block")?;
        found += 1;
    }
    if found == rows { Ok(()) } else { Err("the block has another number of rows than its header says") }
}

/// Room for one block, used again and again.
pub struct BlockBuffer {
    inflater: Decompressor,
    member: Vec<u8>,
    content: Vec<u8>,
    content_bytes: usize,
    rows: u32,
}

impl BlockBuffer {
    /// Empty; grows with the blocks that are read into it.
    pub fn new() -> BlockBuffer {
        let inflater = Decompressor::new();
        BlockBuffer { inflater, member: Vec::new(), content: Vec::new(), content_bytes: 0, rows: 0 }
    }

    /// The rows' messages, in order.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.content();
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            // `Part::read` has walked the same lengths, so the end is the only reason to stop.
            let (row, after) = split_delimited(rest)?;
            rest = after;
            Some(row)
        })
    }

    /// Number of rows.
    pub fn row_count(&self) -> u32 {
        self.rows
    }

    /// The block's content: each row behind its varint length.
    pub fn content(&self) -> &[u8] {
        &self.content[..self.content_bytes]
    }
}

impl Default for BlockBuffer {
    fn default() -> BlockBuffer {
        BlockBuffer::new()
    }
}
