//! Full blocks on their way to the file: compressed on rayon's threads, written in the order in which they were filled.
//!
//! A few blocks are under way at a time; then the reader waits, and with it, by TCP's flow control, the server. So memory
//! is bounded by blocks, whatever the table's size.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, sync_channel};

use etl_schemas::dump::{Block, CompressedBlock, Compressor, DumpError, Level, PartSummary, PartWriter};
use etl_schemas::table::TableName;

use crate::error::SourceError;
use crate::progress::Progress;
use crate::row_sink::BlockConsumer;

/// Blocks that one part has in compression at a time: one is compressed while the next is filled, and one of slack.
const BLOCKS_UNDER_WAY_MAX: usize = 2;

type Packed = (Compressor, CompressedBlock);

/// The file of one part, under way.
pub(super) struct Packer<'a> {
    writer: PartWriter,
    level: Level,
    under_way: VecDeque<Receiver<Packed>>,
    /// Compressors that wait for a block: each holds tables that are dear to allocate.
    idle: Vec<Compressor>,
    table: &'a TableName,
    progress: &'a dyn Progress,
    announced: Announced,
}

/// Rows and bytes of which the progress was told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Announced {
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl<'a> Packer<'a> {
    pub(super) fn new(
        writer: PartWriter,
        level: Level,
        table: &'a TableName,
        progress: &'a dyn Progress,
    ) -> Packer<'a> {
        let (under_way, announced) = (VecDeque::with_capacity(BLOCKS_UNDER_WAY_MAX), Announced::default());
        Packer { writer, level, under_way, idle: Vec::new(), table, progress, announced }
    }

    pub(super) fn announced(&self) -> Announced {
        self.announced
    }

    /// Writes what is under way, and closes the file.
    pub(super) fn finish(mut self) -> Result<PartSummary, DumpError> {
        while self.write_oldest()? {}
        self.writer.finish()
    }

    /// Waits for the oldest block and writes it. False when none was under way.
    fn write_oldest(&mut self) -> Result<bool, DumpError> {
        let Some(receiver) = self.under_way.pop_front() else { return Ok(false) };
        let (compressor, block) = receiver.recv().expect("a thread of rayon's that panics ends the process");
        self.idle.push(compressor);
        self.writer.append(&block)?;
        let (rows, bytes) = (u64::from(block.rows()), u64::from(block.content_bytes()));
        self.announced.rows += rows;
        self.announced.bytes += bytes;
        self.progress.advanced(self.table, rows, bytes);
        Ok(true)
    }
}

impl BlockConsumer for Packer<'_> {
    fn consume(&mut self, block: Block) -> Result<(), SourceError> {
        if self.under_way.len() == BLOCKS_UNDER_WAY_MAX {
            self.write_oldest()?;
        }
        let mut compressor = self.idle.pop().unwrap_or_else(|| Compressor::new(self.level));
        let (sender, receiver) = sync_channel(1);
        rayon::spawn(move || {
            let packed = compressor.compress(&block);
            // Nobody waits any more when the part broke meanwhile.
            let _ = sender.send((compressor, packed));
        });
        self.under_way.push_back(receiver);
        Ok(())
    }
}
